package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
)

var (
	alice = &directory.Consumer{ID: id.ID{1}, Name: "alice"}
	bob   = &directory.Consumer{ID: id.ID{2}, Name: "bob"}
)

// at returns a policy of a phase at a level.
func (w *world) at(name string, phase policy.Phase, level policy.Level, change func(*double)) Attached {
	a := w.stage(name, Enforce, change)
	a.Phase, a.Level = phase, level
	return a
}

// identifies is an Authenticate stage's Request that finds a consumer.
func identifies(c *directory.Consumer) func(*double) {
	return func(d *double) {
		d.request = func(ex *Exchange) error {
			ex.Identify(Identity{Consumer: c})
			return nil
		}
	}
}

func (w *world) layered(all ...Attached) *Stages { return w.runner.Layered(all, Effective(all)) }

// overlaying returns overlays under which these policies are alice's.
func overlaying(policies ...Attached) *Overlays {
	var list []*Policy
	for _, a := range policies {
		list = append(list, a.Policy)
	}
	return NewOverlays(map[id.ID]*Overlay{alice.ID: NewOverlay(list)})
}

// with takes one exchange all the way, under overlays.
func (w *world) with(stages *Stages, overlays *Overlays) *Exchange {
	ex := w.pool.Get()
	ex.Overlays = overlays
	_ = stages.Run(ex)
	if ex.Rejection != nil {
		ex.Answer()
	}
	_ = stages.Respond(ex)
	ex.Stages = stages
	ex.LetGo()
	if ex.Stages != nil {
		ex.Stages.Finish(ex)
		ex.Stages.Finish(ex) // must change nothing
	}
	return ex
}

func TestAnOverlayRunsForItsConsumerAlone(t *testing.T) {
	w := newWorld()
	overlays := overlaying(w.at("overlay", policy.Limit, policy.Consumer, nil))
	for _, test := range []struct {
		who  *directory.Consumer
		want string
	}{{alice, "guard auth acl overlay last"}, {bob, "guard auth acl last"}, {nil, "guard auth acl last"}} {
		w.trace = nil
		stages := w.layered(
			w.at("guard", policy.Guard, policy.Environment, nil), w.at("auth", policy.Authenticate, policy.Environment, identifies(test.who)),
			w.at("acl", policy.Authorize, policy.Route, nil), w.at("last", policy.Transform, policy.Environment, nil),
		)
		w.with(stages, overlays)
		names := strings.Fields(test.want)
		var want []string
		for _, n := range names {
			want = append(want, "request "+n)
		}
		slices.Reverse(names)
		for _, verb := range []string{"respond ", "finish "} {
			for _, n := range names {
				want = append(want, verb+n)
			}
		}
		expect(t, w.trace, want...)
	}
}

func TestAnOverlayThatRefusesIsTheAnswer(t *testing.T) {
	w := newWorld()
	overlay := w.at("overlay", policy.Limit, policy.Consumer, func(d *double) { d.request = rejecting(problem.RateLimited) })
	stages := w.layered(w.at("auth", policy.Authenticate, policy.Route, identifies(alice)), w.at("last", policy.Transform, policy.Route, nil))
	ex := w.with(stages, overlaying(overlay))
	if ex.Verdict != problem.RateLimited || ex.Rejection.Policy != "overlay" {
		t.Fatalf("%s by %+v", ex.Verdict, ex.Rejection)
	}
	expect(t, w.trace, "request auth", "request overlay", "respond overlay", "respond auth", "finish overlay", "finish auth")
}

