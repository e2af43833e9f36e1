package fleet

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// waitPoll is how often a Wait looks although no answer came through this replica: the nodes may
// have answered another one.
const waitPoll = 250 * time.Millisecond

// statusNodes is how many nodes are read at a time for a revision's status.
const statusNodes = 500

// Nodes answers what people ask about nodes.
type Nodes struct {
	store   NodeStore
	groups  GroupStore
	roster  *Roster
	members *Members // nil: nobody is told who is in the fleet
}

// NewNodes returns the nodes of store; roster says when there is something new to see.
func NewNodes(store interface {
	NodeStore
	GroupStore
}, roster *Roster,
) *Nodes {
	return &Nodes{store: store, groups: store, roster: roster}
}

// Telling makes the nodes tell who comes to the fleet and who leaves it.
func (n *Nodes) Telling(members *Members) *Nodes {
	n.members = members
	return n
}

// List returns one page of an environment's nodes, oldest first.
func (n *Nodes) List(ctx context.Context, environment string, query listing.Query) (listing.Page[*adminv1.Node], error) {
	plan, selection, err := n.selection(ctx, environment, query)
	if err != nil {
		return listing.Page[*adminv1.Node]{}, err
	}
	nodes, err := n.store.Nodes(ctx, environment, selection)
	if err != nil {
		return listing.Page[*adminv1.Node]{}, err
	}
	items := make([]*adminv1.Node, len(nodes))
	for i := range nodes {
		items[i] = nodes[i].message()
	}
	return listing.PageOf(plan, items, (*adminv1.Node).GetId), nil
}

// Get returns one node by its id.
func (n *Nodes) Get(ctx context.Context, environment, id string) (*adminv1.Node, error) {
	node, err := n.store.Node(ctx, environment, id)
	if err != nil {
		return nil, err
	}
	return node.message(), nil
}

// SetEnabled turns a node off or on, and returns it. Off means: its streams and its connection to the bus
// end at once, on all replicas, it gets no new ones, and its certificate isn't renewed. On again, it is
// let in with the certificate that it has, and gets a new credential for the bus with its next renewal.
func (n *Nodes) SetEnabled(ctx context.Context, environment, id string, enabled bool) (*adminv1.Node, error) {
	node, err := n.store.Node(ctx, environment, id)
	if err != nil {
		return nil, err
	}
	audit.Note(ctx, node.enabling(enabled))
	if err := n.store.SetNodeEnabled(ctx, environment, id, enabled); err != nil {
		return nil, err
	}
	if !enabled {
		n.roster.EndNode(id)
	}
	if err := n.members.Settle(ctx, environment); err != nil {
		return nil, err
	}
	return n.Get(ctx, environment, id)
}

// enabling is what the record has of a node that is turned off or on.
func (n *Node) enabling(enabled bool) audit.Change {
	change := audit.Change{Action: "disable", Collection: "nodes", ID: n.ID, Name: n.Name, Fields: []string{}}
	if enabled {
		change.Action = "enable"
	}
	if n.Enabled != enabled {
		change.Fields = []string{"/disabled"}
	}
	return change
}

// Admit tells whether a node may be served; problem.NodeDisabled if not.
func (n *Nodes) Admit(ctx context.Context, identity Identity) error {
	node, err := n.store.Node(ctx, identity.Environment, identity.Node)
	if err != nil {
		return orRemoved(err)
	}
	if !node.Enabled {
		return errDisabled()
	}
	return nil
}

// orRemoved turns "not found" into what a node is told that was removed.
func orRemoved(err error) error {
	if problem.CodeOf(err) == problem.NotFound {
		return problem.Errorf(problem.NodeDisabled, "this node isn't one of its environment: it was removed, or enrolled after the backup that was restored; enrol it again, with an empty data folder")
	}
	return err
}

func errDisabled() error {
	return problem.Errorf(problem.NodeDisabled, "an operator has disabled this node")
}

// Status returns what each enabled node says of a revision.
func (n *Nodes) Status(ctx context.Context, environment string, revision uint64) (*adminv1.RevisionStatus, error) {
	status := &adminv1.RevisionStatus{Revision: revision}
	after := ""
	for {
		nodes, err := n.store.Nodes(ctx, environment, Selection{After: after, Limit: statusNodes})
		if err != nil {
			return nil, err
		}
		for i := range nodes {
			if nodes[i].Enabled {
				addStatus(status, &nodes[i])
			}
		}
		if len(nodes) < statusNodes {
			return status, nil
		}
		after = nodes[len(nodes)-1].ID
	}
}

