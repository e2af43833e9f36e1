package pipeline

import (
	"sync"
	"time"

	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
)

// MaxTraceSteps is how many stages a trace holds. What runs behind them is counted in Missed, and still decides.
const MaxTraceSteps = 64

// StepVerdict is what one stage did with one exchange.
type StepVerdict uint8

// The verdicts of a step.
const (
	StepPassed        StepVerdict = iota + 1 // it let the request go on
	StepRefused                              // it is enforced, and refused: nothing behind it ran
	StepShadowRefused                        // it is in shadow, and would have refused
	StepAnswered                             // it answered in the service's place: nothing behind it ran
	StepNotReached                           // something in front of it ended the request
	StepPassedOver                           // of several that authenticate, it found no credential of its own, or another had found one before it
)

// String returns the verdict as explanations and traces of decisions show it.
func (v StepVerdict) String() string {
	switch v {
	case StepPassed:
		return "passed"
	case StepRefused:
		return "refused"
	case StepShadowRefused:
		return "shadow_refused"
	case StepAnswered:
		return "answered"
	case StepNotReached:
		return "not_reached"
	case StepPassedOver:
		return "passed_over"
	}
	return ""
}

// TraceStep is what one stage said. Policy is shared and immutable; who keeps it keeps what it was compiled to. Reason may
// share the exchange's memory: who keeps it beyond Finish copies it.
type TraceStep struct {
	// Policy that the stage is compiled from.
	Policy *Policy
	// Level at which it is attached.
	Level policy.Level
	// Verdict of its Request; that of its Response takes its place when it refuses there.
	Verdict StepVerdict
	// Code and Reason of a refusal; "" without one.
	Code   problem.Code
	Reason string
	// Took is how long its Request was at work; 0: nobody looked.
	Took time.Duration
}

// Trace notes what each stage says to one exchange: set [Exchange.Trace] before the stages run, read Steps before the exchange
// is finished. It belongs to the exchange's goroutine, has its memory from the beginning and allocates nothing. Without one
// the loop asks once per stage whether there is any; with one it reads the clock once per stage, and once more.
type Trace struct {
	steps  [MaxTraceSteps]TraceStep
	n      int
	missed int
	open   bool // the latest step is at work
	begun  time.Duration
}

// traceEpoch is what a trace's times are measured from: the monotonic clock alone costs half of what the time of day does.
var traceEpoch = time.Now()

// traces lends what NewTrace returns.
var traces = sync.Pool{New: func() any { return new(Trace) }}

// NewTrace returns an empty trace. Free gives it back.
func NewTrace() *Trace {
	t, ok := traces.Get().(*Trace)
	if !ok {
		t = new(Trace)
	}
	return t
}

// Free gives a trace back, which nobody may look at any more, its steps neither.
func (t *Trace) Free() {
	t.Reset()
	traces.Put(t)
}

// Reset empties the trace, and lets go of the policies in it.
func (t *Trace) Reset() {
	clear(t.steps[:t.n])
	t.n, t.missed, t.open = 0, 0, false
}

// Steps returns the stages that ran, in the order in which they did. The slice is the trace's own.
func (t *Trace) Steps() []TraceStep { return t.steps[:t.n] }

// Missed returns how many stages ran for which there was no room.
func (t *Trace) Missed() int { return t.missed }

// LetGo keeps of the policies what tells of them, and nothing that they decide by: an exchange of hours must not keep alive what
// has been replaced.
func (t *Trace) LetGo() {
	for i := range t.steps[:t.n] {
		of := t.steps[i].Policy
		t.steps[i].Policy = &Policy{ID: of.ID, Name: of.Name, Kind: of.Kind, Phase: of.Phase, Mode: of.Mode, Final: of.Final, Position: of.Position}
	}
}

// Retrace notes of an exchange that had no trace which of the stages ran, and the verdicts that are known without one: the refusal,
// the first one in shadow, the answer. How long they were at work nobody knows any more. Finish may have been called: a Finisher's verdict counts too.
func (s *Stages) Retrace(ex *Exchange, t *Trace) {
	s = s.For(ex)
	for i := range s.list[:max(ex.ran, ex.finished)] {
		if t.n == len(t.steps) {
			t.missed = max(ex.ran, ex.finished) - i
			return
		}
		st := &s.list[i]
		step := TraceStep{Policy: st.policy, Level: st.level, Verdict: StepPassed}
		switch of := st.policy.ID; {
		case ex.Rejection != nil && of == ex.Rejection.PolicyID:
			step.Verdict, step.Code, step.Reason = StepRefused, ex.Rejection.Code, ex.Rejection.Reason
		case ex.replied && of == ex.AnsweredBy.ID:
			step.Verdict = StepAnswered
		case ex.ShadowVerdict != "" && of == ex.shadowBy:
			step.Verdict, step.Code = StepShadowRefused, ex.ShadowVerdict
		case s.wasPassedOver(ex, i):
			step.Verdict = StepPassedOver
		}
		t.steps[t.n] = step
		t.n++
	}
}

// begin notes that a stage is at work; the one before has passed unless it said otherwise.
func (t *Trace) begin(st *step) {
	now := time.Since(traceEpoch)
	t.close(now, StepPassed)
	if t.n == len(t.steps) {
		t.missed++
		return
	}
	t.steps[t.n] = TraceStep{Policy: st.policy, Level: st.level}
	t.n++
	t.open, t.begun = true, now
}

// passedOver notes that the stage at work has no say.
func (t *Trace) passedOver(code problem.Code, reason string) {
	if t.open {
		s := &t.steps[t.n-1]
		s.Verdict, s.Code, s.Reason = StepPassedOver, code, reason
	}
}

// end notes that no stage is at work any more. The latest one answered in the service's place, or let the request go on.
func (t *Trace) end(answered bool) {
	verdict := StepPassed
	if answered && t.missed == 0 {
		verdict = StepAnswered
	}
	t.close(time.Since(traceEpoch), verdict)
}

func (t *Trace) close(now time.Duration, verdict StepVerdict) {
	if !t.open {
		return
	}
	last := &t.steps[t.n-1]
	last.Took = now - t.begun
	if last.Verdict == 0 {
		last.Verdict = verdict
	}
	t.open = false
}

// refused notes a stage's refusal, of the request or of the answer.
func (t *Trace) refused(st *step, r *Rejection) {
	for i := t.n - 1; i >= 0; i-- {
		if s := &t.steps[i]; s.Policy == st.policy {
			s.Verdict, s.Code, s.Reason = StepRefused, r.Code, r.Reason
			if st.shadow {
				s.Verdict = StepShadowRefused
			}
			return
		}
	}
}

// noted notes that a stage would have refused, unless it said more than that it passes.
func (t *Trace) noted(of id.ID, code problem.Code) {
	for i := t.n - 1; i >= 0; i-- {
		if s := &t.steps[i]; s.Policy.ID == of {
			if s.Verdict == 0 || s.Verdict == StepPassed {
				s.Verdict, s.Code = StepShadowRefused, code
			}
			return
		}
	}
}

// Attached returns the policies in the order in which they run, each at the level where it is attached.
func (s *Stages) Attached() []Attached {
	all := make([]Attached, len(s.list))
	for i := range s.list {
		all[i] = Attached{Policy: s.list[i].policy, Level: s.list[i].level}
	}
	return all
}
