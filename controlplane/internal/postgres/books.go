package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// maxBookReferrers bounds how many referrers are named when an object can't be deleted.
const maxBookReferrers = 100

// Shelf keeps users, teams, roles and role bindings. It implements access.Shelf.
type Shelf struct{ db *DB }

var _ access.Shelf = Shelf{}

// Shelf returns what keeps users, teams, roles and role bindings.
func (db *DB) Shelf() Shelf { return Shelf{db} }

// table is one collection's queries.
type table[M access.Message] struct {
	db             *DB
	singular       string
	names          map[string]string // constraint → field that must be unique
	insert, update func(ctx context.Context, q *dbsqlc.Queries, environment string, labels []byte, m M) error
	find, lock     func(ctx context.Context, q *dbsqlc.Queries, environment, key string) (M, error)
	choose         func(ctx context.Context, q *dbsqlc.Queries, environment string, s access.Selection, l labels) ([]M, error)
	remove         func(ctx context.Context, q *dbsqlc.Queries, environment, id string) error
	referrersTo    func(ctx context.Context, q *dbsqlc.Queries, environment, id string) ([]problem.Reference, error)
}

// Insert implements access.Records.
func (t *table[M]) Insert(ctx context.Context, environment string, m M) error {
	labels, err := labelsJSON(m.GetLabels())
	if err != nil {
		return err
	}
	return t.recorded(ctx, environment, func(q *dbsqlc.Queries) error {
		noteMade(ctx, m.GetId())
		return t.refusal(t.insert(ctx, q, environment, labels, m))
	})
}

// recorded runs f in a transaction that writes the event of the operation under way.
func (t *table[M]) recorded(ctx context.Context, environment string, f func(*dbsqlc.Queries) error) error {
	return translate(recorded(ctx, t.db.pool, t.db.q, environment, "change "+t.singular, func(_ pgx.Tx, q *dbsqlc.Queries) error { return f(q) }))
}

// refusal says which field another object has already, and what is gone that the object refers to.
func (t *table[M]) refusal(err error) error {
	for constraint, field := range t.names {
		if violates(err, constraint) {
			taken := problem.Wrap(err, problem.NameTaken, "another %s has this %s", t.singular, field)
			taken.Errors = []problem.Violation{{Pointer: "/" + field, Code: problem.ViolationNameTaken, Detail: "another " + t.singular + " has it"}}
			return taken
		}
	}
	if breaksReference(err) {
		return problem.Wrap(err, problem.Conflict, "what the %s refers to is just gone", t.singular)
	}
	return translate(err)
}

// Find implements access.Records.
func (t *table[M]) Find(ctx context.Context, environment, key string) (M, error) {
	m, err := t.find(ctx, t.db.q, environment, key)
	return m, orNotFound(err, "there is no %s %q", t.singular, key)
}

// Select implements access.Records.
func (t *table[M]) Select(ctx context.Context, environment string, s access.Selection) ([]M, error) {
	l, err := labelsOf(s.Labels)
	if err != nil {
		return nil, err
	}
	found, err := t.choose(ctx, t.db.q, environment, s, l)
	if err != nil {
		return nil, fmt.Errorf("list every %s: %w", t.singular, translate(err))
	}
	return found, nil
}

// Change implements access.Records. Behind the lock nobody comes to refer to the object: who does locks it too.
func (t *table[M]) Change(ctx context.Context, environment, key string, f func(M) (M, error)) error {
	return t.recorded(ctx, environment, func(q *dbsqlc.Queries) error {
		before, err := t.lock(ctx, q, environment, key)
		if err != nil {
			return orNotFound(err, "there is no %s %q", t.singular, key)
		}
		after, err := f(before)
		if err != nil {
			return err
		}
		if after.ProtoReflect().IsValid() {
			labels, err := labelsJSON(after.GetLabels())
			if err != nil {
				return err
			}
			return t.refusal(t.update(ctx, q, environment, labels, after))
		}
		return t.delete(ctx, q, environment, before.GetId())
	})
}

func (t *table[M]) delete(ctx context.Context, q *dbsqlc.Queries, environment, id string) error {
	referrers, err := t.referrersTo(ctx, q, environment, id)
	if err != nil {
		return fmt.Errorf("list who refers to a %s: %w", t.singular, err)
	}
	if err := problem.StillReferenced(referrers...); err != nil {
		return err
	}
	return t.refusal(t.remove(ctx, q, environment, id))
}

