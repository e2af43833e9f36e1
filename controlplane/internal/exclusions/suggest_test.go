package exclusions_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/catalog/catalogtest"
	"github.com/sallyport/sallyport/controlplane/internal/exclusions"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

const requestID = "req_01k00000000000000000000009"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// world is what a suggester asks.
type world struct {
	t        *testing.T
	head     *catalog.Head
	verdict  string
	findings []*adminv1.RequestFinding
	nodes    []string
	answer   func(node string, q *edgev1.TryExclusionQuestion) (*edgev1.ExclusionTrial, error)
	asked    []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	head := catalogtest.Head(t, catalogtest.Parse(t, `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "orders", "service": "s", "paths": [{"prefix": "/"}], "public": true}],
		"policies": [{"name": "w", "kind": "waf", "config": {}, "attached_to": [{"route": "orders"}]},
			{"name": "guard", "kind": "request-limits", "config": {"max_body_bytes": 5}, "attached_to": [{"route": "orders"}]}]}`))
	return &world{t: t, head: head, verdict: "waf_blocked", nodes: []string{"node_a"}, answer: func(string, *edgev1.TryExclusionQuestion) (*edgev1.ExclusionTrial, error) {
		return &edgev1.ExclusionTrial{Policy: "pol_x", Attacks: 9, AttacksRefused: 9}, nil
	}}
}

func (w *world) Head(context.Context, string) (*catalog.Head, error) { return w.head, nil }

func (w *world) object(collection, name string) *catalog.Object {
	w.t.Helper()
	o, ok := w.head.Object(collection, name)
	if !ok {
		w.t.Fatalf("there is no %s %s", collection, name)
	}
	return o
}

func (w *world) Request(_ context.Context, _, request string) (*adminv1.AnsweredRequest, error) {
	if request != requestID {
		return nil, problem.Errorf(problem.NotFound, "there is no request %q", request)
	}
	return &adminv1.AnsweredRequest{
		RequestId: request, Node: "node_a", Route: w.object("routes", "orders").ID, Verdict: w.verdict, Decision: &adminv1.RequestDecision{Findings: w.findings},
	}, nil
}

func (w *world) Find(_ context.Context, _, key string) (fleet.Node, error) {
	if !slices.Contains(w.nodes, key) {
		return fleet.Node{}, problem.Errorf(problem.NotFound, "there is no node %q", key)
	}
	return fleet.Node{ID: key, Name: "name of " + key}, nil
}

func (w *world) Connected(_ context.Context, _ string, most int) (all []fleet.Node, more bool, _ error) {
	for _, node := range w.nodes[:min(len(w.nodes), most)] {
		all = append(all, fleet.Node{ID: node, Name: "name of " + node})
	}
	return all, len(w.nodes) > most, nil
}

func (w *world) Ask(_ context.Context, node *fleet.Node, q *edgev1.Question) (*edgev1.Answer, error) {
	w.asked = append(w.asked, node.ID)
	m, err := w.answer(node.ID, q.GetTryExclusion())
	if err != nil {
		return nil, err
	}
	return &edgev1.Answer{Answer: &edgev1.Answer_ExclusionTrial{ExclusionTrial: m}}, nil
}

// found adds a finding of the policy w.
func (w *world) found(rule, target string, score uint32) {
	w.findings = append(w.findings, &adminv1.RequestFinding{
		Policy: w.object("policies", "w").ID, Rule: rule, Message: "says " + rule, Target: target, Score: score,
	})
}

func (w *world) suggest(wish *adminv1.ExclusionWish) (*adminv1.SuggestedExclusions, error) {
	if wish.GetRequest() == "" {
		wish.Request = requestID
	}
	return exclusions.New(w, w, w, func() time.Time { return noon }).Suggest(w.t.Context(), "env", "Ann", wish)
}

