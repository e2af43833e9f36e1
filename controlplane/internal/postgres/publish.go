package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/idempotency"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/digest"
)

var _ publish.Store = (*DB)(nil)

// maxReferrers bounds the answer to a delete of what others refer to.
const maxReferrers = 500

// Write implements publish.Store. Its isolation is what the order of locks relies on: a statement behind
// a lock sees what was committed before the lock was given.
func (db *DB) Write(ctx context.Context, f func(publish.Tx) error) error {
	d := audit.DraftOf(ctx)
	err := db.transaction(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(_ pgx.Tx, q *dbsqlc.Queries) error {
		tx := &writeTx{q: q}
		if err := f(tx); err != nil {
			return err
		}
		if d == nil && !tx.wrote {
			return nil
		}
		if d == nil {
			return errUnrecorded
		}
		return record(ctx, q, d)
	})
	if err == nil {
		d.Written()
	}
	return err
}

// errUnrecorded keeps a change from being made that nobody began a draft of.
var errUnrecorded = errors.New("a change without a draft of its audit event")

// writeTx implements publish.Tx.
type writeTx struct {
	q     *dbsqlc.Queries
	wrote bool
}

func (tx *writeTx) Position(ctx context.Context, environment string) (catalog.Position, error) {
	return position(ctx, tx.q, environment)
}

func (tx *writeTx) Load(ctx context.Context, environment string) (catalog.Position, []catalog.Record, error) {
	return load(ctx, tx.q, environment)
}

func (tx *writeTx) ChangedObjects(ctx context.Context, environment string, after, through uint64) ([]catalog.RecordChange, error) {
	return changedObjects(ctx, tx.q, environment, after, through)
}

func (tx *writeTx) Differences(ctx context.Context, environment string, from, to uint64) ([]catalog.Difference, error) {
	return differences(ctx, tx.q, environment, from, to)
}

func (tx *writeTx) LockEnvironment(ctx context.Context, environment string) (publish.Environment, error) {
	row, err := tx.q.LockEnvironment(ctx, environment)
	if err != nil {
		return publish.Environment{}, noEnvironment(err, environment)
	}
	at, err := positionOf(row.Epoch, row.Revision, row.Digest, row.SequenceNeeded)
	return publish.Environment{Name: row.Name, Configuration: at}, err
}

func (tx *writeTx) Environment(ctx context.Context, environment string) (publish.Environment, error) {
	row, err := tx.q.GetHeads(ctx, environment)
	if err != nil {
		return publish.Environment{}, noEnvironment(err, environment)
	}
	at, err := positionOf(row.Epoch, row.Revision, row.Digest, row.SequenceNeeded)
	return publish.Environment{Name: row.Name, Configuration: at, Sequence: uint64(row.Sequence)}, err
}

func (tx *writeTx) WriteRevision(ctx context.Context, r catalog.Revision, edits []catalog.Edit) error {
	tx.wrote = true
	idempotency.Of(ctx).Note(idempotency.Made{Revision: r.Number, Objects: editedIDs(edits)})
	return writeRevision(ctx, tx.q, r, edits)
}

// LockRows locks first and reads then: a statement that waited for a lock sees the locked row as it is
// now, but what it joins as it was before.
func (tx *writeTx) LockRows(ctx context.Context, environment, collection string, keys []string, lock publish.Lock) ([]directory.Row, error) {
	ids, err := tx.lock(ctx, environment, collection, keys, lock)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return getRows(ctx, tx.q, environment, collection, ids)
}

func (tx *writeTx) LockTeams(ctx context.Context, environment string, keys []string) (map[string]string, error) {
	rows, err := tx.q.LockTeamsToShare(ctx, dbsqlc.LockTeamsToShareParams{Environment: environment, Keys: keys})
	if err != nil {
		return nil, fmt.Errorf("lock teams: %w", err)
	}
	teams := make(map[string]string, 2*len(rows))
	for _, row := range rows {
		teams[row.ID], teams[row.Name] = row.ID, row.ID
	}
	return teams, nil
}

func (tx *writeTx) lock(ctx context.Context, environment, collection string, keys []string, lock publish.Lock) ([]string, error) {
	share := lock == publish.LockShare
	switch {
	case collection == directory.Consumers && share:
		return tx.q.LockConsumersToShare(ctx, dbsqlc.LockConsumersToShareParams{Environment: environment, Keys: keys})
	case collection == directory.Consumers:
		return tx.q.LockConsumersToChange(ctx, dbsqlc.LockConsumersToChangeParams{Environment: environment, Keys: keys})
	case collection == directory.APIKeys && share:
		return tx.q.LockApiKeysToShare(ctx, dbsqlc.LockApiKeysToShareParams{Environment: environment, Keys: keys})
	case collection == directory.APIKeys:
		return tx.q.LockApiKeysToChange(ctx, dbsqlc.LockApiKeysToChangeParams{Environment: environment, Keys: keys})
	case collection == directory.Secrets && share:
		return tx.q.LockSecretsToShare(ctx, dbsqlc.LockSecretsToShareParams{Environment: environment, Keys: keys})
	case collection == directory.Secrets:
		return tx.q.LockSecretsToChange(ctx, dbsqlc.LockSecretsToChangeParams{Environment: environment, Keys: keys})
	case collection == directory.Blocks && share:
		return tx.q.LockBlocksToShare(ctx, dbsqlc.LockBlocksToShareParams{Environment: environment, Keys: keys})
	case collection == directory.Blocks:
		return tx.q.LockBlocksToChange(ctx, dbsqlc.LockBlocksToChangeParams{Environment: environment, Keys: keys})
	case collection == directory.Passwords:
		return tx.lockPasswords(ctx, environment, keys, share)
	}
	return nil, fmt.Errorf("no rows of %q", collection)
}