func TestNoOverlayRunsForWhoIsRefusedOrOnlyFoundInShadow(t *testing.T) {
	w := newWorld()
	overlay := w.at("overlay", policy.Limit, policy.Consumer, nil)
	overlay.Stage = earlyDouble{overlay.Stage.(*double)}
	overlays := overlaying(overlay)
	shadow := w.stage("auth", Shadow, identifies(alice))
	shadow.Phase = policy.Authenticate
	w.with(w.layered(shadow), overlays)
	refuses := w.at("auth", policy.Authenticate, policy.Route, func(d *double) {
		d.request = func(ex *Exchange) error {
			ex.Identify(Identity{Consumer: alice})
			return ex.Reject(problem.ScopeMissing, "", "")
		}
	})
	w.with(w.layered(refuses), overlays)
	expect(t, w.trace, "request auth", "finish auth", "request auth", "respond auth", "finish auth")
}

// A kind whose phase depends on its configuration: what has run before the caller was known isn't undone.
func TestAnOverlayReplacesOnlyWhatHasNotRunYet(t *testing.T) {
	w := newWorld()
	single := policy.Kind{Name: "single", Traits: policy.Traits{Decides: true}}
	of := func(name string, phase policy.Phase, level policy.Level) Attached {
		a := w.at(name, phase, level, nil)
		a.Kind = single
		return a
	}
	stages := w.layered(
		of("early", policy.Guard, policy.Route), of("late", policy.Inspect, policy.Route), w.at("auth", policy.Authenticate, policy.Route, identifies(alice)),
	)
	ex := w.with(stages, overlaying(of("overlay", policy.Inspect, policy.Consumer)))
	expect(t, w.trace[:3], "request early", "request auth", "request overlay")
	if ex.Verdict != Allowed || slices.Contains(w.trace, "request late") || slices.Index(w.trace, "finish early") != len(w.trace)-1 {
		t.Fatal(w.trace)
	}
}

func TestAFinisherInAnOverlayLearnsTheEnd(t *testing.T) {
	w := newWorld()
	auth := Attached{Policy: &Policy{Name: "auth", Kind: testKind, Mode: Enforce, Phase: policy.Authenticate, Stage: knowsAlice{}}}
	w.with(w.layered(auth), overlaying(w.at("overlay", policy.Limit, policy.Consumer, nil)))
	expect(t, w.trace, "request overlay", "respond overlay", "finish overlay")
}

func TestAnOverlaysPanicFailsClosedAndIsToldOfIt(t *testing.T) {
	w := newWorld()
	overlay := w.at("overlay", policy.Limit, policy.Consumer, func(d *double) { d.request = func(*Exchange) error { panic("x") } })
	ex := w.with(w.layered(w.at("auth", policy.Authenticate, policy.Route, identifies(alice))), overlaying(overlay))
	if ex.Verdict != problem.PolicyFailed || ex.Rejection.Policy != "overlay" {
		t.Fatalf("%s by %+v", ex.Verdict, ex.Rejection)
	}
}

func TestAPanicInShadowBeforeAuthenticateGoesOnToTheOverlay(t *testing.T) {
	w := newWorld()
	broken := w.stage("broken", Shadow, func(d *double) { d.request = func(*Exchange) error { panic("x") } })
	broken.Phase = policy.Guard
	stages := w.layered(broken, w.at("auth", policy.Authenticate, policy.Route, identifies(alice)))
	ex := w.with(stages, overlaying(w.at("overlay", policy.Limit, policy.Consumer, nil)))
	if ex.Verdict != Allowed || !slices.Contains(w.trace, "request overlay") {
		t.Fatalf("%s %v", ex.Verdict, w.trace)
	}
}

func TestAfterLetGoNothingOfTheRevisionIsHeld(t *testing.T) {
	w := newWorld()
	plain := Attached{Policy: &Policy{Name: "plain", Kind: testKind, Mode: Enforce, Phase: policy.Limit, Stage: plainStage{}}}
	auth := Attached{Policy: &Policy{Name: "auth", Kind: testKind, Mode: Enforce, Phase: policy.Authenticate, Stage: knowsAlice{}}}
	stages := w.layered(auth)
	ex := w.with(stages, overlaying(plain))
	if ex.Stages != nil || ex.Overlays != nil || ex.overlaid != nil {
		t.Fatalf("%v %v %v", ex.Stages, ex.Overlays, ex.overlaid)
	}
}

