package postgres

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// RoleBindings implements access.Shelf.
func (s Shelf) RoleBindings() access.Records[*adminv1.RoleBinding] {
	return &table[*adminv1.RoleBinding]{
		db: s.db, singular: "role binding", names: map[string]string{"role_bindings_name": "name"},
		insert: func(ctx context.Context, q *dbsqlc.Queries, _ string, labels []byte, m *adminv1.RoleBinding) error {
			builtIn, role := roleColumns(m.GetRole())
			return q.InsertRoleBinding(ctx, dbsqlc.InsertRoleBindingParams{
				ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(),
				UserID: orNull(m.GetUser()), AccessToken: orNull(m.GetAccessToken()), BuiltIn: builtIn, Role: role,
				Environment: orNull(m.GetEnvironment()), Team: orNull(m.GetTeam()),
				CreatedAt: m.GetCreatedAt().AsTime(), UpdatedAt: m.GetUpdatedAt().AsTime(),
			})
		},
		update: func(ctx context.Context, q *dbsqlc.Queries, _ string, labels []byte, m *adminv1.RoleBinding) error {
			builtIn, role := roleColumns(m.GetRole())
			return q.UpdateRoleBinding(ctx, dbsqlc.UpdateRoleBindingParams{
				ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(),
				UserID: orNull(m.GetUser()), AccessToken: orNull(m.GetAccessToken()), BuiltIn: builtIn, Role: role,
				Environment: orNull(m.GetEnvironment()), Team: orNull(m.GetTeam()), UpdatedAt: m.GetUpdatedAt().AsTime(),
			})
		},
		find: func(ctx context.Context, q *dbsqlc.Queries, _, key string) (*adminv1.RoleBinding, error) {
			return roleBinding(q.FindRoleBinding(ctx, key))
		},
		lock: func(ctx context.Context, q *dbsqlc.Queries, _, key string) (*adminv1.RoleBinding, error) {
			return roleBinding(q.LockRoleBinding(ctx, key))
		},
		choose: func(ctx context.Context, q *dbsqlc.Queries, _ string, s access.Selection, l labels) ([]*adminv1.RoleBinding, error) {
			rows, err := q.SelectRoleBindings(ctx, dbsqlc.SelectRoleBindingsParams{
				After: s.After, Name: filtered(s, "name"), UserID: filtered(s, "user"), AccessToken: filtered(s, "access_token"), Role: filtered(s, "role"),
				Environment: filtered(s, "environment"), Team: filtered(s, "team"), Within: s.Within, Most: int32(s.Limit),
				Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
			})
			return each(rows, err, roleBinding)
		},
		remove: func(ctx context.Context, q *dbsqlc.Queries, _, id string) error { return q.DeleteRoleBinding(ctx, id) },
		referrersTo: func(context.Context, *dbsqlc.Queries, string, string) ([]problem.Reference, error) {
			return nil, nil // nothing refers to a binding
		},
	}
}

// roleColumns returns a role as it is kept: a built-in one is the build's, any other a row's.
func roleColumns(role string) (builtIn, made *string) {
	if _, ok := access.BuiltIn(access.Role(role)); ok {
		return &role, nil
	}
	return nil, &role
}

func roleBinding(row dbsqlc.RoleBinding, err error) (*adminv1.RoleBinding, error) {
	if err != nil {
		return nil, err
	}
	m := &adminv1.RoleBinding{
		Id: row.ID, Name: row.Name, Description: row.Description, Role: orEmpty(row.BuiltIn) + orEmpty(row.Role),
		Environment: orEmpty(row.Environment), Team: orEmpty(row.Team), Provider: orEmpty(row.Provider),
		CreatedAt: timestamppb.New(row.CreatedAt), UpdatedAt: timestamppb.New(row.UpdatedAt),
	}
	if row.UserID != nil {
		m.Subject = &adminv1.RoleBinding_User{User: *row.UserID}
	} else {
		m.Subject = &adminv1.RoleBinding_AccessToken{AccessToken: orEmpty(row.AccessToken)}
	}
	return m, texts(row.Labels, &m.Labels)
}

// filtered returns what a list is filtered by; nil: not by this field.
func filtered(s access.Selection, field string) *string {
	value, ok := s.Filter[field]
	if !ok {
		return nil
	}
	return &value
}

// each reads rows.
func each[R, M any](rows []R, err error, one func(R, error) (M, error)) ([]M, error) {
	if err != nil {
		return nil, err
	}
	all := make([]M, len(rows))
	for i, row := range rows {
		if all[i], err = one(row, nil); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func references[R any](rows []R, err error, one func(R) problem.Reference) ([]problem.Reference, error) {
	if err != nil {
		return nil, err
	}
	all := make([]problem.Reference, len(rows))
	for i, row := range rows {
		all[i] = one(row)
	}
	return all, nil
}

// singularOf names one object of a collection of either lane.
func singularOf(collection string) string {
	if t, ok := resource.ByCollection(collection); ok {
		return t.Singular
	}
	if t, ok := directory.ByCollection(collection); ok {
		return t.Singular
	}
	return map[string]string{access.RoleBindings: "role-binding"}[collection]
}
