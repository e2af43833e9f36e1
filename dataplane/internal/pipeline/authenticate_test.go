package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
)

// authenticator is a stage that looks for its credential in a header field of its own name: "good" proves, anything else is refused.
type authenticator struct {
	double
}

func (a *authenticator) Request(ex *Exchange) error {
	a.trace.add("request " + a.name)
	reject := func(code problem.Code) error {
		r := ex.Reject(code, "", "of "+a.name)
		r.Header.Add("WWW-Authenticate", a.name)
		return r
	}
	switch ex.Request.Header.Get(a.name) {
	case "":
		return reject(problem.CredentialMissing)
	case "good":
		ex.Identify(Identity{Consumer: &directory.Consumer{Name: a.name}})
		return nil
	case "panic":
		panic("oh")
	}
	return reject(problem.CredentialInvalid)
}

func (a *authenticator) Conceal(ex *Exchange) { ex.Request.Header.Del(a.name) }

func (w *world) authenticator(name string, mode Mode) Attached {
	a := &authenticator{double{name: name, trace: &w.trace}}
	return Attached{Policy: &Policy{Name: name, Kind: testKind, Phase: policy.Authenticate, Mode: mode, Stage: a}}
}

// parade are stages of which some authenticate: "a" is enforced, "-a" in shadow, "limit" runs behind.
func (w *world) parade(names string) *Stages {
	var list []Attached
	for i, name := range strings.Fields(names) {
		name, shadow := strings.CutPrefix(name, "-")
		mode := Enforce
		if shadow {
			mode = Shadow
		}
		a := w.authenticator(name, mode)
		if name == "limit" {
			a = w.stage(name, mode, nil)
			a.Phase = policy.Limit
		}
		a.ID[0] = byte(i + 1)
		list = append(list, a)
	}
	return w.runner.Stages(list)
}

// ask takes a request with credentials ("a=good") all the way, with a trace.
func (w *world) ask(stages *Stages, credentials string) *Exchange {
	w.trace = nil
	ex := w.pool.Get()
	for _, c := range strings.Fields(credentials) {
		name, value, _ := strings.Cut(c, "=")
		ex.Request.Header.Add(name, value)
	}
	ex.Trace = NewTrace()
	if stages.Run(ex) != nil {
		ex.Answer()
	}
	return ex
}

func (ex *Exchange) told() string {
	var said []string
	for _, s := range ex.Trace.Steps() {
		said = append(said, s.Policy.Name+" "+s.Verdict.String())
	}
	return strings.Join(said, ", ")
}

func (ex *Exchange) challenges401() string {
	var all []string
	for _, f := range ex.Response.Header.Fields() {
		if f.Name == "WWW-Authenticate" {
			all = append(all, f.Value)
		}
	}
	return strings.Join(all, "+")
}

