package denials

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// nodesAtATime is how many nodes are read at once.
const nodesAtATime = 500

// settings is the collection, and the name, of an environment's settings.
const settings = "settings"

// Proofs answers which nodes hold what.
type Proofs struct {
	store     Store
	nodes     Nodes
	directory Directory
	settings  Settings
}

// New returns the proofs in a store.
func New(store Store, nodes Nodes, directory Directory, settings Settings) *Proofs {
	return &Proofs{store: store, nodes: nodes, directory: directory, settings: settings}
}

// Status returns what each enabled node says of a sequence of the directory; problem.NotFound if it isn't reached yet.
func (p *Proofs) Status(ctx context.Context, environment *adminv1.Environment, sequence uint64) (*adminv1.SequenceStatus, error) {
	if sequence == 0 || sequence > environment.GetSequence() {
		return nil, problem.Errorf(problem.NotFound, "there is no sequence %d: the directory is at %d", sequence, environment.GetSequence())
	}
	commit, err := p.store.DenialCommit(ctx, environment.GetId(), sequence)
	if err != nil && problem.CodeOf(err) != problem.NotFound {
		return nil, err
	}
	return p.status(ctx, environment, sequence, commit)
}

// Revocation returns the proof of an object's latest denial, also when the object is gone; problem.NotFound if it was never
// denied, or so long ago that nobody remembers.
func (p *Proofs) Revocation(ctx context.Context, environment *adminv1.Environment, collection, key string) (*adminv1.Revocation, error) {
	// A name is that of the object which has it now: an earlier one of that name is asked for by its id.
	object, missing := p.directory.Get(ctx, environment.GetId(), collection, key)
	if missing != nil && problem.CodeOf(missing) != problem.NotFound {
		return nil, missing
	}
	if missing == nil {
		key = object.ID
	}
	denial, err := p.store.Denial(ctx, environment.GetId(), collection, key)
	switch {
	case problem.CodeOf(err) == problem.NotFound && missing == nil:
		return nil, problem.Errorf(problem.NotFound, "%q was not revoked in the 90 days that are remembered", object.Name)
	case problem.CodeOf(err) == problem.NotFound:
		return nil, problem.Wrap(missing, problem.NotFound, "there is no such object, nor a record of its revocation, which is kept for 90 days")
	case err != nil:
		return nil, err
	}
	status, err := p.status(ctx, environment, denial.Sequence, denial.Commit)
	if err != nil {
		return nil, err
	}
	revocation := &adminv1.Revocation{
		Collection: denial.Collection, Id: denial.ID, Name: denial.Name, Cause: string(denial.Cause), Author: denial.Author,
		CommittedAt: timestamppb.New(denial.Commit.At), TakesEffectAt: timestamppb.New(denial.TakesEffectAt), Status: status,
	}
	if denial.LiftedBy != 0 {
		revocation.LiftedBy = &denial.LiftedBy
	}
	return revocation, nil
}

// status asks what nodes hold before when they held it, so that whoever is seen to hold a denial is seen with its time.
func (p *Proofs) status(ctx context.Context, environment *adminv1.Environment, sequence uint64, commit Commit) (*adminv1.SequenceStatus, error) {
	nodes, err := p.enabled(ctx, environment.GetId())
	if err != nil {
		return nil, err
	}
	question := question{epoch: environment.GetEpoch(), sequence: sequence, commit: commit}
	if question.maxStaleness, err = p.maxStaleness(ctx, environment.GetId()); err != nil {
		return nil, err
	}
	if commit.Sequence > 0 {
		if question.acks, err = p.store.DenialAcks(ctx, environment.GetId(), commit.Sequence); err != nil {
			return nil, err
		}
	}
	return question.answer(nodes), nil
}