// Users implements access.Shelf.
func (s Shelf) Users() access.Records[*adminv1.User] {
	read := func(row dbsqlc.User, err error) (*adminv1.User, error) {
		if err != nil {
			return nil, err
		}
		m := &adminv1.User{
			Id: row.ID, Name: row.Name, Description: row.Description, Email: orEmpty(row.Email), Disabled: row.Disabled,
			CreatedAt: timestamppb.New(row.CreatedAt), UpdatedAt: timestamppb.New(row.UpdatedAt),
		}
		return m, texts(row.Labels, &m.Labels)
	}
	return &table[*adminv1.User]{
		db: s.db, singular: "user", names: map[string]string{"users_name": "name", "users_email": "email"},
		insert: func(ctx context.Context, q *dbsqlc.Queries, _ string, labels []byte, m *adminv1.User) error {
			return q.InsertUser(ctx, dbsqlc.InsertUserParams{
				ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(), Email: orNull(m.GetEmail()), Disabled: m.GetDisabled(),
				CreatedAt: m.GetCreatedAt().AsTime(), UpdatedAt: m.GetUpdatedAt().AsTime(),
			})
		},
		update: func(ctx context.Context, q *dbsqlc.Queries, _ string, labels []byte, m *adminv1.User) error {
			if m.GetDisabled() { // who is let in again later signs in again
				if _, err := q.EndSessions(ctx, dbsqlc.EndSessionsParams{UserID: m.GetId()}); err != nil {
					return fmt.Errorf("end the user's sessions: %w", err)
				}
			}
			return q.UpdateUser(ctx, dbsqlc.UpdateUserParams{
				ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(), Email: orNull(m.GetEmail()), Disabled: m.GetDisabled(),
				UpdatedAt: m.GetUpdatedAt().AsTime(),
			})
		},
		find: func(ctx context.Context, q *dbsqlc.Queries, _, key string) (*adminv1.User, error) {
			return read(q.FindUser(ctx, key))
		},
		lock: func(ctx context.Context, q *dbsqlc.Queries, _, key string) (*adminv1.User, error) {
			return read(q.LockUser(ctx, key))
		},
		choose: func(ctx context.Context, q *dbsqlc.Queries, _ string, s access.Selection, l labels) ([]*adminv1.User, error) {
			rows, err := q.SelectUsers(ctx, dbsqlc.SelectUsersParams{
				After: s.After, Name: filtered(s, "name"), Email: filtered(s, "email"), Most: int32(s.Limit),
				Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
			})
			return each(rows, err, read)
		},
		remove: func(ctx context.Context, q *dbsqlc.Queries, _, id string) error {
			if err := q.DeleteProvidedRoleBindingsOf(ctx, &id); err != nil {
				return fmt.Errorf("take what providers have given the user: %w", err)
			}
			return q.DeleteUser(ctx, id)
		},
		referrersTo: func(ctx context.Context, q *dbsqlc.Queries, _, id string) ([]problem.Reference, error) {
			rows, err := q.UserReferrers(ctx, dbsqlc.UserReferrersParams{ID: id, Most: maxBookReferrers})
			return references(rows, err, func(r dbsqlc.UserReferrersRow) problem.Reference {
				return problem.Reference{Type: r.Kind, ID: r.ID, Name: r.Name, Pointer: r.Pointer}
			})
		},
	}
}

