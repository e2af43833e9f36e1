package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

var _ environments.Store = (*DB)(nil)

// CreateEnvironment implements environments.Store.
func (db *DB) CreateEnvironment(ctx context.Context, b environments.Beginning) error {
	env := b.Environment
	err := db.recorded(ctx, "createEnvironment", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		noteMade(ctx, env.GetId())
		err := q.InsertEnvironment(ctx, dbsqlc.InsertEnvironmentParams{
			ID: env.GetId(), Name: env.GetName(), Description: env.GetDescription(), Epoch: int64(env.GetEpoch()),
			Digest: b.Digest[:], CreatedAt: env.GetCreatedAt().AsTime(),
		})
		if violates(err, "environments_name") {
			return nameTaken(env.GetName())
		}
		if err != nil {
			return fmt.Errorf("insert environment: %w", err)
		}
		if err := beginAuditChain(ctx, q, env.GetId()); err != nil {
			return fmt.Errorf("begin the audit chain: %w", err)
		}
		return begin(ctx, q, b)
	})
	return err
}

// begin writes a new environment's first entry.
func begin(ctx context.Context, q *dbsqlc.Queries, b environments.Beginning) error {
	environment := b.Environment.GetId()
	err := q.InsertDirectoryCounter(ctx, dbsqlc.InsertDirectoryCounterParams{
		Environment: environment, Sequence: int64(b.Directory.Sequence), Digest: b.Directory.Digest[:],
	})
	if err != nil {
		return fmt.Errorf("insert counter: %w", err)
	}
	err = q.InsertPepper(ctx, dbsqlc.InsertPepperParams{
		Environment: environment, Version: int32(b.Pepper.Version), EntryKey: b.Pepper.Entry.Key[:], CreatedAt: b.Pepper.CreatedAt,
	})
	if err != nil {
		return fmt.Errorf("insert pepper: %w", err)
	}
	if err := upsertEntries(ctx, q, environment, []directory.Entry{b.Pepper.Entry}, b.Directory.Sequence); err != nil {
		return err
	}
	err = q.InsertDirectoryHead(ctx, dbsqlc.InsertDirectoryHeadParams{
		Environment: environment, Epoch: int64(b.Environment.GetEpoch()), Sequence: int64(b.Directory.Sequence), Digest: b.Directory.Digest[:],
	})
	if err != nil {
		return fmt.Errorf("insert the first state: %w", err)
	}
	return Notify(ctx, q, environment)
}

func nameTaken(name string) error {
	err := problem.Errorf(problem.NameTaken, "another environment has the name %q", name)
	err.Errors = []problem.Violation{{Pointer: "/name", Code: problem.ViolationNameTaken, Detail: "another environment has this name", Given: name}}
	return err
}

// Environment implements environments.Store.
func (db *DB) Environment(ctx context.Context, idOrName string) (*adminv1.Environment, error) {
	row, err := db.q.GetEnvironment(ctx, idOrName)
	if err != nil {
		return nil, noEnvironment(err, idOrName)
	}
	return showEnvironment(dbsqlc.ListEnvironmentsRow(row)), nil
}

// Environments implements environments.Store.
func (db *DB) Environments(ctx context.Context, after string, limit int, within []string) ([]*adminv1.Environment, error) {
	rows, err := db.q.ListEnvironments(ctx, dbsqlc.ListEnvironmentsParams{After: after, Most: int32(limit), Within: within})
	if err != nil {
		return nil, translate(err)
	}
	found := make([]*adminv1.Environment, len(rows))
	for i, row := range rows {
		found[i] = showEnvironment(row)
	}
	return found, nil
}

func showEnvironment(row dbsqlc.ListEnvironmentsRow) *adminv1.Environment {
	return &adminv1.Environment{
		Id: row.ID, Name: row.Name, Description: row.Description, Epoch: uint64(row.Epoch), Revision: uint64(row.Revision),
		Sequence: uint64(row.Sequence), CreatedAt: timestamppb.New(row.CreatedAt),
	}
}
