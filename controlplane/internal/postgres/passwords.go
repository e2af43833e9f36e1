package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

func (db *DB) selectPasswords(ctx context.Context, environment string, s directory.Selection, l labels) ([]directory.Row, error) {
	found, err := db.q.SelectPasswords(ctx, dbsqlc.SelectPasswordsParams{
		Environment: environment, After: s.After, Most: int32(s.Limit), Name: s.Name, Username: s.Username, Consumer: s.Consumer, Within: s.Within,
		Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
	})
	return read(found, err, func(r dbsqlc.SelectPasswordsRow) (directory.Row, error) {
		return passwordRow(r.Password, r.Team, r.Hash, r.Sequence)
	})
}

// passwordRow reads a row. One whose entry is gone lost it with the root key that it was sealed under: it stays by name, for a new
// password to be set.
func passwordRow(p dbsqlc.Password, team *string, hash []byte, sequence int64) (directory.Row, error) {
	m := &adminv1.Password{
		Id: p.ID, Name: p.Name, Description: p.Description, Team: orEmpty(team), Consumer: p.Consumer, Username: p.Username, Scopes: p.Scopes,
		ExpiresAt: timestamp(p.ExpiresAt), Addresses: p.Addresses, PasswordSetAt: timestamppb.New(p.PasswordSetAt),
		CreatedAt: timestamppb.New(p.CreatedAt), UpdatedAt: timestamppb.New(p.UpdatedAt),
	}
	if err := texts(p.Labels, &m.Labels); err != nil {
		return directory.Row{}, fmt.Errorf("labels of %s: %w", p.ID, err)
	}
	if hash == nil {
		hash = make([]byte, len(digest.Hash{}))
	}
	return rowOf(m, p.EntryKey, hash, sequence)
}

func (w *rowsWrite) addPassword(m *adminv1.Password, labels []byte, key digest.Key, created, updated time.Time) {
	w.passwords = append(w.passwords, dbsqlc.UpsertPasswordsParams{
		Environment: w.environment, ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(), Consumer: m.GetConsumer(),
		Username: m.GetUsername(), Scopes: list(m.GetScopes()), ExpiresAt: optionalTime(m.GetExpiresAt()), Addresses: list(m.GetAddresses()),
		PasswordSetAt: m.GetPasswordSetAt().AsTime(), EntryKey: key[:], CreatedAt: created, UpdatedAt: updated,
	})
}

func (w *rowsWrite) removePasswords(ctx context.Context, q *dbsqlc.Queries) error {
	ids := w.gone[directory.Passwords]
	if len(ids) == 0 {
		return nil
	}
	if err := q.DeletePasswords(ctx, dbsqlc.DeletePasswordsParams{Environment: w.environment, Ids: ids}); err != nil {
		return fmt.Errorf("delete passwords: %w", err)
	}
	return nil
}

func (w *rowsWrite) releasePasswords(ctx context.Context, q *dbsqlc.Queries) error {
	ids := w.renamed[directory.Passwords]
	if len(ids) == 0 {
		return nil
	}
	if err := q.ReleasePasswordNames(ctx, dbsqlc.ReleasePasswordNamesParams{Environment: w.environment, Ids: ids}); err != nil {
		return fmt.Errorf("rename passwords: %w", err)
	}
	return nil
}

func (w *rowsWrite) writePasswords(ctx context.Context, q *dbsqlc.Queries) (failed error) {
	if len(w.passwords) > 0 {
		slices.SortFunc(w.passwords, func(a, b dbsqlc.UpsertPasswordsParams) int { return cmp.Compare(a.Name, b.Name) })
		q.UpsertPasswords(ctx, w.passwords).Exec(firstOf(&failed, "password"))
	}
	return failed
}

func (tx *writeTx) lockPasswords(ctx context.Context, environment string, keys []string, share bool) ([]string, error) {
	if share {
		return tx.q.LockPasswordsToShare(ctx, dbsqlc.LockPasswordsToShareParams{Environment: environment, Keys: keys})
	}
	return tx.q.LockPasswordsToChange(ctx, dbsqlc.LockPasswordsToChangeParams{Environment: environment, Keys: keys})
}

// credentialsOf returns what proves a consumer.
func (tx *writeTx) credentialsOf(ctx context.Context, environment, consumer string) ([]publish.Referrer, error) {
	var referrers []publish.Referrer
	keys, err := tx.q.ListKeysOfConsumer(ctx, dbsqlc.ListKeysOfConsumerParams{Environment: environment, Consumer: consumer, Most: maxReferrers})
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	for _, k := range keys {
		referrers = append(referrers, publish.Referrer{Collection: directory.APIKeys, ID: k.ID, Name: k.Name, Pointer: "/consumer"})
	}
	passwords, err := tx.q.ListPasswordsOfConsumer(ctx, dbsqlc.ListPasswordsOfConsumerParams{Environment: environment, Consumer: consumer, Most: maxReferrers})
	if err != nil {
		return nil, fmt.Errorf("list passwords: %w", err)
	}
	for _, p := range passwords {
		referrers = append(referrers, publish.Referrer{Collection: directory.Passwords, ID: p.ID, Name: p.Name, Pointer: "/consumer"})
	}
	return referrers, nil
}

// Passwords implements epochs.Store.
func (s *Epochs) Passwords(ctx context.Context, environment string, entries []digest.Key) ([]epochs.Key, error) {
	rows, err := s.db.q.LivePasswords(ctx, dbsqlc.LivePasswordsParams{Environment: environment, Keys: keyBytes(entries)})
	if err != nil {
		return nil, translate(err)
	}
	passwords := make([]epochs.Key, len(rows))
	for i, row := range rows {
		passwords[i] = epochs.Key{ID: row.ID, Entry: digest.Key(row.EntryKey), CreatedAt: row.PasswordSetAt, ExpiresAt: orZero(row.ExpiresAt)}
	}
	return passwords, nil
}

func keyBytes(keys []digest.Key) [][]byte {
	raw := make([][]byte, len(keys))
	for i := range keys {
		raw[i] = keys[i][:]
	}
	return raw
}