// Teams implements access.Shelf.
func (s Shelf) Teams() access.Records[*adminv1.Team] {
	read := func(row dbsqlc.Team, err error) (*adminv1.Team, error) {
		if err != nil {
			return nil, err
		}
		m := &adminv1.Team{
			Id: row.ID, Name: row.Name, Description: row.Description,
			CreatedAt: timestamppb.New(row.CreatedAt), UpdatedAt: timestamppb.New(row.UpdatedAt),
		}
		return m, texts(row.Labels, &m.Labels)
	}
	return &table[*adminv1.Team]{
		db: s.db, singular: "team", names: map[string]string{"teams_name": "name"},
		insert: func(ctx context.Context, q *dbsqlc.Queries, environment string, labels []byte, m *adminv1.Team) error {
			return q.InsertTeam(ctx, dbsqlc.InsertTeamParams{
				Environment: environment, ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(),
				CreatedAt: m.GetCreatedAt().AsTime(), UpdatedAt: m.GetUpdatedAt().AsTime(),
			})
		},
		update: func(ctx context.Context, q *dbsqlc.Queries, environment string, labels []byte, m *adminv1.Team) error {
			return q.UpdateTeam(ctx, dbsqlc.UpdateTeamParams{
				Environment: environment, ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(), UpdatedAt: m.GetUpdatedAt().AsTime(),
			})
		},
		find: func(ctx context.Context, q *dbsqlc.Queries, environment, key string) (*adminv1.Team, error) {
			return read(q.FindTeam(ctx, dbsqlc.FindTeamParams{Environment: environment, Key: key}))
		},
		lock: func(ctx context.Context, q *dbsqlc.Queries, environment, key string) (*adminv1.Team, error) {
			return read(q.LockTeam(ctx, dbsqlc.LockTeamParams{Environment: environment, Key: key}))
		},
		choose: func(ctx context.Context, q *dbsqlc.Queries, environment string, s access.Selection, l labels) ([]*adminv1.Team, error) {
			rows, err := q.SelectTeams(ctx, dbsqlc.SelectTeamsParams{
				Environment: environment, After: s.After, Name: filtered(s, "name"), Within: s.Within, Most: int32(s.Limit),
				Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
			})
			return each(rows, err, read)
		},
		remove: func(ctx context.Context, q *dbsqlc.Queries, environment, id string) error {
			return q.DeleteTeam(ctx, dbsqlc.DeleteTeamParams{Environment: environment, ID: id})
		},
		referrersTo: func(ctx context.Context, q *dbsqlc.Queries, environment, id string) ([]problem.Reference, error) {
			rows, err := q.TeamReferrers(ctx, dbsqlc.TeamReferrersParams{Environment: environment, ID: id, Most: maxBookReferrers})
			return references(rows, err, func(r dbsqlc.TeamReferrersRow) problem.Reference {
				return problem.Reference{Type: singularOf(r.Kind), ID: r.ID, Name: r.Name, Pointer: r.Pointer}
			})
		},
	}
}

// Roles implements access.Shelf.
func (s Shelf) Roles() access.Records[*adminv1.Role] {
	read := func(row dbsqlc.Role, err error) (*adminv1.Role, error) {
		if err != nil {
			return nil, err
		}
		m := &adminv1.Role{
			Id: row.ID, Name: row.Name, Description: row.Description, Permissions: row.Permissions,
			CreatedAt: timestamppb.New(row.CreatedAt), UpdatedAt: timestamppb.New(row.UpdatedAt),
		}
		return m, texts(row.Labels, &m.Labels)
	}
	return &table[*adminv1.Role]{
		db: s.db, singular: "role", names: map[string]string{"roles_name": "name"},
		insert: func(ctx context.Context, q *dbsqlc.Queries, _ string, labels []byte, m *adminv1.Role) error {
			return q.InsertRole(ctx, dbsqlc.InsertRoleParams{
				ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(), Permissions: list(m.GetPermissions()),
				CreatedAt: m.GetCreatedAt().AsTime(), UpdatedAt: m.GetUpdatedAt().AsTime(),
			})
		},
		update: func(ctx context.Context, q *dbsqlc.Queries, _ string, labels []byte, m *adminv1.Role) error {
			return q.UpdateRole(ctx, dbsqlc.UpdateRoleParams{
				ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(), Permissions: list(m.GetPermissions()),
				UpdatedAt: m.GetUpdatedAt().AsTime(),
			})
		},
		find: func(ctx context.Context, q *dbsqlc.Queries, _, key string) (*adminv1.Role, error) {
			return read(q.FindRole(ctx, key))
		},
		lock: func(ctx context.Context, q *dbsqlc.Queries, _, key string) (*adminv1.Role, error) {
			return read(q.LockRole(ctx, key))
		},
		choose: func(ctx context.Context, q *dbsqlc.Queries, _ string, s access.Selection, l labels) ([]*adminv1.Role, error) {
			rows, err := q.SelectRoles(ctx, dbsqlc.SelectRolesParams{
				After: s.After, Name: filtered(s, "name"), Most: int32(s.Limit),
				Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
			})
			return each(rows, err, read)
		},
		remove: func(ctx context.Context, q *dbsqlc.Queries, _, id string) error { return q.DeleteRole(ctx, id) },
		referrersTo: func(ctx context.Context, q *dbsqlc.Queries, _, id string) ([]problem.Reference, error) {
			rows, err := q.RoleReferrers(ctx, dbsqlc.RoleReferrersParams{ID: id, Most: maxBookReferrers})
			return references(rows, err, func(r dbsqlc.RoleReferrersRow) problem.Reference {
				return problem.Reference{Type: r.Kind, ID: r.ID, Name: r.Name, Pointer: r.Pointer}
			})
		},
	}
}
