package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// keptSequences is how far back the states of a directory are remembered, in sequences.
const keptSequences = 100_000

// Epochs keeps the histories of this database.
type Epochs struct{ db *DB }

var _ epochs.Store = (*Epochs)(nil)

// Epochs returns the epochs of this database.
func (db *DB) Epochs() *Epochs { return &Epochs{db} }

// Change implements epochs.Store. It locks as a write does: the environment first, its directory last.
func (s *Epochs) Change(ctx context.Context, environment string, f func(epochs.Ledger) error) error {
	ctx = audit.Ensure(ctx, audit.System, "openEpoch")
	d := audit.DraftOf(ctx)
	err := s.db.transaction(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(_ pgx.Tx, q *dbsqlc.Queries) error {
		env, err := q.LockEnvironment(ctx, environment)
		if err != nil {
			return noEnvironment(err, environment)
		}
		counter, err := q.LockDirectory(ctx, environment)
		if err != nil {
			return noEnvironment(err, environment)
		}
		l := &ledger{q: q, environment: environment, draft: d, digest: counter.Digest, at: epochs.Position{
			Epoch: uint64(env.Epoch), Revision: uint64(env.Revision), Sequence: uint64(counter.Sequence),
		}}
		if err := f(l); err != nil || !l.begun {
			return err
		}
		return record(ctx, q, d)
	})
	if err == nil {
		d.Written()
	}
	return err
}

// ledger implements epochs.Ledger in a transaction that holds an environment's locks.
type ledger struct {
	q           *dbsqlc.Queries
	environment string
	at          epochs.Position
	digest      []byte // of the directory
	begun       bool   // an epoch was
	draft       *audit.Draft
}

func (l *ledger) Position() epochs.Position { return l.at }

func (l *ledger) Digest(ctx context.Context, lane edgev1.Lane, epoch, number uint64) (sum []byte, kept bool, err error) {
	if lane == edgev1.Lane_LANE_DIRECTORY {
		return directoryDigest(ctx, l.q, l.environment, epoch, number)
	}
	return revisionDigest(ctx, l.q, l.environment, number)
}

