package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
)

// traced takes one exchange all the way with a trace, and returns what that says.
func (w *world) traced(stages *Stages) string {
	ex := w.pool.Get()
	ex.Trace = NewTrace()
	defer ex.Trace.Free()
	if stages.Run(ex) == nil {
		_ = stages.Respond(ex)
	}
	var said []string
	for _, s := range ex.Trace.Steps() {
		if s.Took < 0 {
			said = append(said, "took less than nothing")
		}
		said = append(said, strings.TrimSpace(fmt.Sprintf("%s@%s %s %s %s", s.Policy.Name, s.Level, s.Verdict, s.Code, s.Reason)))
	}
	stages.Finish(ex)
	return strings.Join(said, "; ")
}

func TestATraceHoldsWhatEachStageSaid(t *testing.T) {
	w := newWorld()
	refuses := func(d *double) {
		d.request = func(ex *Exchange) error { return ex.Reject(problem.ScopeMissing, "", "no scope") }
	}
	panics := func(d *double) { d.request = func(*Exchange) error { panic("oh") } }
	answers := func(d *double) { d.request = func(ex *Exchange) error { return ex.Reply(204, nil) } }
	fails := func(d *double) { d.request = func(*Exchange) error { return errors.New("broken") } }
	late := func(d *double) {
		d.respond = func(ex *Exchange) error { return ex.Reject(problem.TooLarge, "", "an answer too large") }
	}
	at := func(a Attached, level policy.Level) Attached {
		a.Level = level
		return a
	}
	for name, test := range map[string]struct {
		stages []Attached
		want   string
	}{
		"all pass": {
			stages: []Attached{w.stage("one", Enforce, nil), at(w.stage("two", Shadow, nil), policy.Service), at(w.stage("three", Enforce, nil), policy.Route)},
			want:   "one@environment passed; two@service passed; three@route passed",
		},
		"shadows refuse and panic": {
			stages: []Attached{w.stage("one", Shadow, refuses), w.stage("two", Shadow, panics), w.stage("three", Enforce, nil)},
			want:   "one@environment shadow_refused scope_missing no scope; two@environment shadow_refused policy_failed policy failed; three@environment passed",
		},
		"one refuses": {
			stages: []Attached{w.stage("one", Enforce, nil), w.stage("two", Enforce, refuses), w.stage("three", Enforce, nil)},
			want:   "one@environment passed; two@environment refused scope_missing no scope",
		},
		"one fails": {
			stages: []Attached{w.stage("one", Enforce, fails)}, want: "one@environment refused policy_failed policy failed",
		},
		"one refuses the answer": {
			stages: []Attached{w.stage("one", Enforce, late), w.stage("two", Enforce, nil)},
			want:   "one@environment refused too_large an answer too large; two@environment passed",
		},
		"one answers": {
			stages: []Attached{w.stage("one", Enforce, nil), w.stage("two", Enforce, answers), w.stage("three", Enforce, nil)},
			want:   "one@environment passed; two@environment answered",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := w.traced(w.runner.Stages(test.stages)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestATraceIsBoundedAndEmptyWhenItIsLentAgain(t *testing.T) {
	w := newWorld()
	var list []Attached
	for i := range MaxTraceSteps + 3 {
		list = append(list, w.stage(fmt.Sprint("s", i), Enforce, nil))
	}
	stages := w.runner.Stages(list)
	ex := w.pool.Get()
	ex.Trace = NewTrace()
	if stages.Run(ex) != nil || len(ex.Trace.Steps()) != MaxTraceSteps || ex.Trace.Missed() != 3 {
		t.Fatalf("%d steps, %d missed", len(ex.Trace.Steps()), ex.Trace.Missed())
	}
	kept := ex.Trace.Steps()
	ex.Trace.Reset()
	if slices.ContainsFunc(kept, func(s TraceStep) bool { return s.Policy != nil }) || len(ex.Trace.Steps()) != 0 || ex.Trace.Missed() != 0 {
		t.Fatal("something stayed")
	}
	w.pool.Put(ex)
	if ex.Trace != nil {
		t.Fatal("the next request is traced too")
	}
}

func TestATraceAllocatesNothing(t *testing.T) {
	w := newWorld()
	stages := w.runner.Stages(idles(8))
	ex := w.pool.Get()
	trace := NewTrace()
	defer trace.Free()
	if n := testing.AllocsPerRun(100, func() {
		trace.Reset()
		ex.Trace = trace
		_ = stages.Run(ex)
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func idles(n int) []Attached {
	var list []Attached
	for range n {
		list = append(list, Attached{Policy: &Policy{Name: "x", Kind: testKind, Mode: Enforce, Stage: idle{}}})
	}
	return list
}

// BenchmarkEightStages is the same without a trace.
func BenchmarkEightStagesTraced(b *testing.B) {
	w := newWorld()
	stages := w.runner.Stages(idles(8))
	ex := w.pool.Get()
	trace := NewTrace()
	defer trace.Free()
	b.ReportAllocs()
	for b.Loop() {
		trace.Reset()
		ex.Trace = trace
		_ = stages.Run(ex)
		stages.Finish(ex)
	}
}
