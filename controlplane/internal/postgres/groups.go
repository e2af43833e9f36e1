package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/proto/problem"
)

// InsertGroup keeps a new group.
func (f *Fleet) InsertGroup(ctx context.Context, group fleet.Group) error {
	labels, err := labelsJSON(group.Labels)
	if err != nil {
		return err
	}
	err = f.recorded(ctx, group.Environment, "createNodeGroup", func(q *dbsqlc.Queries) error {
		noteMade(ctx, group.ID)
		return q.InsertNodeGroup(ctx, dbsqlc.InsertNodeGroupParams{
			ID: group.ID, Environment: group.Environment, Name: group.Name, Labels: labels, Description: group.Description, CreatedAt: group.CreatedAt,
		})
	})
	return groupNameTaken(err)
}

// Groups returns the environment's groups that are asked for, in the order of their names.
func (f *Fleet) Groups(ctx context.Context, environment string, s fleet.Selection) ([]fleet.Group, error) {
	l, err := labelsOf(s.Labels)
	if err != nil {
		return nil, err
	}
	rows, err := f.queries.SelectNodeGroups(ctx, dbsqlc.SelectNodeGroupsParams{
		Environment: environment, After: s.After, Most: int32(s.Limit), Name: s.Name,
		Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
	})
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", translate(err))
	}
	groups := make([]fleet.Group, len(rows))
	for i := range rows {
		if groups[i], err = nodeGroup(&rows[i].NodeGroup, rows[i].Nodes); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// Group returns one by id or name.
func (f *Fleet) Group(ctx context.Context, environment, key string) (fleet.Group, error) {
	row, err := f.queries.GetNodeGroup(ctx, dbsqlc.GetNodeGroupParams{Environment: environment, Key: key})
	if err != nil {
		return fleet.Group{}, orNotFound(err, "there is no such group of nodes")
	}
	return nodeGroup(&row.NodeGroup, row.Nodes)
}

// UpdateGroup changes name, labels and description.
func (f *Fleet) UpdateGroup(ctx context.Context, group fleet.Group) error {
	labels, err := labelsJSON(group.Labels)
	if err != nil {
		return err
	}
	err = f.recorded(ctx, group.Environment, "patchNodeGroup", func(q *dbsqlc.Queries) error {
		return oneRow(q.UpdateNodeGroup(ctx, dbsqlc.UpdateNodeGroupParams{
			Environment: group.Environment, ID: group.ID, Name: group.Name, Labels: labels, Description: group.Description, UpdatedAt: group.UpdatedAt,
		}))
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return orNotFound(err, "there is no such group of nodes")
	}
	return groupNameTaken(err)
}

// maxGroupReferrers bounds how many of a group's nodes and tokens are named when it can't be deleted.
const maxGroupReferrers = 100

// DeleteGroup removes one that nothing refers to. That nothing comes between is the foreign keys' part.
func (f *Fleet) DeleteGroup(ctx context.Context, environment, id string) error {
	found, err := f.queries.ListGroupReferrers(ctx, dbsqlc.ListGroupReferrersParams{NodeGroup: id, Most: maxGroupReferrers})
	if err != nil {
		return fmt.Errorf("list what is in a group: %w", translate(err))
	}
	referrers := make([]problem.Reference, len(found))
	for i, r := range found {
		referrers[i] = problem.Reference{Type: r.Collection, ID: r.ID, Name: r.Name, Pointer: "/group"}
	}
	if err := problem.StillReferenced(referrers...); err != nil {
		return err
	}
	err = f.recorded(ctx, environment, "deleteNodeGroup", func(q *dbsqlc.Queries) error {
		return oneRow(q.DeleteNodeGroup(ctx, dbsqlc.DeleteNodeGroupParams{Environment: environment, ID: id}))
	})
	if breaksReference(err) {
		return problem.Wrap(err, problem.Referenced, "a node or a join token has just come to the group; move it first")
	}
	return orNotFound(err, "there is no such group of nodes")
}

// PatchNode changes the node's name, labels and group.
func (f *Fleet) PatchNode(ctx context.Context, node fleet.Node) error {
	labels, err := labelsJSON(node.Labels)
	if err != nil {
		return err
	}
	err = f.recorded(ctx, node.Environment, "patchNode", func(q *dbsqlc.Queries) error {
		return oneRow(q.PatchNode(ctx, dbsqlc.PatchNodeParams{
			Environment: node.Environment, ID: node.ID, Name: node.Name, Labels: labels, NodeGroup: orNull(node.Group),
		}))
	})
	if errors.Is(err, pgx.ErrNoRows) || breaksReference(err) {
		return orNotFound(pgx.ErrNoRows, "there is no such node, or its group is gone")
	}
	return translate(err)
}

// Arrive notes that a process of the node is here. The one that started last has the say, unless it has said goodbye, after
// which it has none.
func (f *Fleet) Arrive(ctx context.Context, identity fleet.Identity, boot string, started time.Time) (returned bool, err error) {
	err = pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		queries := f.queries.WithTx(tx)
		was, err := queries.LockNode(ctx, dbsqlc.LockNodeParams{Environment: identity.Environment, ID: identity.Node})
		if err != nil {
			return orNotFound(err, "there is no such node")
		}
		away := was.LeftAt != nil
		if was.Boot == boot || !away && started.Before(orZero(was.StartedAt)) {
			return nil
		}
		returned = away
		return queries.ArriveNode(ctx, dbsqlc.ArriveNodeParams{
			Environment: identity.Environment, ID: identity.Node, Boot: boot, StartedAt: &started,
		})
	})
	return returned, translate(err)
}

// Leave notes that the node's newest process has said goodbye.
func (f *Fleet) Leave(ctx context.Context, identity fleet.Identity, boot string) (bool, error) {
	n, err := f.queries.LeaveNode(ctx, dbsqlc.LeaveNodeParams{Environment: identity.Environment, ID: identity.Node, Boot: boot})
	if err != nil {
		return false, fmt.Errorf("note a goodbye: %w", translate(err))
	}
	return n > 0, nil
}

func groupNameTaken(err error) error {
	if violates(err, "node_groups_name") {
		return problem.Wrap(err, problem.NameTaken, "this environment has a group of nodes of this name")
	}
	return translate(err)
}

func nodeGroup(row *dbsqlc.NodeGroup, nodes int64) (fleet.Group, error) {
	group := fleet.Group{
		ID: row.ID, Environment: row.Environment, Name: row.Name, Description: row.Description, Nodes: uint32(nodes),
		CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
	}
	if err := json.Unmarshal(row.Labels, &group.Labels); err != nil {
		return group, fmt.Errorf("read the labels of group %s: %w", row.ID, err)
	}
	return group, nil
}

// labelsJSON is labels as they are kept: an object, also when there are none.
func labelsJSON(labels map[string]string) ([]byte, error) {
	if labels == nil {
		return []byte("{}"), nil
	}
	kept, err := json.Marshal(labels)
	if err != nil {
		return nil, fmt.Errorf("marshal labels: %w", err)
	}
	return kept, nil
}

// breaksReference tells whether an error of the database is that something referred to isn't there, or that something refers to it.
func breaksReference(err error) bool {
	var failed interface{ SQLState() string }
	return errors.As(err, &failed) && failed.SQLState() == foreignKeyViolation
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
