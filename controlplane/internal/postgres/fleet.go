package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// Fleet keeps nodes, join tokens and what nodes answered: it is fleet.NodeStore,
// fleet.JoinTokenStore, fleet.RenewalStore and fleet.GroupStore.
type Fleet struct {
	pool    *pgxpool.Pool
	queries *dbsqlc.Queries
}

var (
	_ fleet.NodeStore      = (*Fleet)(nil)
	_ fleet.JoinTokenStore = (*Fleet)(nil)
	_ fleet.RenewalStore   = (*Fleet)(nil)
	_ fleet.GroupStore     = (*Fleet)(nil)
)

// Fleet returns what this database knows of nodes.
func (db *DB) Fleet() *Fleet { return &Fleet{pool: db.pool, queries: db.q} }

// recorded runs f in a transaction that writes the event of the operation under way.
func (f *Fleet) recorded(ctx context.Context, environment, operation string, change func(*dbsqlc.Queries) error) error {
	return recorded(ctx, f.pool, f.queries, environment, operation, func(_ pgx.Tx, q *dbsqlc.Queries) error { return change(q) })
}

// oneRow makes of a statement that found nothing to change what a query says that finds nothing.
func oneRow(n int64, err error) error {
	if err == nil && n == 0 {
		return pgx.ErrNoRows
	}
	return err
}

// InsertJoinToken keeps a new token.
func (f *Fleet) InsertJoinToken(ctx context.Context, token fleet.JoinToken) error {
	err := f.recorded(ctx, token.Environment, "createJoinToken", func(q *dbsqlc.Queries) error {
		noteMade(ctx, token.ID)
		return q.InsertJoinToken(ctx, dbsqlc.InsertJoinTokenParams{
			ID: token.ID, Environment: token.Environment, Name: token.Name, Description: token.Description,
			Lookup: token.Lookup, Digest: token.Digest, ExpiresAt: token.ExpiresAt,
			MaxUses: int32(token.MaxUses), CreatedAt: token.CreatedAt, NodeGroup: orNull(token.Group),
		})
	})
	if violates(err, "join_tokens_name") {
		return problem.Wrap(err, problem.NameTaken, "this environment has a join token of this name")
	}
	if err != nil {
		return fmt.Errorf("insert a join token: %w", translate(err))
	}
	return nil
}

