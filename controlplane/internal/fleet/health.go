package fleet

import (
	"context"
	"encoding/hex"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// healthsAtOnce bounds how many nodes of a list are asked at the same time.
	healthsAtOnce = 64
	// healthsWithin bounds a whole list.
	healthsWithin = 25 * time.Second
)

// Health returns how a node is, by its own answer; problem.NodeUnreachable when there is none.
func (q *Inquiries) Health(ctx context.Context, environment, id string) (*adminv1.NodeHealth, error) {
	node, err := q.nodes.store.Node(ctx, environment, id)
	if err != nil {
		return nil, err
	}
	return q.health(ctx, &node)
}

func (q *Inquiries) health(ctx context.Context, node *Node) (*adminv1.NodeHealth, error) {
	answer, err := q.Ask(ctx, node, &edgev1.Question{Question: &edgev1.Question_Health{Health: &edgev1.HealthQuestion{}}})
	if err != nil {
		return nil, err
	}
	if answer.GetHealth() == nil {
		return nil, unreachable(node, "it answered something else than it was asked")
	}
	return healthOf(node, answer.GetHealth()), nil
}

// Healths asks a page of nodes. One that doesn't answer is told of in its place.
func (q *Inquiries) Healths(ctx context.Context, environment string, query listing.Query) (listing.Page[*adminv1.NodeHealth], error) {
	plan, selection, err := q.nodes.selection(ctx, environment, query)
	if err != nil {
		return listing.Page[*adminv1.NodeHealth]{}, err
	}
	nodes, err := q.nodes.store.Nodes(ctx, environment, selection)
	if err != nil {
		return listing.Page[*adminv1.NodeHealth]{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, healthsWithin)
	defer cancel()
	items, slots := make([]*adminv1.NodeHealth, len(nodes)), make(chan struct{}, healthsAtOnce)
	var asking sync.WaitGroup
	for i := range nodes[:min(len(nodes), plan.Limit)] {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			items[i] = q.healthOrWhyNot(ctx, &nodes[i])
		})
	}
	asking.Wait()
	if len(nodes) > plan.Limit { // the one that only says that there are more
		items[plan.Limit] = &adminv1.NodeHealth{Node: nodes[plan.Limit].ID}
	}
	return listing.PageOf(plan, items, (*adminv1.NodeHealth).GetNode), nil
}

func (q *Inquiries) healthOrWhyNot(ctx context.Context, node *Node) *adminv1.NodeHealth {
	health, err := q.health(ctx, node)
	if err == nil {
		return health
	}
	shown := problem.From(err)
	return &adminv1.NodeHealth{Node: node.ID, Name: node.Name, Code: string(shown.Code), Detail: shown.Detail, SeenAt: stamp(node.seenAt())}
}

// maxShownTroubles bounds what is shown of a node's errors.
const maxShownTroubles = 16

func healthOf(node *Node, h *edgev1.Health) *adminv1.NodeHealth {
	health := &adminv1.NodeHealth{
		Node: node.ID, Name: node.Name, Answered: true, AnsweredAt: timestamppb.Now(), SeenAt: timestamppb.Now(),
		Boot: clean(h.GetBoot(), maxBoot), Build: clean(h.GetBuild(), 128), Capability: h.GetCapability(), StartedAt: valid(h.GetStartedAt()),
		Ready: h.GetReady(), Draining: h.GetDraining(),
		Configuration: laneOf(h.GetConfiguration()), Directory: laneOf(h.GetDirectory()),
		Requests: h.GetRequests(), Connections: h.GetConnections(), MemoryBytes: h.GetMemoryBytes(), Goroutines: h.GetGoroutines(),
		BusConnected: h.GetBusConnected(), UsageWaiting: h.GetUsageWaiting(), CertificateExpiresAt: valid(h.GetCertificateExpiresAt()),
		BlockedRevision: h.GetBlockedRevision(), Fleet: h.GetFleet(),
	}
	for _, t := range h.GetTroubles()[:min(len(h.GetTroubles()), maxShownTroubles)] {
		health.Troubles = append(health.Troubles, &adminv1.NodeTrouble{Time: valid(t.GetTime()), Message: clean(t.GetMessage(), 1024)})
	}
	return health
}

func laneOf(l *edgev1.LaneHealth) *adminv1.NodeLane {
	if l == nil {
		return nil
	}
	return &adminv1.NodeLane{
		Epoch: l.GetEpoch(), Number: l.GetNumber(), Digest: hex.EncodeToString(l.GetDigest()[:min(len(l.GetDigest()), 64)]),
		Connected: l.GetConnected(), ConfirmedAt: valid(l.GetConfirmedAt()), Durable: l.GetDurable(),
	}
}

// valid returns a time that a node says, if it is one that can be shown.
func valid(t *timestamppb.Timestamp) *timestamppb.Timestamp {
	if t.CheckValid() != nil {
		return nil
	}
	return t
}

// seenAt returns when the node was last heard of on either lane.
func (n *Node) seenAt() time.Time {
	if n.Directory.SeenAt.After(n.Configuration.SeenAt) {
		return n.Directory.SeenAt
	}
	return n.Configuration.SeenAt
}
