package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/idempotency"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// WriteRows implements publish.DirectoryTx.
//
// Two writers that want one name meet here, where neither holds the counter: the second waits until the
// first is committed, and is told to try again. So that they can't wait for each other, names are taken
// in their order.
func (tx *writeTx) WriteRows(ctx context.Context, environment string, rows []publish.RowChange) error {
	tx.wrote = true
	idempotency.Of(ctx).Note(idempotency.Made{Objects: changedIDs(rows)})
	w := rowsWrite{environment: environment, gone: make(map[string][]string), renamed: make(map[string][]string)}
	for _, r := range rows {
		if err := w.add(r); err != nil {
			return err
		}
	}
	return w.run(ctx, tx.q)
}

// rowsWrite is what a batch writes of the directory's tables.
type rowsWrite struct {
	environment   string
	gone, renamed map[string][]string // ids by collection
	consumers     []dbsqlc.UpsertConsumersParams
	keys          []dbsqlc.UpsertApiKeysParams
	secrets       []dbsqlc.UpsertSecretsParams
	blocks        []dbsqlc.UpsertBlocksParams
	passwords     []dbsqlc.UpsertPasswordsParams
}

func (w *rowsWrite) add(r publish.RowChange) error {
	if r.After == nil {
		w.gone[r.Collection] = append(w.gone[r.Collection], r.Before.Message.GetId())
		return nil
	}
	m := r.After.Message
	if r.Before != nil && r.Before.Message.GetName() != m.GetName() {
		w.renamed[r.Collection] = append(w.renamed[r.Collection], m.GetId())
	}
	labels, err := jsonOf(m.GetLabels())
	if err != nil {
		return fmt.Errorf("labels of %s: %w", m.GetId(), err)
	}
	created, updated := m.GetCreatedAt().AsTime(), m.GetUpdatedAt().AsTime()
	switch m := m.(type) {
	case *adminv1.Consumer:
		metadata, err := jsonOf(m.GetMetadata())
		if err != nil {
			return fmt.Errorf("metadata of %s: %w", m.GetId(), err)
		}
		w.consumers = append(w.consumers, dbsqlc.UpsertConsumersParams{
			Environment: w.environment, ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(),
			Team: orNull(m.GetTeam()), Metadata: metadata, Suspended: m.GetSuspended(), EntryKey: r.After.Key[:], CreatedAt: created, UpdatedAt: updated,
		})
	case *adminv1.ApiKey:
		raw, err := id.Parse(id.APIKey, m.GetId())
		if err != nil {
			return fmt.Errorf("id of %s: %w", m.GetId(), err)
		}
		w.keys = append(w.keys, dbsqlc.UpsertApiKeysParams{
			Credential: uuid(raw), Routes: list(m.GetRoutes()), RetireAfterSeconds: m.GetRetireAfterSilence().GetSeconds(),
			RotatedFrom: m.GetRotatedFrom(), RotatedAt: optionalTime(m.GetRotatedAt()), Watched: m.GetWatched(), Imported: m.GetImported(),
			Environment: w.environment, ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(),
			Consumer: m.GetConsumer(), Scopes: list(m.GetScopes()), ExpiresAt: optionalTime(m.GetExpiresAt()), Addresses: list(m.GetAddresses()),
			Prefix: m.GetPrefix(), LastFour: m.GetLastFour(), RotatedTo: m.GetRotatedTo(), EntryKey: r.After.Key[:], Pepper: int32(r.After.Pepper), CreatedAt: created, UpdatedAt: updated,
		})
	case *adminv1.Secret:
		w.secrets = append(w.secrets, dbsqlc.UpsertSecretsParams{
			Environment: w.environment, ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(),
			Team: orNull(m.GetTeam()), EntryKey: r.After.Key[:], CreatedAt: created, UpdatedAt: updated,
		})
	case *adminv1.Block:
		w.blocks = append(w.blocks, dbsqlc.UpsertBlocksParams{
			Environment: w.environment, ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(),
			Consumer: m.GetConsumer(), ApiKey: m.GetApiKey(), AddressRange: m.GetAddressRange(), ExpiresAt: optionalTime(m.GetExpiresAt()),
			Issuer: cmp.Or(m.GetToken().GetIssuer(), m.GetSubject().GetIssuer()), TokenID: m.GetToken().GetId(), Subject: m.GetSubject().GetSubject(),
			EntryKey: r.After.Key[:], CreatedAt: created, UpdatedAt: updated,
		})
	case *adminv1.Password:
		w.addPassword(m, labels, r.After.Key, created, updated)
	default:
		return fmt.Errorf("no table for a %T", m)
	}
	return nil
}