func addStatus(status *adminv1.RevisionStatus, node *Node) {
	lane := &node.Configuration
	answer := &adminv1.NodeStatus{
		Node: node.ID, Name: node.Name, Connected: lane.Connected, Revision: lane.Held.Number, State: "pending",
	}
	switch {
	case lane.Present && lane.Held.Number >= status.GetRevision():
		answer.State, answer.AnsweredAt = "acked", stamp(lane.HeldAt)
		status.Acked++
	case lane.Refused > 0 && lane.Refused >= status.GetRevision():
		answer.State, answer.AnsweredAt = "nacked", stamp(lane.RefusedAt)
		for _, e := range lane.Errors {
			answer.Errors = append(answer.Errors, &adminv1.NodeError{
				Collection: e.GetCollection(), Id: e.GetId(), Pointer: e.GetPointer(), Code: e.GetCode(), Message: e.GetMessage(),
			})
		}
		status.Nacked++
	default:
		status.Pending++
	}
	status.Nodes = append(status.Nodes, answer)
}

// Applied returns how many enabled nodes have both streams open, and how many of them hold at least
// this revision and this sequence. 0 asks for nothing in that lane.
func (n *Nodes) Applied(ctx context.Context, environment string, revision, sequence uint64) (applied, live int, err error) {
	tally, err := n.store.Tally(ctx, environment, revision, sequence)
	return tally.Applied, tally.Live, err
}

// Wait is Applied, once every live node has answered, or when ctx ends: then it returns what it saw
// last, and no error.
func (n *Nodes) Wait(ctx context.Context, environment string, revision, sequence uint64) (applied, live int, err error) {
	var last Tally
	poll := time.NewTicker(waitPoll)
	defer poll.Stop()
	for {
		answered := n.roster.Answered() // before looking, so that nothing is missed between the two
		tally, err := n.store.Tally(ctx, environment, revision, sequence)
		if err == nil {
			last = tally
		}
		switch {
		case err != nil && ctx.Err() == nil:
			return 0, 0, err
		case ctx.Err() != nil, last.Applied+last.Refused >= last.Live:
			return last.Applied, last.Live, nil
		}
		select {
		case <-ctx.Done():
			return last.Applied, last.Live, nil
		case <-answered:
		case <-poll.C:
		}
	}
}

func (n *Node) message() *adminv1.Node {
	seen := n.Configuration.SeenAt
	newest := &n.Configuration
	if n.Directory.SeenAt.After(seen) {
		seen, newest = n.Directory.SeenAt, &n.Directory
	}
	return &adminv1.Node{
		Id:                   n.ID,
		Name:                 n.Name,
		Disabled:             !n.Enabled,
		Connected:            n.Configuration.Connected && n.Directory.Connected,
		Revision:             n.Configuration.Held.Number,
		Sequence:             n.Directory.Held.Number,
		Build:                newest.Build,
		Capability:           newest.Capable,
		EnrolledAt:           stamp(n.EnrolledAt),
		SeenAt:               stamp(seen),
		CertificateExpiresAt: stamp(n.CertificateExpires),
		Labels:               n.Labels,
		Group:                n.Group,
		Boot:                 n.Boot,
		StartedAt:            stamp(n.StartedAt),
		LeftAt:               stamp(n.LeftAt),
	}
}

// stamp is a time as a message has it; nil for a time that never was.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// planWithoutFilters checks the query of a list that can't be filtered, nor selected by labels.
func planWithoutFilters(query listing.Query) (listing.Plan, error) {
	var violations []problem.Violation
	for field := range query.Filter {
		violations = append(violations, listing.UnknownFilter(field, "none"))
	}
	if query.Labels != "" {
		violations = append(violations, problem.Violation{
			Pointer: "/labels", Code: problem.ViolationUnknownParameter, Detail: "The items of this list have no labels.",
		})
	}
	if err := problem.Invalid(violations...); err != nil {
		return listing.Plan{}, err
	}
	return query.Plan()
}
