package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
)

var _ directory.Store = (*DB)(nil)

// Row implements directory.Store.
func (db *DB) Row(ctx context.Context, environment, collection, key string) (directory.Row, error) {
	row, err := db.findRow(ctx, environment, collection, key)
	if err == nil {
		return row, db.addLastUses(ctx, environment, []directory.Row{row})
	}
	if _, missing := db.q.GetPosition(ctx, environment); missing != nil {
		return directory.Row{}, noEnvironment(missing, environment)
	}
	singular := collection
	if t, ok := directory.ByCollection(collection); ok {
		singular = t.Singular
	}
	return directory.Row{}, orNotFound(err, "there is no %s %q in this environment", singular, key)
}

func (db *DB) findRow(ctx context.Context, environment, collection, key string) (directory.Row, error) {
	switch collection {
	case directory.Consumers:
		found, err := db.q.FindConsumer(ctx, dbsqlc.FindConsumerParams{Environment: environment, Key: key})
		if err != nil {
			return directory.Row{}, err
		}
		return consumerRow(found.Consumer, found.Hash, found.Sequence)
	case directory.APIKeys:
		found, err := db.q.FindApiKey(ctx, dbsqlc.FindApiKeyParams{Environment: environment, Key: key})
		if err != nil {
			return directory.Row{}, err
		}
		return apiKeyRow(found.ApiKey, found.Team, found.Hash, found.Sequence)
	case directory.Secrets:
		found, err := db.q.FindSecret(ctx, dbsqlc.FindSecretParams{Environment: environment, Key: key})
		if err != nil {
			return directory.Row{}, err
		}
		return secretRow(found.Secret, found.Hash, found.Sequence)
	case directory.Blocks:
		found, err := db.q.FindBlock(ctx, dbsqlc.FindBlockParams{Environment: environment, Key: key})
		if err != nil {
			return directory.Row{}, err
		}
		return blockRow(found.Block, found.Hash, found.Sequence)
	case directory.Passwords:
		found, err := db.q.FindPassword(ctx, dbsqlc.FindPasswordParams{Environment: environment, Key: key})
		if err != nil {
			return directory.Row{}, err
		}
		return passwordRow(found.Password, found.Team, found.Hash, found.Sequence)
	}
	return directory.Row{}, fmt.Errorf("no rows of %q", collection)
}

// SelectRows implements directory.Store.
func (db *DB) SelectRows(ctx context.Context, environment, collection string, s directory.Selection) ([]directory.Row, error) {
	if _, err := db.q.GetPosition(ctx, environment); err != nil {
		return nil, noEnvironment(err, environment)
	}
	labels, err := labelsOf(s.Labels)
	if err != nil {
		return nil, err
	}
	rows, err := db.selectRows(ctx, environment, collection, s, labels)
	if err != nil {
		return nil, translate(err)
	}
	return rows, db.addLastUses(ctx, environment, rows)
}