// JoinTokens returns the environment's tokens in the order of their names.
func (f *Fleet) JoinTokens(ctx context.Context, environment, after string, limit int) ([]fleet.JoinToken, error) {
	rows, err := f.queries.ListJoinTokens(ctx, dbsqlc.ListJoinTokensParams{Environment: environment, After: after, Most: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list join tokens: %w", translate(err))
	}
	tokens := make([]fleet.JoinToken, len(rows))
	for i := range rows {
		tokens[i] = joinToken(&rows[i])
	}
	return tokens, nil
}

// JoinToken returns one by id or name.
func (f *Fleet) JoinToken(ctx context.Context, environment, key string) (fleet.JoinToken, error) {
	row, err := f.queries.GetJoinToken(ctx, dbsqlc.GetJoinTokenParams{Environment: environment, Key: key})
	if err != nil {
		return fleet.JoinToken{}, orNotFound(err, "there is no such join token")
	}
	return joinToken(&row), nil
}

// DeleteJoinToken removes one by id or name.
func (f *Fleet) DeleteJoinToken(ctx context.Context, environment, key string) error {
	err := f.recorded(ctx, environment, "deleteJoinToken", func(q *dbsqlc.Queries) error {
		return oneRow(q.DeleteJoinToken(ctx, dbsqlc.DeleteJoinTokenParams{Environment: environment, Key: key}))
	})
	return orNotFound(err, "there is no such join token")
}

// JoinTokenByLookup returns a token and the name of its environment.
func (f *Fleet) JoinTokenByLookup(ctx context.Context, lookup string) (fleet.JoinToken, string, error) {
	row, err := f.queries.GetJoinTokenByLookup(ctx, lookup)
	if err != nil {
		return fleet.JoinToken{}, "", orNotFound(err, "there is no such join token")
	}
	return joinToken(&row.JoinToken), row.EnvironmentName, nil
}

// Enrol uses the token once more and adds the node. The token's row lock makes its uses exact,
// however many nodes come at once.
func (f *Fleet) Enrol(ctx context.Context, node fleet.Newcomer) error {
	ctx = audit.Recorded(ctx, "", "enrollNode")
	draft := audit.DraftOf(ctx)
	return f.recorded(ctx, "", "enrollNode", func(queries *dbsqlc.Queries) error {
		token, err := queries.UseJoinToken(ctx, dbsqlc.UseJoinTokenParams{ID: node.JoinToken, At: node.EnrolledAt})
		if errors.Is(err, pgx.ErrNoRows) {
			return problem.Wrap(err, problem.JoinTokenInvalid, "the join token is unknown, expired or used up; make a new one")
		}
		if err != nil {
			return fmt.Errorf("use a join token: %w", translate(err))
		}
		err = queries.InsertNode(ctx, dbsqlc.InsertNodeParams{
			ID: node.ID, Environment: token.Environment, NodeGroup: token.NodeGroup, Name: node.Name, JoinToken: node.JoinToken, BusKey: node.BusKey,
			EnrolledAt: node.EnrolledAt, CertificateExpiresAt: node.CertificateExpires, BusIssuedAt: orNull(node.BusIssuedAt),
			TrustVersion: int64(node.Trust), Authority: node.Issued.Authority, BusIssuer: node.Issued.Bus,
		})
		if err != nil {
			return fmt.Errorf("insert a node: %w", translate(err))
		}
		draft.In(token.Environment)
		draft.ActAs(audit.Actor{ID: node.ID, Name: node.Name, Role: "node"})
		return nil
	})
}

// Renewal returns what a renewal of the node needs.
func (f *Fleet) Renewal(ctx context.Context, identity fleet.Identity) (fleet.Renewal, error) {
	row, err := f.queries.GetRenewal(ctx, dbsqlc.GetRenewalParams{Environment: identity.Environment, ID: identity.Node})
	if err != nil {
		return fleet.Renewal{}, orNotFound(err, "there is no such node")
	}
	return fleet.Renewal{Enabled: row.Enabled, BusKey: row.BusKey, RevokedUntil: orZero(row.RevokedUntil)}, nil
}

// Renewed keeps what a renewal came to.
func (f *Fleet) Renewed(ctx context.Context, identity fleet.Identity, renewed fleet.Renewed) error {
	n, err := f.queries.RenewNode(ctx, dbsqlc.RenewNodeParams{
		Environment: identity.Environment, ID: identity.Node,
		CertificateExpiresAt: renewed.CertificateExpires, BusIssuedAt: orNull(renewed.BusIssuedAt),
		Authority: renewed.Issued.Authority, BusIssuer: renewed.Issued.Bus,
	})
	if err != nil {
		return fmt.Errorf("renew a node: %w", translate(err))
	}
	if n == 0 {
		return problem.Errorf(problem.NodeDisabled, "an operator has disabled or removed this node")
	}
	return nil
}

// Nodes returns the environment's nodes that are asked for, in the order of their ids.
func (f *Fleet) Nodes(ctx context.Context, environment string, s fleet.Selection) ([]fleet.Node, error) {
	l, err := labelsOf(s.Labels)
	if err != nil {
		return nil, err
	}
	rows, err := f.queries.ListNodes(ctx, dbsqlc.ListNodesParams{
		Environment: environment, After: s.After, Most: int32(s.Limit), NodeGroup: s.Group, Name: s.Name,
		Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
	})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", translate(err))
	}
	return f.withLanes(ctx, rows)
}

