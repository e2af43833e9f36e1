package exclusions

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/validate"
)

// lasts is how long an exclusion holds of which nobody says when it ends.
const lasts = 30 * 24 * time.Hour

// Requests finds what nodes answered; *usage.Reports is it.
type Requests interface {
	// Request returns a request with what was found in it; problem.NotFound when it isn't kept.
	Request(ctx context.Context, environment, requestID string) (*adminv1.AnsweredRequest, error)
}

// Heads finds configurations; *catalog.Catalog is it.
type Heads interface {
	Head(ctx context.Context, environment string) (*catalog.Head, error)
}

// Nodes finds nodes and asks them; *fleet.Inquiries is it.
type Nodes interface {
	Find(ctx context.Context, environment, key string) (fleet.Node, error)
	Connected(ctx context.Context, environment string, most int) (nodes []fleet.Node, more bool, _ error)
	Ask(ctx context.Context, node *fleet.Node, question *edgev1.Question) (*edgev1.Answer, error)
}

// Suggester proposes exclusions. It is safe for concurrent use.
type Suggester struct {
	requests Requests
	heads    Heads
	nodes    Nodes
	now      func() time.Time
}

// New returns a suggester that reads these requests and configurations, and has these nodes try what it proposes.
func New(requests Requests, heads Heads, nodes Nodes, now func() time.Time) *Suggester {
	return &Suggester{requests: requests, heads: heads, nodes: nodes, now: now}
}

// Suggest proposes the narrowest exclusions that let a request like this one pass, for its owner, and says what else they would open.
func (s *Suggester) Suggest(ctx context.Context, environment, owner string, wish *adminv1.ExclusionWish) (*adminv1.SuggestedExclusions, error) {
	if err := problem.Invalid(validate.Message(wish)...); err != nil {
		return nil, err
	}
	request, err := s.requests.Request(ctx, environment, wish.GetRequest())
	if err != nil {
		return nil, err
	}
	head, err := s.heads.Head(ctx, environment)
	if err != nil {
		return nil, err
	}
	c, err := caseOf(head, request)
	if err != nil {
		return nil, err
	}
	chosen, err := c.choose(wish)
	if err != nil {
		return nil, err
	}
	answer := &adminv1.SuggestedExclusions{
		Request: request.GetRequestId(), Route: c.route.ID, RouteName: c.route.Name, Policy: c.policy.ID, PolicyName: c.policy.Name,
		Score: c.score, Threshold: c.threshold, Suffices: c.suffices(chosen),
	}
	ends := wish.GetExpiresAt()
	if ends == nil {
		ends = timestamppb.New(s.now().Add(lasts).Truncate(time.Second))
	}
	for _, g := range chosen {
		answer.Proposals = append(answer.Proposals, c.proposal(g, owner, ends))
	}
	answer.Trial = s.try(ctx, environment, request.GetNode(), answer.GetProposals())
	answer.Verdict = verdictOf(answer.GetTrial())
	answer.Sentences = c.sentences(chosen, answer)
	return answer, nil
}

// proposal makes an exclusion of what was found.
func (c *incident) proposal(g group, owner string, ends *timestamppb.Timestamp) *configv1.WafExclusion {
	return &configv1.WafExclusion{
		Name: c.nameOf(g), Team: resource.TeamOf(c.route.Message), Route: c.route.ID,
		Description: fmt.Sprintf("%s Found in the request %s, which was no attack.", sentence(g.message), c.request.GetRequestId()),
		Of:          &configv1.WafExclusion_Rule{Rule: g.rule}, Target: g.target,
		Mode: configv1.WafExclusionMode_WAF_EXCLUSION_MODE_SHADOW.Enum(), ExpiresAt: ends, Owner: owner,
	}
}

// thresholdOf returns the score from which a policy refuses; false: it is none of the WAF's.
func thresholdOf(o *catalog.Object) (uint32, bool) {
	if o.Policy() == nil {
		return 0, false
	}
	config, ok := o.Policy().Config.(*policyv1.Waf)
	return config.GetInboundThreshold(), ok
}