type plainStage struct{}

func (plainStage) Request(*Exchange) error { return nil }

type knowsAlice struct{}

func (knowsAlice) Request(ex *Exchange) error {
	ex.Identify(Identity{Consumer: alice})
	return nil
}

func TestCombinationsAreMadeOnceAndRequestsDoNotAllocate(t *testing.T) {
	w := newWorld()
	auth := Attached{Policy: &Policy{Name: "auth", Kind: testKind, Mode: Enforce, Phase: policy.Authenticate, Stage: knowsAlice{}}}
	plain := Attached{Policy: &Policy{Name: "plain", Kind: testKind, Mode: Enforce, Phase: policy.Limit, Stage: plainStage{}}}
	stages, overlays := w.layered(auth), overlaying(plain)
	var group sync.WaitGroup
	made := make([]*Stages, 8)
	for i := range made {
		group.Go(func() { made[i] = overlays.combine(stages, overlays.Of(alice.ID)) })
	}
	group.Wait()
	for _, s := range made {
		if s != made[0] || overlays.kept.Load() != 1 {
			t.Fatal("a combination was made and kept twice")
		}
	}
	if overlays.Renewed().Of(alice.ID) == overlays.Of(alice.ID) || overlays.Renewed().kept.Load() != 0 {
		t.Error("renewed overlays keep what they had")
	}
	ex := w.pool.Get()
	if n := testing.AllocsPerRun(100, func() {
		ex.Reset()
		ex.Overlays = overlays
		_ = stages.Run(ex)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestBeyondTheBoundCombinationsAreMadeForEachRequest(t *testing.T) {
	w := newWorld()
	stages := w.layered(w.at("auth", policy.Authenticate, policy.Route, identifies(alice)))
	overlays := overlaying(w.at("overlay", policy.Limit, policy.Consumer, nil))
	overlays.kept.Store(maxCombined)
	for range 2 {
		w.trace = nil
		w.with(stages, overlays)
		if !slices.Contains(w.trace, "request overlay") {
			t.Fatal(w.trace)
		}
	}
	if overlays.kept.Load() != maxCombined {
		t.Error("it was kept beyond the bound")
	}
}

// earlyDouble also sees answers of stages before it.
type earlyDouble struct{ *double }

func (d earlyDouble) RespondEarly(*Exchange) error {
	d.trace.add("early " + d.name)
	if d.name == "breaks" {
		panic("x")
	}
	return nil
}

func TestEarlyRespondersSeeAnswersOfStagesBeforeThem(t *testing.T) {
	w := newWorld()
	early := func(name string, mode Mode) Attached {
		a := w.stage(name, mode, nil)
		a.Stage = earlyDouble{a.Stage.(*double)}
		return a
	}
	stages := w.runner.Stages([]Attached{
		early("first", Enforce), w.stage("refuses", Enforce, func(d *double) { d.request = rejecting(problem.Blocked) }),
		w.stage("plain", Enforce, nil), early("second", Enforce), early("breaks", Enforce), early("shadow", Shadow), early("third", Enforce),
	})
	ex := w.do(stages)
	expect(t, w.trace, "request first", "request refuses", "early third", "early breaks", "early second", "respond refuses", "respond first",
		"finish refuses", "finish first")
	if ex.Verdict != problem.Blocked {
		t.Errorf("the first refusal became %s", ex.Verdict)
	}
}

// naive says by the rules, as plainly as can be, which policies run and in which order.
func naive(route []Attached, overlay []Attached) []string {
	all := slices.Concat(route, overlay)
	var chosen []Attached
	for _, a := range all {
		var levels []policy.Level
		least, isFinal := policy.Level(99), false
		for _, b := range all {
			if b.Kind.Name != a.Kind.Name {
				continue
			}
			levels = append(levels, b.Level)
			if b.Final && b.Level < least {
				least, isFinal = b.Level, true
			}
		}
		runs := a.Level == slices.Max(levels)
		if isFinal {
			runs = a.Level == least
		}
		if a.Kind.Merges {
			runs = a.Kind.Traits.Decides || !isFinal || a.Level <= least
		}
		if runs && a.Mode != Off {
			chosen = append(chosen, a)
		}
	}
	var names []string
	for phase := policy.Guard; phase <= policy.Transform; phase++ {
		for level := policy.Environment; level <= policy.Consumer; level++ {
			for position := int32(-2); position <= 2; position++ {
				var here []string
				for _, a := range chosen {
					if a.Phase == phase && a.Level == level && a.Position == position && !slices.Contains(names, a.Name) {
						here = append(here, a.Name)
					}
				}
				slices.Sort(here)
				names = append(names, slices.Compact(here)...)
			}
		}
	}
	return names
}

// Random policies on random levels: an exchange passes through those, in that order, that the rules say by themselves.
func TestOverlaysFollowTheRulesForAnyPolicies(t *testing.T) {
	kinds := []policy.Kind{
		{Name: "single"},
		{Name: "other", Traits: policy.Traits{Decides: true}},
		{Name: "hurdle", Merges: true, Traits: policy.Traits{Decides: true}},
		{Name: "change", Merges: true},
	}
	phases := map[string]policy.Phase{"single": policy.Inspect, "other": policy.Cache, "hurdle": policy.Limit, "change": policy.Transform}
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 2))
		var bindings []Binding
		for _, k := range kinds {
			bindings = append(bindings, Binding{Kind: k})
		}
		w := newWorld()
		w.runner.Metrics = NewMetrics(bindings)
		random := func(i int) *Policy {
			k := kinds[r.IntN(len(kinds))]
			name := fmt.Sprintf("%s-%02d", k.Name, i)
			p := &Policy{
				ID: id.ID{byte(i + 1)}, Name: name, Kind: k, Phase: phases[k.Name], Mode: Mode(r.IntN(3)), Final: r.IntN(4) == 0,
				Position: int32(r.IntN(5) - 2), Stage: &double{name: name, trace: &w.trace},
			}
			if k.Name == "hurdle" && r.IntN(2) == 0 {
				p.Phase = policy.Guard
			}
			return p
		}
		auth := w.at("auth", policy.Authenticate, policy.Environment, identifies(alice))
		auth.Kind = policy.Kind{Name: "auth"}
		route := []Attached{auth}
		var overlay []Attached
		for i := range r.IntN(9) {
			p := random(i)
			for level := range policy.Consumer + 1 {
				switch {
				case r.IntN(3) > 0:
				case level < policy.Consumer:
					route = append(route, Attached{p, level})
				case policy.MayOverlay(p.Phase):
					overlay = append(overlay, Attached{p, level})
				}
			}
		}
		r.Shuffle(len(route), func(i, j int) { route[i], route[j] = route[j], route[i] })
		stages := w.layered(route...)
		for _, under := range [][]Attached{overlay, nil, overlay} {
			w.trace = nil
			ex := w.pool.Get()
			ex.Overlays = overlaying(under...)
			if _ = stages.Run(ex); ex.Verdict != Allowed {
				t.Fatalf("seed %d: %s", seed, ex.Verdict)
			}
			var got, listed []string
			for _, step := range w.trace {
				got = append(got, strings.TrimPrefix(step, "request "))
			}
			for _, p := range stages.For(ex).Policies() {
				listed = append(listed, p.Name)
			}
			want := naive(route, under)
			if !slices.Equal(got, want) || !slices.Equal(listed, want) {
				t.Fatalf("seed %d: ran %v, listed %v, want %v", seed, got, listed, want)
			}
		}
	}
}