func (l *ledger) Begin(ctx context.Context, e epochs.Epoch) error {
	n, err := l.q.AdvanceEpoch(ctx, dbsqlc.AdvanceEpochParams{Environment: l.environment, Epoch: int64(e.Number), EpochBefore: int64(l.at.Epoch)})
	if err != nil {
		return fmt.Errorf("advance the epoch: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("advance the epoch of %s: it is not %d", l.environment, l.at.Epoch)
	}
	err = l.q.InsertEpoch(ctx, dbsqlc.InsertEpochParams{
		Environment: l.environment, Epoch: int64(e.Number), OpenedAt: e.OpenedAt, OpenedBy: e.OpenedBy, Prover: e.Prover, Reason: e.Reason,
		EndedEpoch: int64(e.Ended.Epoch), EndedRevision: int64(e.Ended.Revision), EndedSequence: int64(e.Ended.Sequence),
		LostEpoch: int64(e.Lost.Epoch), LostRevision: int64(e.Lost.Revision), LostSequence: int64(e.Lost.Sequence), RecallUntil: &e.RecallUntil,
	})
	if err != nil {
		return fmt.Errorf("insert the epoch: %w", err)
	}
	err = l.q.InsertDirectoryHead(ctx, dbsqlc.InsertDirectoryHeadParams{
		Environment: l.environment, Epoch: int64(e.Number), Sequence: int64(l.at.Sequence), Digest: l.digest,
	})
	if err != nil {
		return fmt.Errorf("insert the epoch's first state: %w", err)
	}
	l.begun = true
	l.draft.In(l.environment)
	l.draft.Opened(e.Number)
	l.draft.Because(e.Reason)
	l.draft.Note(audit.Change{Action: "create", Collection: "epochs", ID: strconv.FormatUint(e.Number, 10), After: audit.Facts(map[string]string{
		"opened_by": e.OpenedBy, "reason": e.Reason, "lost": e.Gone(),
	})})
	return Notify(ctx, l.q, l.environment)
}

// Current implements epochs.Store.
func (s *Epochs) Current(ctx context.Context, environment string) (epochs.Epoch, bool, error) {
	row, err := s.db.q.CurrentEpoch(ctx, environment)
	if errors.Is(err, pgx.ErrNoRows) {
		return epochs.Epoch{}, false, nil
	}
	return epochOf(row.Epoch, row.Taken), err == nil, translate(err)
}

// Epochs implements epochs.Store.
func (s *Epochs) Epochs(ctx context.Context, environment string, before uint64, limit int) ([]epochs.Epoch, error) {
	rows, err := s.db.q.ListEpochs(ctx, dbsqlc.ListEpochsParams{Environment: environment, Before: int64(before), Most: int32(limit)})
	if err != nil {
		return nil, translate(err)
	}
	found := make([]epochs.Epoch, len(rows))
	for i, row := range rows {
		found[i] = epochOf(row.Epoch, row.Taken)
	}
	return found, nil
}

func epochOf(row dbsqlc.Epoch, taken int64) epochs.Epoch {
	e := epochs.Epoch{
		Environment: row.Environment, Number: uint64(row.Epoch), OpenedAt: row.OpenedAt, OpenedBy: row.OpenedBy, Prover: row.Prover, Reason: row.Reason,
		Ended: epochs.Position{Epoch: uint64(row.EndedEpoch), Revision: uint64(row.EndedRevision), Sequence: uint64(row.EndedSequence)},
		Lost:  epochs.Position{Epoch: uint64(row.LostEpoch), Revision: uint64(row.LostRevision), Sequence: uint64(row.LostSequence)},
		Taken: uint64(taken),
	}
	if row.RecallUntil != nil {
		e.RecallUntil = *row.RecallUntil
	}
	return e
}

// Witness implements epochs.Store.
func (s *Epochs) Witness(ctx context.Context, found epochs.Evidence) (bool, error) {
	w := dbsqlc.WitnessSequenceParams{Environment: found.Environment, LostEpoch: int64(found.Epoch), Lost: int64(found.Number)}
	witness := s.db.q.WitnessSequence
	if found.Lane == edgev1.Lane_LANE_CONFIGURATION {
		witness = func(ctx context.Context, w dbsqlc.WitnessSequenceParams) (int64, error) {
			return s.db.q.WitnessRevision(ctx, dbsqlc.WitnessRevisionParams(w))
		}
	}
	n, err := witness(ctx, w)
	return n > 0, translate(err)
}

// Settle implements epochs.Store.
func (s *Epochs) Settle(ctx context.Context, environment string, epoch uint64) (settled bool, err error) {
	err = s.db.transaction(ctx, pgx.TxOptions{}, func(_ pgx.Tx, q *dbsqlc.Queries) error {
		n, err := q.SettleEpoch(ctx, dbsqlc.SettleEpochParams{Environment: environment, Epoch: int64(epoch)})
		if err != nil {
			return fmt.Errorf("settle the epoch: %w", err)
		}
		settled = n > 0
		return Notify(ctx, q, environment)
	})
	return settled, err
}

// Known implements epochs.Store.
func (s *Epochs) Known(ctx context.Context, found epochs.Evidence) (bool, error) {
	recalled, err := s.db.q.WasRecalled(ctx, dbsqlc.WasRecalledParams{
		Environment: found.Environment, Epoch: int64(found.Epoch), Sequence: int64(found.Number), Digest: found.Digest,
	})
	if err != nil || recalled {
		return recalled, translate(err)
	}
	sum, _, err := directoryDigest(ctx, s.db.q, found.Environment, found.Epoch, found.Number)
	return len(sum) > 0 && bytes.Equal(sum, found.Digest), err
}

// KeepRecall implements epochs.Store.
func (s *Epochs) KeepRecall(ctx context.Context, found epochs.Evidence, taken int, at time.Time) error {
	return translate(s.db.q.InsertRecall(ctx, dbsqlc.InsertRecallParams{
		Environment: found.Environment, Epoch: int64(found.Epoch), Sequence: int64(found.Number), Digest: found.Digest,
		Node: found.Node, Taken: int32(taken), RecalledAt: at,
	}))
}

// Hashes implements epochs.Store.
func (s *Epochs) Hashes(ctx context.Context, environment string) ([]epochs.Entry, error) {
	rows, err := s.db.pool.Query(ctx, listHashesInOrder, environment)
	if err != nil {
		return nil, translate(err)
	}
	var entries []epochs.Entry
	var key, hash []byte
	_, err = pgx.ForEachRow(rows, []any{&key, &hash}, func() error {
		if len(key) != len(digest.Key{}) || len(hash) != len(digest.Hash{}) {
			return fmt.Errorf("an entry with a key of %d bytes and a hash of %d", len(key), len(hash))
		}
		entries = append(entries, epochs.Entry{Key: digest.Key(key), Hash: digest.Hash(hash)})
		return nil
	})
	return entries, translate(err)
}

// listHashesInOrder is written by hand so that a million entries cost their 48 bytes each, and no more.
const listHashesInOrder = `
SELECT key, hash
FROM directory_entries
WHERE environment = $1 AND hash IS NOT NULL
ORDER BY key`

// Keys implements epochs.Store.
func (s *Epochs) Keys(ctx context.Context, environment string, entries []digest.Key) ([]epochs.Key, error) {
	rows, err := s.db.q.LiveApiKeys(ctx, dbsqlc.LiveApiKeysParams{Environment: environment, Keys: keyBytes(entries)})
	if err != nil {
		return nil, translate(err)
	}
	keys := make([]epochs.Key, len(rows))
	for i, row := range rows {
		keys[i] = epochs.Key{ID: row.ID, Entry: digest.Key(row.EntryKey), CreatedAt: row.CreatedAt}
		if row.ExpiresAt != nil {
			keys[i].ExpiresAt = *row.ExpiresAt
		}
	}
	return keys, nil
}

// Unsuspended implements epochs.Store.
func (s *Epochs) Unsuspended(ctx context.Context, environment string, consumers []string) ([]string, error) {
	found, err := s.db.q.LiveConsumers(ctx, dbsqlc.LiveConsumersParams{Environment: environment, Ids: consumers})
	return found, translate(err)
}

// Blocks implements epochs.Store.
func (s *Epochs) Blocks(ctx context.Context, environment string, blocks []string) (map[string]time.Time, error) {
	rows, err := s.db.q.LiveBlocks(ctx, dbsqlc.LiveBlocksParams{Environment: environment, Ids: blocks})
	if err != nil {
		return nil, translate(err)
	}
	found := make(map[string]time.Time, len(rows))
	for _, row := range rows {
		found[row.ID] = orZero(row.ExpiresAt)
	}
	return found, nil
}

// directoryDigest returns the digest of a directory at a sequence of an epoch, and whether what is remembered reaches back to there.
func directoryDigest(ctx context.Context, q *dbsqlc.Queries, environment string, epoch, sequence uint64) (sum []byte, kept bool, err error) {
	row, err := q.DirectoryDigestAt(ctx, dbsqlc.DirectoryDigestAtParams{Environment: environment, Epoch: int64(epoch), Sequence: int64(sequence)})
	return row.Digest, row.Kept, translate(err)
}

// revisionDigest is directoryDigest for the configuration, whose revisions are all kept; the state before the first isn't one.
func revisionDigest(ctx context.Context, q *dbsqlc.Queries, environment string, revision uint64) (sum []byte, kept bool, err error) {
	sum, err = q.RevisionDigestAt(ctx, dbsqlc.RevisionDigestAtParams{Environment: environment, Number: int64(revision)})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	return sum, err == nil, translate(err)
}