// run deletes first, and what refers to others before these; then writes what others refer to first. A
// name that changes hands is let go of before it is taken.
func (w *rowsWrite) run(ctx context.Context, q *dbsqlc.Queries) error {
	for _, step := range []func(context.Context, *dbsqlc.Queries) error{w.removePasswords, w.remove, w.release, w.releasePasswords, w.writeConsumers, w.writeKeys, w.writePasswords, w.writeSecrets, w.writeBlocks} {
		if err := step(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

func (w *rowsWrite) remove(ctx context.Context, q *dbsqlc.Queries) error {
	if ids := w.gone[directory.APIKeys]; len(ids) > 0 {
		if err := q.DeleteApiKeys(ctx, dbsqlc.DeleteApiKeysParams{Environment: w.environment, Ids: ids}); err != nil {
			return fmt.Errorf("delete API keys: %w", err)
		}
	}
	if ids := w.gone[directory.Consumers]; len(ids) > 0 {
		if err := q.DeleteConsumers(ctx, dbsqlc.DeleteConsumersParams{Environment: w.environment, Ids: ids}); err != nil {
			return fmt.Errorf("delete consumers: %w", err)
		}
	}
	if ids := w.gone[directory.Secrets]; len(ids) > 0 {
		if err := q.DeleteSecrets(ctx, dbsqlc.DeleteSecretsParams{Environment: w.environment, Ids: ids}); err != nil {
			return fmt.Errorf("delete secrets: %w", err)
		}
	}
	if ids := w.gone[directory.Blocks]; len(ids) > 0 {
		if err := q.DeleteBlocks(ctx, dbsqlc.DeleteBlocksParams{Environment: w.environment, Ids: ids}); err != nil {
			return fmt.Errorf("delete blocks: %w", err)
		}
	}
	return nil
}

// release gives renamed rows their ids as names for a moment: no name looks like one.
func (w *rowsWrite) release(ctx context.Context, q *dbsqlc.Queries) error {
	if ids := w.renamed[directory.Consumers]; len(ids) > 0 {
		if err := q.ReleaseConsumerNames(ctx, dbsqlc.ReleaseConsumerNamesParams{Environment: w.environment, Ids: ids}); err != nil {
			return fmt.Errorf("rename consumers: %w", err)
		}
	}
	if ids := w.renamed[directory.APIKeys]; len(ids) > 0 {
		if err := q.ReleaseApiKeyNames(ctx, dbsqlc.ReleaseApiKeyNamesParams{Environment: w.environment, Ids: ids}); err != nil {
			return fmt.Errorf("rename API keys: %w", err)
		}
	}
	if ids := w.renamed[directory.Secrets]; len(ids) > 0 {
		if err := q.ReleaseSecretNames(ctx, dbsqlc.ReleaseSecretNamesParams{Environment: w.environment, Ids: ids}); err != nil {
			return fmt.Errorf("rename secrets: %w", err)
		}
	}
	if ids := w.renamed[directory.Blocks]; len(ids) > 0 {
		if err := q.ReleaseBlockNames(ctx, dbsqlc.ReleaseBlockNamesParams{Environment: w.environment, Ids: ids}); err != nil {
			return fmt.Errorf("rename blocks: %w", err)
		}
	}
	return nil
}

func (w *rowsWrite) writeConsumers(ctx context.Context, q *dbsqlc.Queries) (failed error) {
	if len(w.consumers) > 0 {
		slices.SortFunc(w.consumers, func(a, b dbsqlc.UpsertConsumersParams) int { return cmp.Compare(a.Name, b.Name) })
		q.UpsertConsumers(ctx, w.consumers).Exec(firstOf(&failed, "consumer"))
	}
	return failed
}

func (w *rowsWrite) writeKeys(ctx context.Context, q *dbsqlc.Queries) (failed error) {
	if len(w.keys) > 0 {
		slices.SortFunc(w.keys, func(a, b dbsqlc.UpsertApiKeysParams) int { return cmp.Compare(a.Name, b.Name) })
		q.UpsertApiKeys(ctx, w.keys).Exec(firstOf(&failed, "API key"))
	}
	return failed
}

func (w *rowsWrite) writeSecrets(ctx context.Context, q *dbsqlc.Queries) (failed error) {
	if len(w.secrets) > 0 {
		slices.SortFunc(w.secrets, func(a, b dbsqlc.UpsertSecretsParams) int { return cmp.Compare(a.Name, b.Name) })
		q.UpsertSecrets(ctx, w.secrets).Exec(firstOf(&failed, "secret"))
	}
	return failed
}

func (w *rowsWrite) writeBlocks(ctx context.Context, q *dbsqlc.Queries) (failed error) {
	if len(w.blocks) > 0 {
		slices.SortFunc(w.blocks, func(a, b dbsqlc.UpsertBlocksParams) int { return cmp.Compare(a.Name, b.Name) })
		q.UpsertBlocks(ctx, w.blocks).Exec(firstOf(&failed, "block"))
	}
	return failed
}

// firstOf keeps the first error of a batch: those after it only say that the transaction is aborted.
func firstOf(failed *error, what string) func(int, error) {
	return func(_ int, err error) {
		if err != nil && *failed == nil {
			*failed = fmt.Errorf("write %s: %w", what, err)
		}
	}
}

// list makes an absent list an empty one: the columns are never NULL.
func list(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}
