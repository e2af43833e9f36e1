package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/proto/digest"
)

var _ catalog.Store = (*DB)(nil)

// Position implements catalog.Source.
func (db *DB) Position(ctx context.Context, environment string) (catalog.Position, error) {
	return position(ctx, db.q, environment)
}

// Load implements catalog.Source.
func (db *DB) Load(ctx context.Context, environment string) (at catalog.Position, records []catalog.Record, err error) {
	err = db.snapshot(ctx, func(_ pgx.Tx, q *dbsqlc.Queries) error {
		at, records, err = load(ctx, q, environment)
		return err
	})
	return at, records, err
}

// ChangedObjects implements catalog.Source.
func (db *DB) ChangedObjects(ctx context.Context, environment string, after, through uint64) ([]catalog.RecordChange, error) {
	return changedObjects(ctx, db.q, environment, after, through)
}

// Differences implements catalog.Store.
func (db *DB) Differences(ctx context.Context, environment string, from, to uint64) ([]catalog.Difference, error) {
	return differences(ctx, db.q, environment, from, to)
}

// Revisions implements catalog.Store.
func (db *DB) Revisions(ctx context.Context, environment string, before uint64, limit int) ([]catalog.Revision, error) {
	rows, err := db.q.ListRevisions(ctx, dbsqlc.ListRevisionsParams{Environment: environment, Before: int64(before), Most: int32(limit)})
	if err != nil {
		return nil, translate(err)
	}
	found := make([]catalog.Revision, len(rows))
	for i, row := range rows {
		if found[i], err = readRevision(row); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Revision implements catalog.Store.
func (db *DB) Revision(ctx context.Context, environment string, number uint64) (catalog.Revision, error) {
	row, err := db.q.GetRevision(ctx, dbsqlc.GetRevisionParams{Environment: environment, Number: int64(number)})
	if err != nil {
		return catalog.Revision{}, orNotFound(err, "there is no revision %d", number)
	}
	return readRevision(row)
}

func readRevision(row dbsqlc.Revision) (catalog.Revision, error) {
	sum, err := sumOf(row.Digest)
	if err != nil {
		return catalog.Revision{}, fmt.Errorf("revision %d: %w", row.Number, err)
	}
	r := catalog.Revision{
		Environment: row.Environment, Number: uint64(row.Number), Epoch: uint64(row.Epoch), Digest: sum, SequenceNeeded: uint64(row.SequenceNeeded),
		AuthorID: row.AuthorID, Author: row.Author, Message: row.Message, Changes: int(row.Changes), CreatedAt: row.CreatedAt,
	}
	if row.RollbackTo != nil {
		r.RollbackTo, r.IsRollback = uint64(*row.RollbackTo), true
	}
	return r, nil
}

func position(ctx context.Context, q *dbsqlc.Queries, environment string) (catalog.Position, error) {
	row, err := q.GetPosition(ctx, environment)
	if err != nil {
		return catalog.Position{}, noEnvironment(err, environment)
	}
	return positionOf(row.Epoch, row.Revision, row.Digest, row.SequenceNeeded)
}

func positionOf(epoch, revision int64, sum []byte, sequenceNeeded int64) (catalog.Position, error) {
	head, err := sumOf(sum)
	return catalog.Position{Epoch: uint64(epoch), Revision: uint64(revision), Digest: head, SequenceNeeded: uint64(sequenceNeeded)}, err
}

// load reads every object. The transaction must see one state, or hold the environment's lock.
func load(ctx context.Context, q *dbsqlc.Queries, environment string) (catalog.Position, []catalog.Record, error) {
	at, err := position(ctx, q, environment)
	if err != nil {
		return at, nil, err
	}
	rows, err := q.ListObjects(ctx, environment)
	if err != nil {
		return at, nil, fmt.Errorf("list objects: %w", translate(err))
	}
	records := make([]catalog.Record, len(rows))
	for i, row := range rows {
		records[i] = catalog.Record(row)
	}
	return at, records, nil
}

func changedObjects(ctx context.Context, q *dbsqlc.Queries, environment string, after, through uint64) ([]catalog.RecordChange, error) {
	rows, err := q.ListChangedObjects(ctx, dbsqlc.ListChangedObjectsParams{
		Environment: environment, AfterRevision: int64(after), ThroughRevision: int64(through),
	})
	if err != nil {
		return nil, fmt.Errorf("list changed objects: %w", translate(err))
	}
	changes := make([]catalog.RecordChange, len(rows))
	for i, row := range rows {
		changes[i] = catalog.RecordChange{
			Revision: uint64(row.Revision), Collection: row.Collection, ID: row.ID, After: row.After, Time: row.CreatedAt,
		}
	}
	return changes, nil
}

func differences(ctx context.Context, q *dbsqlc.Queries, environment string, from, to uint64) ([]catalog.Difference, error) {
	rows, err := q.ListDifferences(ctx, dbsqlc.ListDifferencesParams{Environment: environment, FromRevision: int64(from), ToRevision: int64(to)})
	if err != nil {
		return nil, fmt.Errorf("list differences: %w", translate(err))
	}
	found := make([]catalog.Difference, len(rows))
	for i, row := range rows {
		found[i] = catalog.Difference{Collection: row.Collection, ID: row.ID, Name: row.Name, Before: row.Before, After: row.After}
	}
	return found, nil
}

// writeRevision writes a revision, its changes, and the objects and references as they are after it.
func writeRevision(ctx context.Context, q *dbsqlc.Queries, r catalog.Revision, edits []catalog.Edit) error {
	w, err := revisionRows(r, edits)
	if err != nil {
		return err
	}
	if len(w.gone.Ids) > 0 {
		if err := q.DeleteObjects(ctx, w.gone); err != nil {
			return fmt.Errorf("delete objects: %w", err)
		}
	}
	if len(w.objects.Ids) > 0 {
		if err := q.UpsertObjects(ctx, w.objects); err != nil {
			return fmt.Errorf("write objects: %w", err)
		}
	}
	if len(w.stale.Ids) > 0 {
		if err := q.DeleteReferences(ctx, w.stale); err != nil {
			return fmt.Errorf("delete references: %w", err)
		}
	}
	if len(w.references.FromIds) > 0 {
		if err := q.InsertReferences(ctx, w.references); err != nil {
			return fmt.Errorf("write references: %w", err)
		}
	}
	if err := q.InsertRevision(ctx, w.revision); err != nil {
		return fmt.Errorf("write revision: %w", err)
	}
	if err := q.InsertRevisionChanges(ctx, w.changes); err != nil {
		return fmt.Errorf("write changes: %w", err)
	}
	return advanceConfiguration(ctx, q, r)
}

func advanceConfiguration(ctx context.Context, q *dbsqlc.Queries, r catalog.Revision) error {
	n, err := q.AdvanceConfiguration(ctx, dbsqlc.AdvanceConfigurationParams{
		Environment: r.Environment, Revision: int64(r.Number), RevisionBefore: int64(r.Number) - 1, Digest: r.Digest[:], SequenceNeeded: int64(r.SequenceNeeded),
	})
	if err != nil {
		return fmt.Errorf("advance configuration: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("advance configuration of %s: it is not at revision %d", r.Environment, r.Number-1)
	}
	return Notify(ctx, q, r.Environment)
}

// revisionWrite is what a revision writes.
type revisionWrite struct {
	gone       dbsqlc.DeleteObjectsParams
	objects    dbsqlc.UpsertObjectsParams
	stale      dbsqlc.DeleteReferencesParams
	references dbsqlc.InsertReferencesParams
	revision   dbsqlc.InsertRevisionParams
	changes    dbsqlc.InsertRevisionChangesParams
}

func revisionRows(r catalog.Revision, edits []catalog.Edit) (*revisionWrite, error) {
	env := r.Environment
	w := &revisionWrite{
		gone:       dbsqlc.DeleteObjectsParams{Environment: env},
		objects:    dbsqlc.UpsertObjectsParams{Environment: env},
		stale:      dbsqlc.DeleteReferencesParams{Environment: env},
		references: dbsqlc.InsertReferencesParams{Environment: env},
		changes:    dbsqlc.InsertRevisionChangesParams{Environment: env, Revision: int64(r.Number)},
		revision: dbsqlc.InsertRevisionParams{
			Environment: env, Number: int64(r.Number), Epoch: int64(r.Epoch), Digest: r.Digest[:], SequenceNeeded: int64(r.SequenceNeeded),
			AuthorID: r.AuthorID, Author: r.Author, Message: r.Message, Changes: int32(r.Changes), CreatedAt: r.CreatedAt,
		},
	}
	if r.IsRollback {
		to := int64(r.RollbackTo)
		w.revision.RollbackTo = &to
	}
	for _, e := range edits {
		if err := w.add(e); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *revisionWrite) add(e catalog.Edit) error {
	if e.After == nil {
		w.gone.Collections = append(w.gone.Collections, e.Before.Collection)
		w.gone.Ids = append(w.gone.Ids, e.Before.ID)
		w.change(e.Before, e.Before.Stored, nil)
		return nil
	}
	o := e.After
	labels, err := jsonOf(o.Message.GetLabels())
	if err != nil {
		return fmt.Errorf("labels of %s: %w", o.ID, err)
	}
	w.objects.Collections = append(w.objects.Collections, o.Collection)
	w.objects.Ids = append(w.objects.Ids, o.ID)
	w.objects.Names = append(w.objects.Names, o.Name)
	w.objects.Labels = append(w.objects.Labels, string(labels))
	w.objects.Stored = append(w.objects.Stored, o.Stored)
	w.objects.Etags = append(w.objects.Etags, o.ETag)
	w.objects.Created = append(w.objects.Created, o.CreatedAt)
	w.objects.Updated = append(w.objects.Updated, o.UpdatedAt)
	for _, r := range o.References() {
		w.references.FromCollections = append(w.references.FromCollections, o.Collection)
		w.references.FromIds = append(w.references.FromIds, o.ID)
		w.references.Pointers = append(w.references.Pointers, r.Pointer)
		w.references.ToCollections = append(w.references.ToCollections, r.Collection)
		w.references.ToIds = append(w.references.ToIds, r.Value)
	}
	if e.Before == nil {
		w.change(o, nil, o.Stored)
		return nil
	}
	w.stale.Collections = append(w.stale.Collections, o.Collection)
	w.stale.Ids = append(w.stale.Ids, o.ID)
	w.change(o, e.Before.Stored, o.Stored)
	return nil
}

func (w *revisionWrite) change(o *catalog.Object, before, after []byte) {
	w.changes.Collections = append(w.changes.Collections, o.Collection)
	w.changes.Ids = append(w.changes.Ids, o.ID)
	w.changes.Names = append(w.changes.Names, o.Name)
	w.changes.Before = append(w.changes.Before, before)
	w.changes.After = append(w.changes.After, after)
}

// jsonOf writes a map of texts; an absent one as an empty object.
func jsonOf(m map[string]string) ([]byte, error) {
	if len(m) == 0 {
		return []byte("{}"), nil
	}
	return json.Marshal(m)
}

func sumOf(b []byte) (digest.Sum, error) {
	if len(b) != len(digest.Sum{}) {
		return digest.Sum{}, fmt.Errorf("a digest of %d bytes", len(b))
	}
	return digest.Sum(b), nil
}