// Node returns one node.
func (f *Fleet) Node(ctx context.Context, environment, id string) (fleet.Node, error) {
	row, err := f.queries.GetNode(ctx, dbsqlc.GetNodeParams{Environment: environment, ID: id})
	if err != nil {
		return fleet.Node{}, orNotFound(err, "there is no such node")
	}
	nodes, err := f.withLanes(ctx, []dbsqlc.Node{row})
	if err != nil {
		return fleet.Node{}, err
	}
	return nodes[0], nil
}

// withLanes reads what is known of these nodes in their lanes.
func (f *Fleet) withLanes(ctx context.Context, rows []dbsqlc.Node) ([]fleet.Node, error) {
	nodes := make([]fleet.Node, len(rows))
	ids := make([]string, len(rows))
	place := make(map[string]int, len(rows))
	for i, row := range rows {
		ids[i], place[row.ID] = row.ID, i
		nodes[i] = fleet.Node{
			ID: row.ID, Environment: row.Environment, Name: row.Name, Enabled: row.Enabled,
			EnrolledAt: row.EnrolledAt, CertificateExpires: row.CertificateExpiresAt,
			Group: orEmpty(row.NodeGroup), Boot: row.Boot, StartedAt: orZero(row.StartedAt), LeftAt: orZero(row.LeftAt),
		}
		if err := json.Unmarshal(row.Labels, &nodes[i].Labels); err != nil {
			return nil, fmt.Errorf("read the labels of node %s: %w", row.ID, err)
		}
	}
	if len(rows) == 0 {
		return nodes, nil
	}
	lanes, err := f.queries.ListNodeLanes(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("list the nodes' lanes: %w", translate(err))
	}
	for i := range lanes {
		lane, err := nodeLane(&lanes[i])
		if err != nil {
			return nil, err
		}
		node := &nodes[place[lanes[i].Node]]
		if edgev1.Lane(lanes[i].Lane) == edgev1.Lane_LANE_DIRECTORY {
			node.Directory = lane
		} else {
			node.Configuration = lane
		}
	}
	return nodes, nil
}

// Report keeps what streams have to say. It doesn't wait for the disk: what a crash of the database
// would lose, the nodes say again in their next Hello.
func (f *Fleet) Report(ctx context.Context, reports []fleet.LaneReport, lease time.Duration) ([]string, error) {
	params, err := reportParams(reports, lease)
	if err != nil {
		return nil, err
	}
	var enabled []string
	err = pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		queries := f.queries.WithTx(tx)
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
			return err
		}
		// In a fixed order, so that two replicas that report the same nodes wait for each other.
		if err := queries.LockNodeLanes(ctx, params.Nodes); err != nil {
			return err
		}
		if err := queries.RecordDenialAcks(ctx, dbsqlc.RecordDenialAcksParams{
			Nodes: params.Nodes, Lanes: params.Lanes, Sessions: params.Sessions, Held: params.Held, Epochs: params.Epochs, Numbers: params.Numbers, Digests: params.Digests,
		}); err != nil {
			return err
		}
		if err := queries.ReportNodeLanes(ctx, params); err != nil {
			return err
		}
		enabled, err = queries.ListEnabledNodes(ctx, params.Nodes)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("report the nodes' lanes: %w", translate(err))
	}
	return enabled, nil
}

// Tally counts who holds at least this revision and this sequence.
func (f *Fleet) Tally(ctx context.Context, environment string, revision, sequence uint64) (fleet.Tally, error) {
	row, err := f.queries.TallyNodes(ctx, dbsqlc.TallyNodesParams{
		Environment: environment, Revision: int64(revision), Sequence: int64(sequence),
	})
	if err != nil {
		return fleet.Tally{}, fmt.Errorf("tally nodes: %w", translate(err))
	}
	return fleet.Tally{Live: int(row.Live), Applied: int(row.Applied), Refused: int(row.Refused)}, nil
}

