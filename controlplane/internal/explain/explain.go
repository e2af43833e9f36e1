package explain

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// maxNodes bounds how many nodes explain one request.
	maxNodes = 64
	// atOnce bounds how many of them are asked at the same time.
	atOnce = 16
	// allWithin bounds asking all of them.
	allWithin = 25 * time.Second
)

// Nodes finds nodes and asks them; *fleet.Inquiries is it.
type Nodes interface {
	Find(ctx context.Context, environment, key string) (fleet.Node, error)
	Connected(ctx context.Context, environment string, most int) (nodes []fleet.Node, more bool, _ error)
	Ask(ctx context.Context, node *fleet.Node, question *edgev1.Question) (*edgev1.Answer, error)
}

// Rows reads the directory's rows; problem.NotFound when there is none.
type Rows interface {
	Row(ctx context.Context, environment, collection, key string) (directory.Row, error)
}

// Explainer explains requests. It is safe for concurrent use.
type Explainer struct {
	nodes Nodes
	rows  Rows
}

// New returns an explainer that asks these nodes, and finds keys and consumers in these rows.
func New(nodes Nodes, rows Rows) *Explainer { return &Explainer{nodes: nodes, rows: rows} }

// Explain asks one node, by id or name; "" is any that is connected.
func (e *Explainer) Explain(ctx context.Context, environment, node string, request *adminv1.HypotheticalRequest) (*adminv1.Explanations, error) {
	question, err := e.question(ctx, environment, request)
	if err != nil {
		return nil, err
	}
	asked, err := e.choose(ctx, environment, node)
	if err != nil {
		return nil, err
	}
	explanation, err := e.ask(ctx, &asked, question)
	if err != nil {
		return nil, err
	}
	return &adminv1.Explanations{Nodes: []*adminv1.Explanation{explanation}}, nil
}

func (e *Explainer) choose(ctx context.Context, environment, node string) (fleet.Node, error) {
	if node != "" {
		return e.nodes.Find(ctx, environment, node)
	}
	connected, _, err := e.nodes.Connected(ctx, environment, 1)
	if err == nil && len(connected) == 0 {
		err = problem.Errorf(problem.NodeUnreachable, "no node of the environment is connected: there is nobody to ask")
	}
	if err != nil {
		return fleet.Node{}, err
	}
	return connected[0], nil
}

// ExplainAll asks every connected node, and says what they don't agree on. One that doesn't answer is told of in its place.
func (e *Explainer) ExplainAll(ctx context.Context, environment string, request *adminv1.HypotheticalRequest) (*adminv1.Explanations, error) {
	question, err := e.question(ctx, environment, request)
	if err != nil {
		return nil, err
	}
	nodes, more, err := e.nodes.Connected(ctx, environment, maxNodes)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, allWithin)
	defer cancel()
	all, slots := make([]*adminv1.Explanation, len(nodes)), make(chan struct{}, atOnce)
	var asking sync.WaitGroup
	for i := range nodes {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			all[i] = e.askOrWhyNot(ctx, &nodes[i], question)
		})
	}
	asking.Wait()
	return &adminv1.Explanations{Nodes: all, Differences: differences(all), More: more}, nil
}

func (e *Explainer) askOrWhyNot(ctx context.Context, node *fleet.Node, question *edgev1.Question) *adminv1.Explanation {
	explanation, err := e.ask(ctx, node, question)
	if err == nil {
		return explanation
	}
	shown := problem.From(err)
	return &adminv1.Explanation{Node: node.ID, Name: node.Name, Code: string(shown.Code), Detail: shown.Detail}
}

func (e *Explainer) ask(ctx context.Context, node *fleet.Node, question *edgev1.Question) (*adminv1.Explanation, error) {
	answer, err := e.nodes.Ask(ctx, node, question)
	if err != nil {
		return nil, err
	}
	if answer.GetExplanation() == nil {
		return nil, problem.Errorf(problem.NodeUnreachable, "the node %s answered something else than it was asked", node.ID)
	}
	return explanationOf(node, answer.GetExplanation()), nil
}