func (p *Proofs) enabled(ctx context.Context, environment string) ([]fleet.Node, error) {
	var enabled []fleet.Node
	after := ""
	for {
		nodes, err := p.nodes.Nodes(ctx, environment, fleet.Selection{After: after, Limit: nodesAtATime})
		if err != nil {
			return nil, err
		}
		for i := range nodes {
			if nodes[i].Enabled {
				enabled = append(enabled, nodes[i])
			}
		}
		if len(nodes) < nodesAtATime {
			return enabled, nil
		}
		after = nodes[len(nodes)-1].ID
	}
}

// maxStaleness is how long a node that hears nothing goes on to let anybody in; 0: for ever.
func (p *Proofs) maxStaleness(ctx context.Context, environment string) (time.Duration, error) {
	found, err := p.settings.Get(ctx, environment, settings, settings)
	if problem.CodeOf(err) == problem.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	is, _ := found.Message.(*configv1.EnvironmentSettings)
	return is.GetMaxStaleness().AsDuration(), nil
}

// question is what is asked of nodes: whether they hold a sequence.
type question struct {
	epoch, sequence uint64
	commit          Commit // zero: it was no denial, and isn't timed
	acks            map[string]time.Time
	maxStaleness    time.Duration
}

func (q *question) answer(nodes []fleet.Node) *adminv1.SequenceStatus {
	status := &adminv1.SequenceStatus{Sequence: q.sequence, NodesTotal: uint32(len(nodes))}
	var slowest *uint64
	timed := true
	for i := range nodes {
		node := q.of(&nodes[i])
		switch node.GetState() {
		case stateDurable:
			status.Durable++
		case statePending:
			status.Pending++
		default:
			status.Unreachable++
		}
		if node.DurableAfterMs != nil {
			if slowest == nil || *slowest < node.GetDurableAfterMs() {
				slowest = node.DurableAfterMs
			}
		} else if !nodes[i].EnrolledAt.After(q.commit.At) {
			timed = false
		}
		status.Nodes = append(status.Nodes, node)
	}
	if timed && slowest != nil && status.GetDurable() == status.GetNodesTotal() {
		status.AllDurableAfterMs = slowest
	}
	return status
}

// States of a node as to a sequence.
const (
	stateDurable     = "durable"
	statePending     = "pending"
	stateUnreachable = "unreachable"
)

func (q *question) of(node *fleet.Node) *adminv1.SequenceNode {
	lane := &node.Directory
	answer := &adminv1.SequenceNode{
		Node: node.ID, Name: node.Name, Connected: lane.Connected, Sequence: lane.Held.Number, State: statePending,
	}
	holds := lane.Held.Epoch == q.epoch && lane.Held.Number >= q.sequence
	if !lane.Connected {
		q.away(node, answer, holds)
	}
	if holds {
		answer.State = stateDurable
		if at, ok := q.acks[node.ID]; ok {
			after := uint64(max(at.Sub(q.commit.At).Milliseconds(), 0))
			answer.DurableAt, answer.DurableAfterMs = timestamppb.New(at), &after
		}
		return answer
	}
	if lane.Refused >= q.sequence {
		for _, e := range lane.Errors {
			answer.Errors = append(answer.Errors, &adminv1.NodeError{
				Collection: e.GetCollection(), Id: e.GetId(), Pointer: e.GetPointer(), Code: e.GetCode(), Message: e.GetMessage(),
			})
		}
	}
	return answer
}

// away says since when a node hasn't been heard of, and when it ends by itself what it lets in without knowing better. One
// that never came holds nothing to let anybody in by.
func (q *question) away(node *fleet.Node, answer *adminv1.SequenceNode, holds bool) {
	answer.State = stateUnreachable
	seen := node.Directory.SeenAt
	if seen.IsZero() {
		answer.UnreachableSince = timestamppb.New(node.EnrolledAt)
		return
	}
	answer.UnreachableSince = timestamppb.New(seen)
	if !holds && q.maxStaleness > 0 {
		answer.StaleAt = timestamppb.New(seen.Add(q.maxStaleness))
	}
}