func (w *world) want(wish *adminv1.ExclusionWish) *adminv1.SuggestedExclusions {
	w.t.Helper()
	got, err := w.suggest(wish)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// proposed is what exclusions are about.
func proposed(all []*configv1.WafExclusion) string {
	var text []string
	for _, m := range all {
		text = append(text, fmt.Sprintf("%d %s", m.GetRule(), m.GetTarget()))
	}
	return strings.Join(text, ", ")
}

func TestTheLeastThatLetsTheRequestPassIsProposed(t *testing.T) {
	for name, tt := range map[string]struct {
		findings [][3]any
		want     string
		suffices bool
	}{
		"one rule":                        {[][3]any{{"942100", "argument:comment", 5}}, "942100 argument:comment", true},
		"one rule is enough":              {[][3]any{{"920420", "header:Content-Type", 2}, {"942100", "argument:comment", 5}}, "942100 argument:comment", true},
		"the heaviest first":              {[][3]any{{"1000", "argument:a", 3}, {"942100", "argument:comment", 4}}, "942100 argument:comment", true},
		"two are needed":                  {[][3]any{{"942100", "argument:a", 5}, {"942110", "argument:a", 5}, {"942120", "argument:a", 2}}, "942100 argument:a, 942110 argument:a", true},
		"one rule in two places":          {[][3]any{{"942100", "argument:a", 5}, {"942100", "cookie:b", 5}}, "942100 argument:a, 942100 cookie:b", true},
		"a rule twice in one place":       {[][3]any{{"942100", "argument:a", 5}, {"942100", "argument:a", 5}}, "942100 argument:a", true},
		"entries of one list":             {[][3]any{{"942100", "argument:json.items.0.note", 5}, {"942100", "argument:json.items.7.note", 5}}, "942100 argument:json.items.*.note", true},
		"a rule that refuses by itself":   {[][3]any{{"10001", "argument:a", 0}}, "10001 argument:a", true},
		"a place that isn't told whole":   {[][3]any{{"942100", "argument:comm…", 5}, {"942110", "argument:b", 5}}, "942110 argument:b", false},
		"a place that can't be left out":  {[][3]any{{"920100", "method", 5}, {"942110", "argument:b", 5}}, "942110 argument:b", false},
		"findings of no rule of the WAFs": {[][3]any{{"max_depth", "/a", 0}, {"942100", "argument:comment", 5}}, "942100 argument:comment", true},
	} {
		w := newWorld(t)
		for _, f := range tt.findings {
			w.found(f[0].(string), f[1].(string), uint32(f[2].(int)))
		}
		got := w.want(&adminv1.ExclusionWish{})
		if p := proposed(got.GetProposals()); p != tt.want || got.GetSuffices() != tt.suffices || got.GetThreshold() != 5 {
			t.Errorf("%s: %q is proposed, which suffices %t below %d", name, p, got.GetSuffices(), got.GetThreshold())
		}
		if still := strings.Contains(strings.Join(got.GetSentences(), " "), "would still be refused"); still == tt.suffices {
			t.Errorf("%s: it says %q", name, got.GetSentences())
		}
	}
}

func TestAProposalCanBePostedAsItIs(t *testing.T) {
	w := newWorld(t)
	w.found("942100", "argument:json.Items.3.note", 5)
	got := w.want(&adminv1.ExclusionWish{}).GetProposals()[0]
	want := &configv1.WafExclusion{
		Name: "942100-json-items---note-000009", Route: w.object("routes", "orders").ID, Description: "Says 942100. Found in the request " + requestID + ", which was no attack.",
		Of: &configv1.WafExclusion_Rule{Rule: 942100}, Target: "argument:json.Items.*.note", Mode: configv1.WafExclusionMode_WAF_EXCLUSION_MODE_SHADOW.Enum(),
		ExpiresAt: got.GetExpiresAt(), Owner: "Ann",
	}
	if !proto.Equal(got, want) || !got.GetExpiresAt().AsTime().Equal(noon.AddDate(0, 0, 30)) {
		t.Errorf("proposed is %v\nwant %v", got, want)
	}
	kind, _ := resource.ByCollection("waf-exclusions")
	if violations := kind.Validate(got); len(violations) > 0 {
		t.Errorf("it can't be posted: %v", violations)
	}
}

func TestARuleCanBeNamed(t *testing.T) {
	w := newWorld(t)
	w.verdict = "allowed"
	w.found("942100", "argument:a", 2)
	w.found("942110", "argument:b", 2)
	rule := uint32(942110)
	if got := proposed(w.want(&adminv1.ExclusionWish{Rule: &rule}).GetProposals()); got != "942110 argument:b" {
		t.Errorf("%q is proposed", got)
	}
	if _, err := w.suggest(&adminv1.ExclusionWish{}); problem.CodeOf(err) != problem.InvalidRequest {
		t.Errorf("of a request that passed: %v", err)
	}
	rule = 942120
	if _, err := w.suggest(&adminv1.ExclusionWish{Rule: &rule}); problem.CodeOf(err) != problem.InvalidRequest {
		t.Errorf("of a rule that found nothing: %v", err)
	}
}

func TestWhatCannotBeExcludedIsRefusedInWords(t *testing.T) {
	for name, prepare := range map[string]func(w *world) *adminv1.ExclusionWish{
		"nothing was found": func(*world) *adminv1.ExclusionWish { return &adminv1.ExclusionWish{} },
		"of another kind": func(w *world) *adminv1.ExclusionWish {
			w.findings = []*adminv1.RequestFinding{{Policy: w.object("policies", "guard").ID, Rule: "1", Target: "body"}}
			return &adminv1.ExclusionWish{}
		},
		"of a policy that is gone": func(w *world) *adminv1.ExclusionWish {
			w.findings = []*adminv1.RequestFinding{{Policy: "pol_01k00000000000000000000001", Rule: "942100", Target: "body", Score: 5}}
			return &adminv1.ExclusionWish{}
		},
		"in the answer": func(w *world) *adminv1.ExclusionWish {
			w.found("951100", "body", 5)
			w.findings[0].InAnswer = true
			return &adminv1.ExclusionWish{}
		},
		"nowhere that can be named": func(w *world) *adminv1.ExclusionWish {
			w.found("942100", "argument:…", 5)
			return &adminv1.ExclusionWish{}
		},
		"no request's id": func(*world) *adminv1.ExclusionWish { return &adminv1.ExclusionWish{Request: "nonsense"} },
	} {
		w := newWorld(t)
		if got, err := w.suggest(prepare(w)); problem.CodeOf(err) != problem.InvalidRequest {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := newWorld(t).suggest(&adminv1.ExclusionWish{Request: "req_01k00000000000000000000008"}); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("a request that isn't kept: %v", err)
	}
}

func TestTheNodeThatAnsweredTriesAllProposalsTogetherElseAnother(t *testing.T) {
	w := newWorld(t)
	w.nodes = []string{"node_b", "node_a"}
	w.found("942100", "argument:a", 5)
	w.found("942110", "argument:a", 5)
	var tried int
	w.answer = func(node string, q *edgev1.TryExclusionQuestion) (*edgev1.ExclusionTrial, error) {
		tried = len(q.GetExclusions())
		if node == "node_a" {
			return nil, problem.Errorf(problem.NodeUnreachable, "it is away")
		}
		return &edgev1.ExclusionTrial{
			Policy: "pol_x", Attacks: 10, AttacksRefused: 8, AttacksOpened: 3, Samples: 6, SamplesRefused: 2, SamplesOpened: 1, SamplesSinceMs: noon.UnixMilli(), CutShort: true,
			Opened: []*edgev1.OpenedAttack{{Test: "942100-1", Title: "t", Payload: "p"}},
		}, nil
	}
	got := w.want(&adminv1.ExclusionWish{})
	if !slices.Equal(w.asked, []string{"node_a", "node_b"}) || tried != 2 || got.GetTrial().GetNode() != "node_b" || got.GetTrial().GetCode() != "" {
		t.Errorf("asked are %v, of %d exclusions: %v", w.asked, tried, got.GetTrial())
	}
	says := strings.Join(got.GetSentences(), "\n")
	for _, want := range []string{
		`rule 942100 \(says 942100\) would no longer look at argument:a on the route "orders"\.`, `Of 8 attacks .* 3 would pass`,
		`Of 6 requests sampled since 2026-11-22T12:00:00Z 2 are refused now, and 1 of those would pass\.`, `more to try than there was time`,
	} {
		if !regexp.MustCompile(want).MatchString(says) {
			t.Errorf("nothing of %q in\n%s", want, says)
		}
	}
	if got.GetVerdict() != "opens_attacks" || len(got.GetTrial().GetOpened()) != 1 {
		t.Errorf("the verdict is %q", got.GetVerdict())
	}
}

func TestTheVerdictFollowsFromTheTrial(t *testing.T) {
	for want, answer := range map[string]func() (*edgev1.ExclusionTrial, error){
		"narrow": func() (*edgev1.ExclusionTrial, error) {
			return &edgev1.ExclusionTrial{Policy: "p", AttacksRefused: 3}, nil
		},
		"opens_attacks": func() (*edgev1.ExclusionTrial, error) {
			return &edgev1.ExclusionTrial{Policy: "p", AttacksRefused: 3, AttacksOpened: 1}, nil
		},
		"untried":          func() (*edgev1.ExclusionTrial, error) { return nil, problem.Errorf(problem.NodeUnreachable, "away") },
		"untried, no WAF":  func() (*edgev1.ExclusionTrial, error) { return &edgev1.ExclusionTrial{}, nil },
		"untried, nothing": func() (*edgev1.ExclusionTrial, error) { return &edgev1.ExclusionTrial{Policy: "p"}, nil },
	} {
		w := newWorld(t)
		w.found("942100", "argument:a", 5)
		w.answer = func(string, *edgev1.TryExclusionQuestion) (*edgev1.ExclusionTrial, error) { return answer() }
		got := w.want(&adminv1.ExclusionWish{})
		if verdict, _, _ := strings.Cut(want, ","); got.GetVerdict() != verdict || len(got.GetProposals()) != 1 {
			t.Errorf("%s: %q, %v", want, got.GetVerdict(), got.GetSentences())
		}
	}
	w := newWorld(t)
	w.nodes = nil
	w.found("942100", "argument:a", 5)
	if got := w.want(&adminv1.ExclusionWish{}); got.GetVerdict() != "untried" || got.GetTrial().GetCode() != "node_unreachable" {
		t.Errorf("without a node: %q, %v", got.GetVerdict(), got.GetTrial())
	}
}
