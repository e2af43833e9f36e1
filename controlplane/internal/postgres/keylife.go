package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/keylife"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/id"
)

var _ keylife.Store = (*DB)(nil)

// Peppers implements keylife.Store.
func (db *DB) Peppers(ctx context.Context, environment string) ([]directory.Pepper, error) {
	rows, err := db.q.ListPeppers(ctx, environment)
	if err != nil {
		return nil, fmt.Errorf("list peppers: %w", translate(err))
	}
	peppers := make([]directory.Pepper, len(rows))
	for i, row := range rows {
		peppers[i] = directory.Pepper{
			Version: uint32(row.Version), CreatedAt: row.CreatedAt,
			Entry: directory.Entry{Key: digest.Key(row.Key), Hash: digest.Hash(row.Hash), Bytes: row.Entry, Sealed: row.Sealed},
		}
	}
	return peppers, nil
}

// KeysOfDigests implements keylife.Store.
func (db *DB) KeysOfDigests(ctx context.Context, environment string, digests []digest.Key) (keys []keylife.Key, gone []digest.Key, err error) {
	raw := make([][]byte, len(digests))
	for i := range digests {
		raw[i] = digests[i][:]
	}
	found, err := db.q.ListKeysOfDigests(ctx, dbsqlc.ListKeysOfDigestsParams{Environment: environment, Digests: raw})
	if err != nil {
		return nil, nil, fmt.Errorf("find API keys: %w", translate(err))
	}
	for _, f := range found {
		keys = append(keys, keylife.Key{ID: f.ID, Name: f.Name, Consumer: f.Consumer, Prefix: f.Prefix, Team: orEmpty(f.Team), Digest: digest.Key(f.EntryKey)})
	}
	lost, err := db.q.ListGoneDigests(ctx, dbsqlc.ListGoneDigestsParams{Environment: environment, Digests: raw})
	if err != nil {
		return nil, nil, fmt.Errorf("find API keys that are gone: %w", translate(err))
	}
	for _, key := range lost {
		gone = append(gone, digest.Key(key))
	}
	return keys, gone, nil
}

// KeysToRevoke implements keylife.Store.
func (db *DB) KeysToRevoke(ctx context.Context, environment string, w keylife.Wanted) ([]keylife.Key, error) {
	found, err := db.q.SelectKeysToRevoke(ctx, dbsqlc.SelectKeysToRevokeParams{
		Environment: environment, Consumer: orNull(w.Consumer), Prefix: w.Prefix, CreatedBefore: unlessZero(w.CreatedBefore), CreatedAfter: unlessZero(w.CreatedAfter),
		Within: w.Within, Most: int32(w.Limit),
	})
	if err != nil {
		return nil, fmt.Errorf("find API keys to revoke: %w", translate(err))
	}
	keys := make([]keylife.Key, len(found))
	for i, f := range found {
		keys[i] = keylife.Key{ID: f.ID, Name: f.Name, Consumer: f.Consumer, Prefix: f.Prefix}
	}
	return keys, nil
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// LastUses implements keylife.Store.
func (db *DB) LastUses(ctx context.Context, environment string, keys []string) (map[string]time.Time, error) {
	credentials := make([]pgtype.UUID, len(keys))
	for i, key := range keys {
		raw, err := id.Parse(id.APIKey, key)
		if err != nil {
			return nil, fmt.Errorf("last use of %s: %w", key, err)
		}
		credentials[i] = uuid(raw)
	}
	found, err := db.q.ListLastUses(ctx, dbsqlc.ListLastUsesParams{Environment: environment, Credentials: credentials})
	if err != nil {
		return nil, fmt.Errorf("last use of API keys: %w", translate(err))
	}
	uses := make(map[string]time.Time, len(found))
	for _, f := range found {
		uses[id.Text(id.APIKey, f.Credential.Bytes)] = f.LastUsedAt
	}
	return uses, nil
}

// KeyUse implements keylife.Store.
func (db *DB) KeyUse(ctx context.Context, environment, key string, since time.Time, addresses int) (keylife.Use, error) {
	raw, err := id.Parse(id.APIKey, key)
	if err != nil {
		return keylife.Use{}, fmt.Errorf("use of %s: %w", key, err)
	}
	rotated, err := db.q.GetRotatedRequests(ctx, dbsqlc.GetRotatedRequestsParams{Environment: environment, ID: key})
	if err != nil {
		return keylife.Use{}, orNotFound(err, "there is no api-key %q in this environment", key)
	}
	use := keylife.Use{Now: rotated.Now}
	counted, err := db.q.GetCredentialUse(ctx, dbsqlc.GetCredentialUseParams{Environment: environment, Credential: uuid(raw)})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return use, nil // never used
	case err != nil:
		return keylife.Use{}, fmt.Errorf("use of %s: %w", key, translate(err))
	}
	use.LastUsed, use.Requests = counted.LastUsedAt, uint64(max(counted.Requests-rotated.RotatedRequests, 0))
	found, err := db.q.ListCredentialAddresses(ctx, dbsqlc.ListCredentialAddressesParams{
		Environment: environment, Credential: uuid(raw), FromMs: since.UnixMilli(), Most: int32(addresses),
	})
	if err != nil {
		return keylife.Use{}, fmt.Errorf("addresses of %s: %w", key, translate(err))
	}
	for _, f := range found {
		use.Addresses = append(use.Addresses, keylife.Address{Address: f.Address, LastSeen: time.UnixMilli(f.LastMs)})
	}
	return use, nil
}

// RetiringKeys implements keylife.Store.
func (db *DB) RetiringKeys(ctx context.Context, after keylife.Place, limit int) ([]keylife.Retiring, error) {
	found, err := db.q.ListRetiringKeys(ctx, dbsqlc.ListRetiringKeysParams{AfterEnvironment: after.Environment, AfterID: after.ID, Most: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list API keys that may be retired: %w", translate(err))
	}
	keys, ids := make([]keylife.Retiring, len(found)), make(map[string][]string)
	for i, f := range found {
		keys[i] = keylife.Retiring{
			Environment: f.Environment, ID: f.ID, After: time.Duration(f.RetireAfterSeconds) * time.Second, SilentSince: f.CreatedAt, Now: f.Now,
		}
		ids[f.Environment] = append(ids[f.Environment], f.ID)
	}
	uses := make(map[string]map[string]time.Time, len(ids))
	for environment, of := range ids {
		if uses[environment], err = db.LastUses(ctx, environment, of); err != nil {
			return nil, err
		}
	}
	for i := range keys {
		if last := uses[keys[i].Environment][keys[i].ID]; last.After(keys[i].SilentSince) {
			keys[i].SilentSince = last
		}
	}
	return keys, nil
}