// addLastUses says of API keys, for those who read them, when they were last used. Writers don't see it: it is
// no part of what they change.
func (db *DB) addLastUses(ctx context.Context, environment string, rows []directory.Row) error {
	keys := make(map[[16]byte]*adminv1.ApiKey, len(rows))
	var credentials []pgtype.UUID
	for _, row := range rows {
		key, isKey := row.Message.(*adminv1.ApiKey)
		raw, err := id.Parse(id.APIKey, row.Message.GetId())
		if isKey && err == nil {
			keys[raw] = key
			credentials = append(credentials, uuid(raw))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := db.q.ListLastUses(ctx, dbsqlc.ListLastUsesParams{Environment: environment, Credentials: credentials})
	if err != nil {
		return fmt.Errorf("last use of API keys: %w", translate(err))
	}
	for _, f := range found {
		keys[f.Credential.Bytes].LastUsedAt = timestamppb.New(f.LastUsedAt)
	}
	return nil
}

func (db *DB) selectRows(ctx context.Context, environment, collection string, s directory.Selection, l labels) ([]directory.Row, error) {
	switch collection {
	case directory.Consumers:
		found, err := db.q.SelectConsumers(ctx, dbsqlc.SelectConsumersParams{
			Environment: environment, After: s.After, Most: int32(s.Limit), Name: s.Name, Suspended: s.Suspended, Within: s.Within,
			Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
		})
		return read(found, err, func(r dbsqlc.SelectConsumersRow) (directory.Row, error) {
			return consumerRow(r.Consumer, r.Hash, r.Sequence)
		})
	case directory.APIKeys:
		found, err := db.q.SelectApiKeys(ctx, dbsqlc.SelectApiKeysParams{
			Environment: environment, After: s.After, Most: int32(s.Limit), Name: s.Name, Consumer: s.Consumer, Within: s.Within,
			Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
		})
		return read(found, err, func(r dbsqlc.SelectApiKeysRow) (directory.Row, error) {
			return apiKeyRow(r.ApiKey, r.Team, r.Hash, r.Sequence)
		})
	case directory.Secrets:
		found, err := db.q.SelectSecrets(ctx, dbsqlc.SelectSecretsParams{
			Environment: environment, After: s.After, Most: int32(s.Limit), Name: s.Name, Within: s.Within,
			Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
		})
		return read(found, err, func(r dbsqlc.SelectSecretsRow) (directory.Row, error) { return secretRow(r.Secret, r.Hash, r.Sequence) })
	case directory.Blocks:
		if s.Within != nil {
			return nil, nil // no team has a block
		}
		found, err := db.q.SelectBlocks(ctx, dbsqlc.SelectBlocksParams{
			Environment: environment, After: s.After, Most: int32(s.Limit), Name: s.Name, Consumer: s.Consumer, ApiKey: s.APIKey,
			Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
		})
		return read(found, err, func(r dbsqlc.SelectBlocksRow) (directory.Row, error) { return blockRow(r.Block, r.Hash, r.Sequence) })
	case directory.Passwords:
		return db.selectPasswords(ctx, environment, s, l)
	}
	return nil, fmt.Errorf("no rows of %q", collection)
}

// getRows reads rows by id.
func getRows(ctx context.Context, q *dbsqlc.Queries, environment, collection string, ids []string) ([]directory.Row, error) {
	switch collection {
	case directory.Consumers:
		found, err := q.GetConsumers(ctx, dbsqlc.GetConsumersParams{Environment: environment, Ids: ids})
		return read(found, err, func(r dbsqlc.GetConsumersRow) (directory.Row, error) {
			return consumerRow(r.Consumer, r.Hash, r.Sequence)
		})
	case directory.APIKeys:
		found, err := q.GetApiKeys(ctx, dbsqlc.GetApiKeysParams{Environment: environment, Ids: ids})
		return read(found, err, func(r dbsqlc.GetApiKeysRow) (directory.Row, error) {
			return apiKeyRow(r.ApiKey, r.Team, r.Hash, r.Sequence)
		})
	case directory.Secrets:
		found, err := q.GetSecrets(ctx, dbsqlc.GetSecretsParams{Environment: environment, Ids: ids})
		return read(found, err, func(r dbsqlc.GetSecretsRow) (directory.Row, error) { return secretRow(r.Secret, r.Hash, r.Sequence) })
	case directory.Blocks:
		found, err := q.GetBlocks(ctx, dbsqlc.GetBlocksParams{Environment: environment, Ids: ids})
		return read(found, err, func(r dbsqlc.GetBlocksRow) (directory.Row, error) { return blockRow(r.Block, r.Hash, r.Sequence) })
	case directory.Passwords:
		found, err := q.GetPasswords(ctx, dbsqlc.GetPasswordsParams{Environment: environment, Ids: ids})
		return read(found, err, func(r dbsqlc.GetPasswordsRow) (directory.Row, error) {
			return passwordRow(r.Password, r.Team, r.Hash, r.Sequence)
		})
	}
	return nil, fmt.Errorf("no rows of %q", collection)
}

func read[R any](found []R, err error, one func(R) (directory.Row, error)) ([]directory.Row, error) {
	if err != nil {
		return nil, err
	}
	rows := make([]directory.Row, len(found))
	for i, r := range found {
		if rows[i], err = one(r); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// labels is a selector as the queries take it.
type labels struct {
	equal, unequal  []byte // a JSON object; a JSON list of objects
	present, absent []string
}

func labelsOf(s listing.Selector) (labels, error) {
	equal := make(map[string]string, len(s.Equal))
	l := labels{present: append([]string{}, s.Present...), absent: append([]string{}, s.Absent...)}
	for _, want := range s.Equal {
		if other, ok := equal[want.Name]; ok && other != want.Value {
			l.absent, l.present = append(l.absent, want.Name), append(l.present, want.Name) // both at once: nothing has
		}
		equal[want.Name] = want.Value
	}
	unequal := make([]map[string]string, len(s.Unequal))
	for i, not := range s.Unequal {
		unequal[i] = map[string]string{not.Name: not.Value}
	}
	var err error
	if l.equal, err = json.Marshal(equal); err != nil {
		return labels{}, fmt.Errorf("labels selector: %w", err)
	}
	if l.unequal, err = json.Marshal(unequal); err != nil {
		return labels{}, fmt.Errorf("labels selector: %w", err)
	}
	return l, nil
}

func consumerRow(c dbsqlc.Consumer, hash []byte, sequence int64) (directory.Row, error) {
	m := &adminv1.Consumer{
		Id: c.ID, Name: c.Name, Description: c.Description, Team: orEmpty(c.Team), Suspended: c.Suspended,
		CreatedAt: timestamppb.New(c.CreatedAt), UpdatedAt: timestamppb.New(c.UpdatedAt),
	}
	if err := texts(c.Labels, &m.Labels); err != nil {
		return directory.Row{}, fmt.Errorf("labels of %s: %w", c.ID, err)
	}
	if err := texts(c.Metadata, &m.Metadata); err != nil {
		return directory.Row{}, fmt.Errorf("metadata of %s: %w", c.ID, err)
	}
	return rowOf(m, c.EntryKey, hash, sequence)
}

func apiKeyRow(k dbsqlc.ApiKey, team *string, hash []byte, sequence int64) (directory.Row, error) {
	m := &adminv1.ApiKey{
		Id: k.ID, Name: k.Name, Description: k.Description, Team: orEmpty(team), Consumer: k.Consumer, Scopes: k.Scopes, ExpiresAt: timestamp(k.ExpiresAt),
		Addresses: k.Addresses, Prefix: k.Prefix, LastFour: k.LastFour, RotatedTo: k.RotatedTo,
		Routes: k.Routes, RetireAfterSilence: seconds(k.RetireAfterSeconds), RotatedFrom: k.RotatedFrom, RotatedAt: timestamp(k.RotatedAt),
		Watched: k.Watched, Imported: k.Imported,
		CreatedAt: timestamppb.New(k.CreatedAt), UpdatedAt: timestamppb.New(k.UpdatedAt),
	}
	if err := texts(k.Labels, &m.Labels); err != nil {
		return directory.Row{}, fmt.Errorf("labels of %s: %w", k.ID, err)
	}
	return rowOf(m, k.EntryKey, hash, sequence)
}

func secretRow(s dbsqlc.Secret, hash []byte, sequence int64) (directory.Row, error) {
	m := &adminv1.Secret{
		Id: s.ID, Name: s.Name, Description: s.Description, Team: orEmpty(s.Team),
		CreatedAt: timestamppb.New(s.CreatedAt), UpdatedAt: timestamppb.New(s.UpdatedAt),
	}
	if err := texts(s.Labels, &m.Labels); err != nil {
		return directory.Row{}, fmt.Errorf("labels of %s: %w", s.ID, err)
	}
	return rowOf(m, s.EntryKey, hash, sequence)
}

func blockRow(b dbsqlc.Block, hash []byte, sequence int64) (directory.Row, error) {
	m := &adminv1.Block{
		Id: b.ID, Name: b.Name, Description: b.Description, Consumer: b.Consumer, ApiKey: b.ApiKey, AddressRange: b.AddressRange,
		ExpiresAt: timestamp(b.ExpiresAt), CreatedAt: timestamppb.New(b.CreatedAt), UpdatedAt: timestamppb.New(b.UpdatedAt),
	}
	switch {
	case b.TokenID != "":
		m.Token = &adminv1.IssuedToken{Issuer: b.Issuer, Id: b.TokenID}
	case b.Subject != "":
		m.Subject = &adminv1.IssuedSubject{Issuer: b.Issuer, Subject: b.Subject}
	}
	if err := texts(b.Labels, &m.Labels); err != nil {
		return directory.Row{}, fmt.Errorf("labels of %s: %w", b.ID, err)
	}
	return rowOf(m, b.EntryKey, hash, sequence)
}

func rowOf(m directory.Message, key, hash []byte, sequence int64) (directory.Row, error) {
	if len(key) != len(digest.Key{}) || len(hash) != len(digest.Hash{}) {
		return directory.Row{}, fmt.Errorf("%s has no entry", m.GetId())
	}
	return directory.Row{Message: m, Key: digest.Key(key), Hash: digest.Hash(hash), Sequence: uint64(sequence)}, nil
}

// texts reads a map of texts; an empty one stays nil, as it was before it was written.
func texts(data []byte, into *map[string]string) error {
	if string(data) == "{}" {
		return nil
	}
	return json.Unmarshal(data, into)
}

func timestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

// seconds returns a duration; nil for none.
func seconds(n int64) *durationpb.Duration {
	if n == 0 {
		return nil
	}
	return &durationpb.Duration{Seconds: n}
}

func optionalTime(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	at := t.AsTime()
	return &at
}