func TestOfSeveralThatAuthenticateTheFirstThatFindsItsCredentialDecides(t *testing.T) {
	for _, test := range []struct {
		stages, shown       string
		verdict, who, asked string // asked: whose Request ran
		told, challenges    string
		forwarded           string // fields that go on to the service
		shadow              problem.Code
	}{
		{stages: "a", shown: "", verdict: "credential_missing", asked: "a", told: "a refused", challenges: "a"},
		{stages: "a", shown: "a=good b=bad", verdict: "allowed", who: "a", asked: "a", told: "a passed", forwarded: "a b"},

		{stages: "a b c limit", shown: "a=good", verdict: "allowed", who: "a", asked: "a limit", told: "a passed, b passed_over, c passed_over, limit passed", forwarded: "a"},
		{stages: "a b c limit", shown: "b=good", verdict: "allowed", who: "b", asked: "a b limit", told: "a passed_over, b passed, c passed_over, limit passed", forwarded: "b"},
		{stages: "a b c limit", shown: "c=good", verdict: "allowed", who: "c", asked: "a b c limit", told: "a passed_over, b passed_over, c passed, limit passed", forwarded: "c"},
		{stages: "a b c limit", shown: "", verdict: "credential_missing", asked: "a b c", told: "a passed_over, b passed_over, c refused", challenges: "c+a+b"},

		// A second credential that nobody checks never reaches the service, good or not.
		{stages: "a b limit", shown: "a=good b=good", verdict: "allowed", who: "a", asked: "a limit", told: "a passed, b passed_over, limit passed", forwarded: "a"},
		{stages: "a b limit", shown: "a=good b=spoofed", verdict: "allowed", who: "a", asked: "a limit", told: "a passed, b passed_over, limit passed", forwarded: "a"},
		// Refusal is a decision too: a good second credential doesn't make up for it.
		{stages: "a b limit", shown: "a=bad b=good", verdict: "credential_invalid", asked: "a", told: "a refused", challenges: "a"},
		{stages: "a b limit", shown: "b=bad", verdict: "credential_invalid", asked: "a b", told: "a passed_over, b refused", challenges: "b+a"},
		{stages: "a b limit", shown: "a=panic b=good", verdict: "policy_failed", asked: "a", told: "a refused"},

		// Shadows refuse nobody, hide nothing, and are asked as they would be if all were enforced.
		{stages: "-a b limit", shown: "b=good", verdict: "allowed", who: "b", asked: "a b limit", told: "a passed_over, b passed, limit passed", forwarded: "b"},
		{stages: "-a b limit", shown: "a=good", verdict: "credential_missing", asked: "a b", told: "a passed, b refused", challenges: "b"},
		{stages: "-a b limit", shown: "a=bad b=good", verdict: "allowed", who: "b", asked: "a b limit", told: "a shadow_refused, b passed, limit passed", forwarded: "a b", shadow: problem.CredentialInvalid},
		{stages: "-a b limit", shown: "a=panic b=good", verdict: "allowed", who: "b", asked: "a b limit", told: "a shadow_refused, b passed, limit passed", forwarded: "a b", shadow: problem.PolicyFailed},
		{stages: "a -b limit", shown: "a=good b=bad", verdict: "allowed", who: "a", asked: "a limit", told: "a passed, b passed_over, limit passed", forwarded: "a b"},
		{stages: "-a -b limit", shown: "", verdict: "allowed", asked: "a b limit", told: "a passed_over, b shadow_refused, limit passed", shadow: problem.CredentialMissing},
		{stages: "-a -b limit", shown: "a=good b=bad", verdict: "allowed", asked: "a limit", told: "a passed, b passed_over, limit passed", forwarded: "a b"},
		{stages: "a -b c limit", shown: "c=good", verdict: "allowed", who: "c", asked: "a b c limit", told: "a passed_over, b passed_over, c passed, limit passed", forwarded: "c"},
		{stages: "a -b c limit", shown: "b=good c=good", verdict: "allowed", who: "c", asked: "a b c limit", told: "a passed_over, b passed, c passed, limit passed", forwarded: "b c"},
	} {
		t.Run(test.stages+" "+test.shown, func(t *testing.T) {
			w := newWorld()
			stages := w.parade(test.stages)
			ex := w.ask(stages, test.shown)
			var forwarded []string
			for _, f := range ex.Request.Header.Fields() {
				forwarded = append(forwarded, f.Name)
			}
			who := ""
			if ex.Identity.Known() {
				who = ex.Identity.Consumer.Name
			}
			got := fmt.Sprintf("%s by %q, asked %s; %s; challenges %s, shadow %s", ex.Verdict, who, strings.ReplaceAll(strings.Join(w.trace, " "), "request ", ""),
				ex.told(), ex.challenges401(), ex.ShadowVerdict)
			want := fmt.Sprintf("%s by %q, asked %s; %s; challenges %s, shadow %s", test.verdict, test.who, test.asked, test.told, test.challenges, test.shadow)
			if got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
			if test.verdict == "allowed" && !slices.Equal(forwarded, strings.Fields(test.forwarded)) {
				t.Errorf("%v go on to the service, not %s", forwarded, test.forwarded)
			}
			again := NewTrace()
			stages.Retrace(ex, again)
			afterwards := (&Exchange{Trace: again}).told()
			if !strings.Contains(test.shown, "panic") && afterwards != test.told {
				t.Errorf("afterwards it is %s", afterwards)
			}
		})
	}
}