func reportParams(reports []fleet.LaneReport, lease time.Duration) (dbsqlc.ReportNodeLanesParams, error) {
	p := dbsqlc.ReportNodeLanesParams{LeaseSeconds: lease.Seconds()}
	for i := range reports {
		r := &reports[i]
		held, refused := fleet.Position{Digest: []byte{}}, fleet.LaneHead{}
		if r.Held != nil {
			held = *r.Held
		}
		if r.Refused != nil {
			refused = *r.Refused
		}
		reasons, err := json.Marshal(refusals(r.Errors))
		if err != nil {
			return p, fmt.Errorf("marshal a node's reasons: %w", err)
		}
		p.Nodes = append(p.Nodes, r.Node)
		p.Lanes = append(p.Lanes, int16(r.Lane))
		p.Sessions = append(p.Sessions, r.Session[:])
		p.Connected = append(p.Connected, r.Connected)
		p.Builds = append(p.Builds, r.Build)
		p.Capabilities = append(p.Capabilities, int64(r.Capability))
		p.Boots = append(p.Boots, r.Boot)
		p.Started = append(p.Started, r.Started)
		p.Held = append(p.Held, r.Held != nil)
		p.Epochs = append(p.Epochs, int64(held.Epoch))
		p.Numbers = append(p.Numbers, int64(held.Number))
		p.Digests = append(p.Digests, held.Digest)
		p.Refusing = append(p.Refusing, r.Refused != nil)
		p.Refused = append(p.Refused, int64(refused.Number))
		p.RefusedEpochs = append(p.RefusedEpochs, int64(refused.Epoch))
		p.Errors = append(p.Errors, string(reasons))
	}
	return p, nil
}

// refusal is why a node refused an object, as it is kept.
type refusal struct {
	Collection string `json:"collection,omitempty"`
	ID         string `json:"id,omitempty"`
	Pointer    string `json:"pointer,omitempty"`
	Code       string `json:"code,omitempty"`
	Message    string `json:"message,omitempty"`
}

func refusals(errs []*edgev1.ObjectError) []refusal {
	kept := make([]refusal, len(errs))
	for i, e := range errs {
		kept[i] = refusal{e.GetCollection(), e.GetId(), e.GetPointer(), e.GetCode(), e.GetMessage()}
	}
	return kept
}

func nodeLane(row *dbsqlc.ListNodeLanesRow) (fleet.NodeLane, error) {
	var kept []refusal
	if err := json.Unmarshal(row.Errors, &kept); err != nil {
		return fleet.NodeLane{}, fmt.Errorf("read why node %s refused a state: %w", row.Node, err)
	}
	lane := fleet.NodeLane{
		Connected: row.Connected,
		Present:   row.Present,
		Held:      fleet.Position{Epoch: uint64(row.Epoch), Number: uint64(row.Number), Digest: row.Digest},
		HeldAt:    orZero(row.HeldAt),
		SeenAt:    row.SeenAt,
		Build:     row.Build,
		Capable:   uint32(row.Capability),
		Boot:      row.Boot,
	}
	if !row.RefusedPresent {
		return lane, nil // what was refused ended with its epoch
	}
	lane.Refused, lane.RefusedAt = uint64(row.Refused), orZero(row.RefusedAt)
	for _, e := range kept {
		lane.Errors = append(lane.Errors, &edgev1.ObjectError{
			Collection: e.Collection, Id: e.ID, Pointer: e.Pointer, Code: e.Code, Message: e.Message,
		})
	}
	return lane, nil
}

func joinToken(row *dbsqlc.JoinToken) fleet.JoinToken {
	return fleet.JoinToken{
		ID: row.ID, Environment: row.Environment, Name: row.Name, Description: row.Description,
		Lookup: row.Lookup, Digest: row.Digest, ExpiresAt: row.ExpiresAt,
		MaxUses: uint32(row.MaxUses), Uses: uint32(row.Uses), CreatedAt: row.CreatedAt, Group: orEmpty(row.NodeGroup),
	}
}

// orNull returns what a column holds for a value: NULL for the zero one.
func orNull[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

// orZero returns the zero time for what never was.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
