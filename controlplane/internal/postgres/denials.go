package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/denials"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/id"
)

var _ denials.Store = (*DB)(nil)

// WriteDenials implements publish.DirectoryTx. What is taken back comes first: no object does both.
func (tx *writeTx) WriteDenials(ctx context.Context, environment string, d publish.Denials) error {
	if len(d.Lifted) > 0 {
		lift := dbsqlc.LiftDenialsParams{Environment: environment}
		for _, l := range d.Lifted {
			lift.Collections, lift.Ids, lift.Sequences = append(lift.Collections, l.Collection), append(lift.Ids, l.ID), append(lift.Sequences, int64(l.Sequence))
		}
		if err := tx.q.LiftDenials(ctx, lift); err != nil {
			return fmt.Errorf("lift denials: %w", err)
		}
	}
	if len(d.Denied) == 0 {
		return nil
	}
	insert := dbsqlc.InsertDenialsParams{
		Environment: environment, CommitSequence: int64(d.Sequence), AuthorID: d.Author.ID, Author: d.Author.Name,
	}
	for _, one := range d.Denied {
		insert.Sequences = append(insert.Sequences, int64(one.Sequence))
		insert.Collections = append(insert.Collections, one.Collection)
		insert.Ids = append(insert.Ids, one.ID)
		insert.Names = append(insert.Names, one.Name)
		insert.Causes = append(insert.Causes, string(one.Cause))
		insert.TakeEffectAt = append(insert.TakeEffectAt, one.TakesEffectAt)
	}
	if err := tx.q.InsertDenials(ctx, insert); err != nil {
		return fmt.Errorf("insert denials: %w", err)
	}
	return nil
}

// Denial implements denials.Store.
func (db *DB) Denial(ctx context.Context, environment, collection, key string) (denials.Denial, error) {
	var d dbsqlc.Denial
	var c dbsqlc.DenialCommit
	var err error
	if id.LooksLikeID(key) {
		var row dbsqlc.LatestDenialOfIDRow
		row, err = db.q.LatestDenialOfID(ctx, dbsqlc.LatestDenialOfIDParams{Environment: environment, Collection: collection, ID: key})
		d, c = row.Denial, row.DenialCommit
	} else {
		var row dbsqlc.LatestDenialOfNameRow
		row, err = db.q.LatestDenialOfName(ctx, dbsqlc.LatestDenialOfNameParams{Environment: environment, Collection: collection, Name: key})
		d, c = row.Denial, row.DenialCommit
	}
	if err != nil {
		return denials.Denial{}, orNotFound(err, "there is no record of a revocation of it")
	}
	return denials.Denial{
		Denial: publish.Denial{
			Sequence: uint64(d.Sequence), Collection: d.Collection, ID: d.ID, Name: d.Name, Cause: publish.Cause(d.Cause), TakesEffectAt: d.TakesEffectAt,
		},
		LiftedBy: uint64(d.LiftedBy), Author: c.Author, Commit: denials.Commit{Sequence: uint64(c.Sequence), At: c.CommittedAt},
	}, nil
}

// DenialCommit implements denials.Store.
func (db *DB) DenialCommit(ctx context.Context, environment string, sequence uint64) (denials.Commit, error) {
	c, err := db.q.DenialCommitOf(ctx, dbsqlc.DenialCommitOfParams{Environment: environment, Sequence: int64(sequence)})
	if err != nil {
		return denials.Commit{}, orNotFound(err, "nobody was denied anything at sequence %d", sequence)
	}
	return denials.Commit{Sequence: uint64(c.Sequence), At: c.CommittedAt}, nil
}

// DenialAcks implements denials.Store.
func (db *DB) DenialAcks(ctx context.Context, environment string, commit uint64) (map[string]time.Time, error) {
	rows, err := db.q.ListDenialAcks(ctx, dbsqlc.ListDenialAcksParams{Environment: environment, CommitSequence: int64(commit)})
	if err != nil {
		return nil, fmt.Errorf("list acks of a denial: %w", translate(err))
	}
	acks := make(map[string]time.Time, len(rows))
	for _, row := range rows {
		acks[row.Node] = row.AckedAt
	}
	return acks, nil
}

// ExpiredBlocks implements denials.Store.
func (db *DB) ExpiredBlocks(ctx context.Context, grace time.Duration, limit int) ([]denials.Expired, error) {
	rows, err := db.q.ListExpiredBlocks(ctx, dbsqlc.ListExpiredBlocksParams{GraceSeconds: grace.Seconds(), Most: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list expired blocks: %w", translate(err))
	}
	expired := make([]denials.Expired, 0, len(rows))
	for _, row := range rows {
		expired = append(expired, denials.Expired{Environment: row.Environment, ID: row.ID, ExpiresAt: orZero(row.ExpiresAt)})
	}
	return expired, nil
}

// PruneDenials implements denials.Store.
func (db *DB) PruneDenials(ctx context.Context, age time.Duration, limit int) (int, error) {
	n, err := db.q.PruneDenials(ctx, dbsqlc.PruneDenialsParams{AgeSeconds: age.Seconds(), Most: int32(limit)})
	if err != nil {
		return 0, fmt.Errorf("prune denials: %w", translate(err))
	}
	return int(n), nil
}
