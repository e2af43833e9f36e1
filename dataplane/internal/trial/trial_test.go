package trial_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	stage "github.com/sallyport/sallyport/dataplane/internal/policies/waf"
	"github.com/sallyport/sallyport/dataplane/internal/samples"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/trial"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// patience is what trials are given in tests: they are held to counts, and not to how fast the machine is.
const patience = 5 * time.Minute

const (
	// firstOwn is the number of the first rule of one's own behind the Core Rule Set, and nextOwn that of the next.
	firstOwn, nextOwn = 5_100_000, 5_100_016
	// fewAttacks is a rule that the tests have few attacks for.
	fewAttacks = 942500
)

const configuration = `{
	"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
	"routes": [{"name": "r", "service": "s", "paths": [{"template": "/posts/{id}/comments"}], "public": true},
		{"name": "bare", "service": "s", "paths": [{"prefix": "/bare"}], "public": true}],
	"policies": [{"name": "w", "kind": "waf", "config": {"samples": {"one_in": 1}, "rules_after": [
		{"message": "one", "action": "score", "conditions": [{"target": "argument:comment", "equals": "twice"}]},
		{"message": "other", "action": "score", "conditions": [{"target": "argument:comment", "equals": "twice"}]}]}, "attached_to": [{"route": "r"}]}]%s}`

// node is what a tester works on.
type node struct {
	edge   *edgetest.Edge
	holder snapshot.Holder
	ring   *samples.Ring
	tester *trial.Tester
}