func TestAStageThatWasntAskedHearsOfNoEnd(t *testing.T) {
	w := newWorld()
	stages := w.parade("a b -c limit")
	ex := w.ask(stages, "a=good b=good")
	w.trace = nil
	_ = stages.Respond(ex)
	stages.Finish(ex)
	expect(t, w.trace, "respond limit", "respond a", "finish limit", "finish a")
}

func TestPassedOverIsCountedApart(t *testing.T) {
	w := newWorld()
	stages := w.parade("a b c")
	w.ask(stages, "c=good")
	w.ask(stages, "a=good")
	w.ask(stages, "")
	want := map[string]uint64{"enforce passed_over": 4, "enforce passed": 2, "enforce credential_missing": 1}
	if got := w.counts(); !maps.Equal(got, want) {
		t.Fatal(got)
	}
}

func TestARefusalThatSeveralRequestsShareStaysAsItWas(t *testing.T) {
	w := newWorld()
	shared := &Rejection{Code: problem.CredentialMissing}
	shared.Header.Add("WWW-Authenticate", "shared")
	one := w.stage("one", Enforce, func(d *double) { d.request = func(*Exchange) error { return shared } })
	one.Phase = policy.Authenticate
	ex := w.ask(w.runner.Stages([]Attached{w.authenticator("a", Enforce), one}), "")
	if ex.challenges401() != "shared+a" || shared.Header.Len() != 1 {
		t.Fatalf("%s; shared has %d", ex.challenges401(), shared.Header.Len())
	}
}

func TestAnExchangeIsAskedAnewWhenItIsLentAgain(t *testing.T) {
	w := newWorld()
	stages := w.parade("a b")
	ex := w.ask(stages, "b=good")
	if !ex.Unclaimed() {
		t.Fatal("nobody looked in vain")
	}
	w.pool.Put(ex)
	if again := w.ask(stages, ""); again.challenges401() != "b+a" || again.Verdict != problem.CredentialMissing {
		t.Fatalf("%s %s", again.Verdict, again.challenges401())
	}
}

func TestSeveralThatAuthenticateAllocateNothing(t *testing.T) {
	w := newWorld()
	finds := idleFinder{}
	list := []Attached{
		{Policy: &Policy{Name: "one", Kind: testKind, Phase: policy.Authenticate, Mode: Enforce, Stage: idleSeeker{}}},
		{Policy: &Policy{Name: "two", Kind: testKind, Phase: policy.Authenticate, Mode: Enforce, Stage: finds}},
		{Policy: &Policy{Name: "three", Kind: testKind, Phase: policy.Authenticate, Mode: Enforce, Stage: idleSeeker{}}},
	}
	stages, ex := w.runner.Stages(list), w.pool.Get()
	if n := testing.AllocsPerRun(100, func() {
		ex.Reset()
		_ = stages.Run(ex)
		stages.Finish(ex)
	}); n != 0 || ex.Verdict == problem.CredentialMissing {
		t.Fatalf("%v allocations, %s", n, ex.Verdict)
	}
}

// idleSeeker finds nothing, and idleFinder something.
type (
	idleSeeker struct{}
	idleFinder struct{ idle }
)

func (idleSeeker) Request(ex *Exchange) error {
	r := ex.Reject(problem.CredentialMissing, "", "nothing")
	r.Header.Add("WWW-Authenticate", "Seek")
	return r
}

func BenchmarkThreeThatAuthenticate(b *testing.B) {
	w := newWorld()
	list := idles(4)
	for i, stage := range []Stage{idleSeeker{}, idleFinder{}, idleSeeker{}} {
		list[i].Phase, list[i].Stage = policy.Authenticate, stage
	}
	stages, ex := w.runner.Stages(list), w.pool.Get()
	b.ReportAllocs()
	for b.Loop() {
		ex.Reset()
		_ = stages.Run(ex)
		stages.Finish(ex)
	}
}
