package exclusions

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// try has a node try exclusions together: the one that answered the request, which may have sampled it, else one that is connected. Without an answer it
// says why.
func (s *Suggester) try(ctx context.Context, environment, answered string, all []*configv1.WafExclusion) *adminv1.ExclusionsTried {
	question, err := questionOf(all)
	if err != nil {
		return untried(&fleet.Node{}, err)
	}
	tried := &adminv1.ExclusionsTried{}
	if node, err := s.nodes.Find(ctx, environment, answered); err == nil {
		if tried = s.ask(ctx, &node, question); tried.GetCode() == "" {
			return tried
		}
	}
	connected, _, err := s.nodes.Connected(ctx, environment, 2)
	for i := range connected {
		if connected[i].ID != answered {
			return s.ask(ctx, &connected[i], question)
		}
	}
	switch {
	case tried.GetCode() != "":
		return tried
	case err == nil:
		err = problem.Errorf(problem.NodeUnreachable, "no node of the environment is connected: there is nobody to try it")
	}
	return untried(&fleet.Node{}, err)
}

func questionOf(all []*configv1.WafExclusion) (*edgev1.Question, error) {
	asked := new(edgev1.TryExclusionQuestion)
	for _, m := range all {
		text, err := proto.Marshal(m)
		if err != nil {
			return nil, err
		}
		asked.Exclusions = append(asked.Exclusions, text)
	}
	return &edgev1.Question{Question: &edgev1.Question_TryExclusion{TryExclusion: asked}}, nil
}

func untried(node *fleet.Node, err error) *adminv1.ExclusionsTried {
	shown := problem.From(err)
	return &adminv1.ExclusionsTried{Node: node.ID, NodeName: node.Name, Code: string(shown.Code), Detail: shown.Detail}
}

func (s *Suggester) ask(ctx context.Context, node *fleet.Node, question *edgev1.Question) *adminv1.ExclusionsTried {
	answer, err := s.nodes.Ask(ctx, node, question)
	if err != nil {
		return untried(node, err)
	}
	m := answer.GetExclusionTrial()
	if m == nil {
		return untried(node, problem.Errorf(problem.NodeUnreachable, "the node %s answered something else than it was asked", node.ID))
	}
	tried := &adminv1.ExclusionsTried{
		Node: node.ID, NodeName: node.Name, Revision: m.GetRevision(), CutShort: m.GetCutShort(),
		Samples: m.GetSamples(), SamplesRefused: m.GetSamplesRefused(), SamplesOpened: m.GetSamplesOpened(),
		Attacks: m.GetAttacks(), AttacksRefused: m.GetAttacksRefused(), AttacksOpened: m.GetAttacksOpened(),
	}
	if at := m.GetSamplesSinceMs(); at > 0 {
		tried.SamplesSince = timestamppb.New(time.UnixMilli(at))
	}
	for _, a := range m.GetOpened() {
		tried.Opened = append(tried.Opened, &adminv1.AttackOpened{Test: a.GetTest(), Title: a.GetTitle(), Payload: a.GetPayload()})
	}
	if m.GetPolicy() == "" {
		tried.Code, tried.Detail = string(problem.Conflict), "On this node no policy of the WAF holds on the route now: there was nothing to try."
	}
	return tried
}