func newNode(t *testing.T, more string, within time.Duration) *node {
	t.Helper()
	n := &node{edge: edgetest.New(t, stage.Binding)}
	n.edge.Configure(t, fmt.Sprintf(configuration, more))
	var err error
	if n.ring, err = samples.New(samples.Most, time.Now); err != nil {
		t.Fatal(err)
	}
	env := snapshot.NewEnv(snapshot.Config{
		Directory: n.edge.Directory, Kinds: []pipeline.Binding{stage.Binding}, Metrics: n.edge.Metrics, Logger: slog.New(slog.DiscardHandler), Samples: n.ring,
	})
	compiled, errs := snapshot.Compile(env, 7, n.edge.Sources(), nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	n.holder.Store(compiled)
	n.tester = trial.New(trial.Config{Snapshots: &n.holder, Samples: n.ring, Clock: time.Now, Within: within})
	return n
}

func (n *node) exclusion(route string, rule uint32, target string) *configv1.WafExclusion {
	return &configv1.WafExclusion{
		Route: n.edge.ID("routes", route), Of: &configv1.WafExclusion_Rule{Rule: rule}, Target: target, ExpiresAt: timestamppb.New(time.Now().Add(-time.Hour)),
	}
}

func question(t *testing.T, all ...*configv1.WafExclusion) *edgev1.TryExclusionQuestion {
	t.Helper()
	q := new(edgev1.TryExclusionQuestion)
	for _, m := range all {
		text, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		q.Exclusions = append(q.Exclusions, text)
	}
	return q
}

func (n *node) try(t *testing.T, all ...*configv1.WafExclusion) *edgev1.ExclusionTrial {
	t.Helper()
	got, err := n.tester.Try(t.Context(), question(t, all...))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// sample keeps a request with an argument, as the stage does.
func (n *node) sample(argument string, refused bool) {
	route := mustParse(id.Route, n.edge.ID("routes", "r"))
	policy := mustParse(id.Policy, n.edge.ID("policies", "w"))
	n.ring.Keeper(policy, 1, time.Hour).Keep(route, &samples.Sample{
		Method: "GET", Path: "/posts/1/comments", Query: "comment=" + argument, Proto: "HTTP/1.1", Host: "localhost", Refused: refused,
		Header: []samples.Field{{Name: "Host", Value: "localhost"}, {Name: "User-Agent", Value: "Mozilla/5.0"}, {Name: "Accept", Value: "*/*"}},
	})
}

func TestATrialTellsWhichAttacksAndSamplesWouldPass(t *testing.T) {
	t.Parallel()
	n := newNode(t, "", patience)
	n.sample("hello", false)
	n.sample("1+OR+1%3D1", true) // found by libinjection alone
	n.sample("%3Cscript%3Ealert(1)%3C/script%3E", true)
	got := n.try(t, n.exclusion("r", 942100, "argument:comment"))
	if got.GetRevision() != 7 || got.GetPolicy() != n.edge.ID("policies", "w") || got.GetCutShort() {
		t.Errorf("tried by %d, %s, cut short %t", got.GetRevision(), got.GetPolicy(), got.GetCutShort())
	}
	if got.GetSamples() != 3 || got.GetSamplesRefused() != 2 || got.GetSamplesOpened() != 1 || got.GetSamplesSinceMs() == 0 {
		t.Errorf("of samples it tells %d, %d refused, %d opened", got.GetSamples(), got.GetSamplesRefused(), got.GetSamplesOpened())
	}
	if got.GetAttacks() < 10 || got.GetAttacksRefused() == 0 || got.GetAttacksOpened() == 0 || got.GetAttacksOpened() > got.GetAttacksRefused() {
		t.Errorf("of attacks it tells %d, %d refused, %d opened", got.GetAttacks(), got.GetAttacksRefused(), got.GetAttacksOpened())
	}
	if len(got.GetOpened()) == 0 || !strings.HasPrefix(got.GetOpened()[0].GetTest(), "942100-") || got.GetOpened()[0].GetPayload() == "" {
		t.Errorf("opened are %v", got.GetOpened())
	}
}

// Two rules of one's own, of which there are no attacks, find one text: without one of them nothing passes, without both it does.
func TestExclusionsAreTriedTogether(t *testing.T) {
	t.Parallel()
	n := newNode(t, "", patience)
	n.sample("twice", true)
	one, other := n.exclusion("r", firstOwn, "argument:comment"), n.exclusion("r", nextOwn, "argument:comment")
	elsewhere := n.exclusion("r", nextOwn, "argument:other")
	for name, tt := range map[string]struct {
		all    []*configv1.WafExclusion
		opened uint32
	}{
		"one": {[]*configv1.WafExclusion{one}, 0}, "the other": {[]*configv1.WafExclusion{other}, 0},
		"both": {[]*configv1.WafExclusion{one, other}, 1}, "one, and the other elsewhere": {[]*configv1.WafExclusion{one, elsewhere}, 0},
	} {
		if got := n.try(t, tt.all...); got.GetSamplesRefused() != 1 || got.GetSamplesOpened() != tt.opened || got.GetAttacks() != 0 {
			t.Errorf("without %s: %d refused, %d opened", name, got.GetSamplesRefused(), got.GetSamplesOpened())
		}
	}
}

func TestWhatIsExcludedAlreadyIsNotRefusedNow(t *testing.T) {
	t.Parallel()
	n := newNode(t, `, "waf-exclusions": [{"name": "x", "route": "r", "rule": 942100, "target": "argument:comment", "mode": "enforce", "owner": "ann", "expires_at": "`+
		time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}]`, patience)
	n.sample("1+OR+1%3D1", false)
	if got := n.try(t, n.exclusion("r", 942100, "argument:comment")); got.GetSamplesRefused() != 0 || got.GetAttacksOpened() != 0 {
		t.Errorf("%d samples are refused, %d attacks opened", got.GetSamplesRefused(), got.GetAttacksOpened())
	}
}

func TestAttacksAreTriedWhereverTheTargetIs(t *testing.T) {
	t.Parallel()
	n := newNode(t, "", patience)
	for _, target := range []string{
		"argument:json.comment.0.text", "argument:*", "cookie:q", "header:X-Query", "argument-name:*", "cookie-name:*", "header-name:*", "body", "path", "query",
	} {
		got := n.try(t, n.exclusion("r", fewAttacks, target))
		if got.GetAttacks() == 0 {
			t.Errorf("%s: no attack is tried", target)
		}
		if strings.HasPrefix(target, "argument:") && got.GetAttacksRefused() == 0 {
			t.Errorf("%s: of %d attacks none is refused", target, got.GetAttacks())
		}
	}
}

func TestATrialIsBoundInTimeAndSaysSo(t *testing.T) {
	t.Parallel()
	n := newNode(t, "", time.Nanosecond)
	n.sample("hello", false)
	if got := n.try(t, n.exclusion("r", 942100, "argument:comment")); !got.GetCutShort() || got.GetSamples() != 0 {
		t.Errorf("cut short %t, %d samples", got.GetCutShort(), got.GetSamples())
	}
}

func TestAQuestionThatIsNoneIsRefusedInWords(t *testing.T) {
	t.Parallel()
	n := newNode(t, "", patience)
	for name, q := range map[string]*edgev1.TryExclusionQuestion{
		"nothing":        {},
		"no exclusion":   {Exclusions: [][]byte{{0xff}}},
		"no route":       question(t, &configv1.WafExclusion{Route: "x", Target: "body", Of: &configv1.WafExclusion_Rule{Rule: 1}}),
		"another route":  question(t, &configv1.WafExclusion{Route: id.Text(id.Route, id.ID{1}), Target: "body", Of: &configv1.WafExclusion_Rule{Rule: 1}}),
		"no target":      question(t, n.exclusion("r", 942100, "nonsense")),
		"no rule":        question(t, n.exclusion("r", 0, "body")),
		"two routes":     question(t, n.exclusion("r", 942100, "body"), n.exclusion("bare", 942100, "body")),
		"far too many":   {Exclusions: make([][]byte, 17)},
		"a tag of none":  question(t, &configv1.WafExclusion{Route: n.edge.ID("routes", "r"), Target: "body", Of: &configv1.WafExclusion_Tag{Tag: "none"}}),
		"neither, at it": question(t, &configv1.WafExclusion{Route: n.edge.ID("routes", "r"), Target: "body"}),
	} {
		if got, err := n.tester.Try(t.Context(), q); !errors.Is(err, trial.ErrQuestion) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got := n.try(t, n.exclusion("bare", 942100, "body")); got.GetPolicy() != "" || got.GetAttacks() != 0 {
		t.Errorf("on a route without a WAF it tells %v", got)
	}
}

func mustParse(prefix, text string) id.ID {
	parsed, err := id.Parse(prefix, text)
	if err != nil {
		panic(err)
	}
	return parsed
}
