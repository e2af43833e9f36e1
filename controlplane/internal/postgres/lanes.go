package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Lanes reads both lanes as nodes are told them: secrets opened.
type Lanes struct {
	db     *DB
	sealer directory.Sealer
}

var _ fleet.LaneStore = (*Lanes)(nil)

// Lanes returns the lanes of this database. The sealer opens the entries that lie sealed in it.
func (db *DB) Lanes(sealer directory.Sealer) *Lanes { return &Lanes{db: db, sealer: sealer} }

// ConfigurationHead implements fleet.LaneStore.
func (l *Lanes) ConfigurationHead(ctx context.Context, environment string) (fleet.LaneHead, error) {
	return configurationHead(ctx, l.db.q, environment)
}

// DirectoryHead implements fleet.LaneStore.
func (l *Lanes) DirectoryHead(ctx context.Context, environment string) (fleet.LaneHead, error) {
	return directoryHead(ctx, l.db.q, environment)
}

// ConfigurationDelta implements fleet.LaneStore.
func (l *Lanes) ConfigurationDelta(ctx context.Context, environment string, from, to uint64) ([]*edgev1.ObjectChange, error) {
	rows, err := l.db.q.LatestChanges(ctx, dbsqlc.LatestChangesParams{Environment: environment, FromRevision: int64(from), ToRevision: int64(to)})
	if err != nil {
		return nil, translate(err)
	}
	changes := make([]*edgev1.ObjectChange, len(rows))
	for i, row := range rows {
		changes[i] = &edgev1.ObjectChange{Collection: row.Collection, Id: row.ID, Object: row.After}
	}
	return changes, nil
}

// ConfigurationObjects implements fleet.LaneStore.
func (l *Lanes) ConfigurationObjects(ctx context.Context, environment string) (fleet.LaneHead, []*edgev1.ObjectChange, error) {
	var head fleet.LaneHead
	var objects []*edgev1.ObjectChange
	err := l.db.snapshot(ctx, func(_ pgx.Tx, q *dbsqlc.Queries) error {
		var err error
		if head, err = configurationHead(ctx, q, environment); err != nil {
			return err
		}
		rows, err := q.ListObjects(ctx, environment)
		if err != nil {
			return fmt.Errorf("list objects: %w", err)
		}
		objects = make([]*edgev1.ObjectChange, len(rows))
		for i, row := range rows {
			objects[i] = &edgev1.ObjectChange{Collection: row.Collection, Id: row.ID, Object: row.Stored}
		}
		return nil
	})
	return head, objects, err
}

// DirectoryChanges implements fleet.LaneStore.
func (l *Lanes) DirectoryChanges(ctx context.Context, environment string, from uint64) (fleet.LaneHead, []*edgev1.EntryChange, error) {
	var changes []*edgev1.EntryChange
	head, err := l.entries(ctx, environment, from, func(change *edgev1.EntryChange) error {
		changes = append(changes, change)
		return nil
	})
	return head, changes, err
}

// DirectoryEntries implements fleet.LaneStore.
func (l *Lanes) DirectoryEntries(ctx context.Context, environment string, each func(*edgev1.EntryChange) error) (fleet.LaneHead, error) {
	return l.entries(ctx, environment, 0, func(change *edgev1.EntryChange) error {
		if len(change.GetEntry()) == 0 {
			return nil // a tombstone: nothing, in a whole directory
		}
		return each(change)
	})
}

// listEntryChanges is written by hand so that a million entries needn't be in memory at once.
const listEntryChanges = `
SELECT key, entry, sealed
FROM directory_entries
WHERE environment = $1 AND sequence > $2
ORDER BY sequence`

// entries calls each with the entries changed after a sequence, in their order, and returns the head that
// they lead to.
func (l *Lanes) entries(ctx context.Context, environment string, from uint64, each func(*edgev1.EntryChange) error) (head fleet.LaneHead, err error) {
	err = l.db.snapshot(ctx, func(tx pgx.Tx, q *dbsqlc.Queries) error {
		if head, err = directoryHead(ctx, q, environment); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, listEntryChanges, environment, int64(from))
		if err != nil {
			return fmt.Errorf("list entries: %w", err)
		}
		var key, entry []byte
		var sealed bool
		_, err = pgx.ForEachRow(rows, []any{&key, &entry, &sealed}, func() error {
			change, err := l.open(environment, key, entry, sealed)
			if err != nil {
				return err
			}
			return each(change)
		})
		return err
	})
	return head, err
}

func (l *Lanes) open(environment string, key, entry []byte, sealed bool) (*edgev1.EntryChange, error) {
	if len(key) != len(digest.Key{}) {
		return nil, fmt.Errorf("an entry's key of %d bytes", len(key))
	}
	plain, err := directory.Unseal(l.sealer, environment, directory.Entry{Key: digest.Key(key), Bytes: entry, Sealed: sealed})
	if err != nil {
		return nil, err
	}
	return &edgev1.EntryChange{Key: append([]byte(nil), key...), Entry: append([]byte(nil), plain...)}, nil
}

// RevisionDigest implements fleet.LaneStore.
func (l *Lanes) RevisionDigest(ctx context.Context, environment string, revision uint64) ([]byte, bool, error) {
	return revisionDigest(ctx, l.db.q, environment, revision)
}

// DirectoryDigest implements fleet.LaneStore.
func (l *Lanes) DirectoryDigest(ctx context.Context, environment string, epoch, sequence uint64) ([]byte, bool, error) {
	return directoryDigest(ctx, l.db.q, environment, epoch, sequence)
}

func configurationHead(ctx context.Context, q *dbsqlc.Queries, environment string) (fleet.LaneHead, error) {
	row, err := q.GetHeads(ctx, environment)
	if err != nil {
		return fleet.LaneHead{}, noEnvironment(err, environment)
	}
	return fleet.LaneHead{Epoch: uint64(row.Epoch), Number: uint64(row.Revision), Digest: row.Digest, SequenceNeeded: uint64(row.SequenceNeeded)}, nil
}

func directoryHead(ctx context.Context, q *dbsqlc.Queries, environment string) (fleet.LaneHead, error) {
	row, err := q.DirectoryHead(ctx, environment)
	if err != nil {
		return fleet.LaneHead{}, noEnvironment(err, environment)
	}
	head := fleet.LaneHead{Epoch: uint64(row.Epoch), Number: uint64(row.Sequence), Digest: row.Digest}
	if row.RecallUntil != nil {
		head.RecallUntil = *row.RecallUntil
	}
	return head, nil
}