func (tx *writeTx) Referrers(ctx context.Context, environment, collection, id string) ([]publish.Referrer, error) {
	found, err := tx.q.ListReferrers(ctx, dbsqlc.ListReferrersParams{Environment: environment, Collection: collection, ID: id, Most: maxReferrers})
	if err != nil {
		return nil, fmt.Errorf("list references: %w", err)
	}
	referrers := make([]publish.Referrer, 0, len(found))
	for _, r := range found {
		referrers = append(referrers, publish.Referrer{Collection: r.FromCollection, ID: r.FromID, Name: r.Name, Pointer: r.Pointer})
	}
	if collection != directory.Consumers {
		return referrers, nil
	}
	credentials, err := tx.credentialsOf(ctx, environment, id)
	return append(referrers, credentials...), err
}

func (tx *writeTx) NewestPepper(ctx context.Context, environment string) (directory.Pepper, error) {
	row, err := tx.q.NewestPepper(ctx, environment)
	if errors.Is(err, pgx.ErrNoRows) {
		return directory.Pepper{}, fmt.Errorf("environment %s has no pepper", environment)
	}
	if err != nil {
		return directory.Pepper{}, fmt.Errorf("read pepper: %w", err)
	}
	return directory.Pepper{
		Version: uint32(row.Version), CreatedAt: row.CreatedAt,
		Entry: directory.Entry{Key: digest.Key(row.Key), Hash: digest.Hash(row.Hash), Bytes: row.Entry, Sealed: row.Sealed},
	}, nil
}

func (tx *writeTx) LockDirectory(ctx context.Context, environment string) (directory.Head, error) {
	row, err := tx.q.LockDirectory(ctx, environment)
	if err != nil {
		return directory.Head{}, noEnvironment(err, environment)
	}
	sum, err := sumOf(row.Digest)
	return directory.Head{Sequence: uint64(row.Sequence), Digest: sum}, err
}

func (tx *writeTx) EntryHashes(ctx context.Context, environment string, after uint64) ([]directory.Entry, error) {
	rows, err := tx.q.ListEntryHashes(ctx, dbsqlc.ListEntryHashesParams{Environment: environment, AfterSequence: int64(after)})
	if err != nil {
		return nil, fmt.Errorf("list entries: %w", err)
	}
	entries := make([]directory.Entry, len(rows))
	for i, row := range rows {
		entries[i] = directory.Entry{Key: digest.Key(row.Key), Gone: row.Hash == nil}
		if row.Hash != nil {
			entries[i].Hash = digest.Hash(row.Hash)
		}
	}
	return entries, nil
}

func (tx *writeTx) CountObjects(ctx context.Context, environment, collection string, grown int64) (uint64, error) {
	n, err := tx.q.AddToDirectoryCount(ctx, dbsqlc.AddToDirectoryCountParams{Environment: environment, Collection: collection, Grown: grown})
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", collection, err)
	}
	return uint64(n), nil
}

func (tx *writeTx) WriteEntries(ctx context.Context, environment string, entries []directory.Entry, head directory.Head) error {
	tx.wrote = true
	idempotency.Of(ctx).Note(idempotency.Made{Sequence: head.Sequence})
	first := head.Sequence - uint64(len(entries)) + 1
	if err := upsertEntries(ctx, tx.q, environment, entries, first); err != nil {
		return err
	}
	n, err := tx.q.AdvanceDirectory(ctx, dbsqlc.AdvanceDirectoryParams{
		Environment: environment, Sequence: int64(head.Sequence), Digest: head.Digest[:], SequenceBefore: int64(first) - 1,
		KeepFrom: int64(head.Sequence) - keptSequences,
	})
	if err != nil {
		return fmt.Errorf("advance directory: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("advance directory of %s: it is not at sequence %d", environment, first-1)
	}
	return Notify(ctx, tx.q, environment)
}

// upsertEntries writes entries, the first with this sequence.
func upsertEntries(ctx context.Context, q *dbsqlc.Queries, environment string, entries []directory.Entry, first uint64) error {
	w := dbsqlc.UpsertEntriesParams{Environment: environment}
	for i, e := range entries {
		w.Keys = append(w.Keys, e.Key[:])
		w.Sequences = append(w.Sequences, int64(first)+int64(i))
		w.Sealed = append(w.Sealed, e.Sealed)
		if e.Gone {
			w.Entries, w.Hashes = append(w.Entries, nil), append(w.Hashes, nil)
			continue
		}
		w.Entries, w.Hashes = append(w.Entries, e.Bytes), append(w.Hashes, e.Hash[:])
	}
	if err := q.UpsertEntries(ctx, w); err != nil {
		return fmt.Errorf("write entries: %w", err)
	}
	return nil
}
