package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
)

// Runner is what all routes' stages run with.
type Runner struct {
	// Logger hears of stages that fail.
	Logger *slog.Logger
	// Metrics counts verdicts.
	Metrics *Metrics
	// Clock tells the time, wall clock and monotonic; time.Now outside of tests.
	Clock func() time.Time
	// Memory bounds the bodies that stages want whole; nil: nothing does.
	Memory *payload.Memory
}

// Stages is what a route's requests pass through: one flat list, immutable, safe for concurrent use.
type Stages struct {
	runner    *Runner
	list      []step
	effective []Attached // what the list was made of, one by one
	all       []Attached // what that was chosen from
	behind    int        // where the steps behind Authenticate begin, which overlays change
	finishes  bool       // there is a finisher
}

// step is a stage with all that the loop wants to know of it at hand.
type step struct {
	stage     Stage
	responder Responder // nil: none, or none in shadow
	finisher  Finisher  // nil: none
	shadow    bool
	counters  int // where its counters begin
	policy    *Policy
	level     policy.Level

	alternates bool // it authenticates, and isn't the only one on the route that does
	last       bool // of those that do, none can decide in its place any more
}

// Layered returns the stages of the policies that Effective has chosen from all, on which overlays can be laid.
func (r *Runner) Layered(all, effective []Attached) *Stages {
	s := r.Stages(effective)
	s.all = all
	return s
}

// Stages returns the stages of the policies that Effective has chosen and ordered.
func (r *Runner) Stages(effective []Attached) *Stages {
	s := &Stages{runner: r, list: make([]step, 0, len(effective)), effective: effective, behind: firstBehind(effective)}
	for _, a := range effective {
		st := step{
			stage: a.Stage, policy: a.Policy, level: a.Level, shadow: a.Mode != Enforce,
			counters: r.Metrics.baseOf(a.Kind.Name, a.Mode),
		}
		st.responder = responderOf(a.Stage, st.shadow)
		if st.finisher, _ = a.Stage.(Finisher); st.finisher != nil {
			s.finishes = true
		}
		s.list = append(s.list, st)
	}
	s.alternate()
	return s
}

// Policies returns the policies in the order in which they run.
func (s *Stages) Policies() []*Policy {
	policies := make([]*Policy, len(s.list))
	for i := range s.list {
		policies[i] = s.list[i].policy
	}
	return policies
}

// Run calls the stages' Request in order, and returns the rejection of the first enforced one that refuses; nil: the
// request may pass, or a stage has answered it (Exchange.Replied). The rejection is ex.Rejection too, and the verdict ex.Verdict.
// An exchange runs once.
//
// When policies are attached to the consumer that the Authenticate stages find, the stages behind them are those of For.
func (s *Stages) Run(ex *Exchange) *Rejection {
	if ex.Now.IsZero() {
		ex.Now = s.runner.Clock()
	}
	ex.ran, ex.overlaid, ex.memory = 0, nil, s.runner.Memory
	ex.decider, ex.shadowDecider, ex.unclaimed = 0, 0, false
	if ex.Overlays != nil {
		s.runTo(ex, s.behind)
		s = s.overlaid(ex)
	}
	s.runTo(ex, len(s.list))
	ex.inShadow = false
	if ex.Trace != nil {
		ex.Trace.end(ex.Replied())
	}
	if ex.Rejection == nil {
		ex.Verdict = Allowed
	}
	return ex.Rejection
}

// runTo goes on with the stages that haven't run, up to the end-th.
func (s *Stages) runTo(ex *Exchange, end int) {
	for ex.ran < end && ex.Rejection == nil && !ex.Replied() {
		s.request(ex, end) // comes back early only after a panic in shadow
	}
}

// request goes on with the stages that haven't run, until one refuses or panics.
func (s *Stages) request(ex *Exchange, end int) {
	defer s.failClosed(ex)
	for i := ex.ran; i < end; i++ {
		st := &s.list[i]
		ex.ran = i + 1
		ex.inShadow = st.shadow
		if ex.Trace != nil {
			ex.Trace.begin(st)
		}
		if st.alternates && !s.asks(ex, i) {
			s.notAsked(ex, st)
			continue
		}
		if st.shadow {
			if s.requestInShadow(ex, st); ex.Rejection != nil {
				return
			}
			continue
		}
		if err := st.stage.Request(ex); err != nil {
			if st.alternates && s.goesOn(ex, st, err) {
				continue
			}
			s.end(ex, st, err)
			return
		}
		if st.alternates {
			s.decided(ex, st)
		}
		s.runner.Metrics.passed(ex, st.counters)
	}
}

// end takes what an enforced stage returned for an answer, a refusal or a failure.
func (s *Stages) end(ex *Exchange, st *step, err error) {
	if err == errReplied { //nolint:errorlint,err113 // the very value that Reply returns
		s.replied(ex, st)
		return
	}
	s.refuse(ex, st, err)
}

func (s *Stages) requestInShadow(ex *Exchange, st *step) {
	quotas := len(ex.Quotas)
	err := st.stage.Request(ex)
	ex.Quotas = ex.Quotas[:quotas]
	if ex.watch.set && ex.watch.metrics == nil {
		ex.watch.metrics, ex.watch.counters = s.runner.Metrics, st.counters
	}
	if err != nil {
		if !st.alternates || !s.goesOn(ex, st, err) {
			s.refuse(ex, st, err)
		}
		return
	}
	if st.alternates {
		s.decided(ex, st)
	}
	s.runner.Metrics.passed(ex, st.counters)
}

// failClosed turns the panic of the stage at work into a refusal. It is deferred itself, as recover demands.
func (s *Stages) failClosed(ex *Exchange) {
	if v := recover(); v != nil {
		s.refuse(ex, &s.list[ex.ran-1], &panicError{value: v, stack: debug.Stack()})
	}
}

// Respond calls Response in reverse order for every enforced stage whose Request ran. When a responder refuses the answer, the problem
// takes its place at once, so that the responders still to come mark it as they would any other, and the rejection comes back. A
// request that was refused before stays refused as it was, whatever its responders say.
func (s *Stages) Respond(ex *Exchange) *Rejection {
	s = s.For(ex)
	refusedBefore := ex.Rejection != nil
	if ex.ran < len(s.list) {
		s.respondEarly(ex)
	}
	for next := ex.ran - 1; next >= 0; {
		next = s.respond(ex, next)
	}
	ex.inShadow = false
	if refusedBefore {
		return nil //nolint:nilerr // nil says that nothing else was refused
	}
	return ex.Rejection
}

// respond calls responders from the i-th stage down, and returns where to go on: below the first if none panics.
func (s *Stages) respond(ex *Exchange, i int) (next int) {
	defer func() {
		if v := recover(); v != nil {
			s.refuseAnswer(ex, &s.list[i], &panicError{value: v, stack: debug.Stack()})
			next = i - 1
		}
	}()
	for ; i >= 0; i-- {
		st := &s.list[i]
		if st.responder == nil || !s.asks(ex, i) {
			continue
		}
		ex.inShadow = st.shadow
		if err := st.responder.Response(ex); err != nil {
			s.refuseAnswer(ex, st, err)
		}
	}
	return -1
}

// Finish calls each Finisher whose Request ran, in reverse order. Further calls do nothing.
func (s *Stages) Finish(ex *Exchange) {
	s = s.For(ex)
	ran := ex.ran
	ex.ran = 0
	for i := ran - 1; i >= 0; i-- {
		if st := &s.list[i]; st.finisher != nil && s.asks(ex, i) {
			s.finish(ex, st)
		}
	}
}

func (s *Stages) finish(ex *Exchange, st *step) {
	defer func() {
		if v := recover(); v != nil {
			s.log(ex, st, &panicError{value: v, stack: debug.Stack()})
		}
	}()
	st.finisher.Finish(ex)
}

// refuse counts a stage's refusal or failure, and makes it the answer unless the stage is in shadow.
func (s *Stages) refuse(ex *Exchange, st *step, err error) {
	r := rejectionOf(err)
	if r == nil {
		s.log(ex, st, err)
		r = ex.Reject(problem.PolicyFailed, "", "policy failed")
	}
	if r.outright {
		ex.Refuse(r)
		s.CutOff(ex)
		return
	}
	s.runner.Metrics.refused(ex, st.counters, r.Code)
	if ex.Trace != nil {
		ex.Trace.refused(st, r)
	}
	if st.shadow {
		if ex.ShadowVerdict == "" {
			ex.ShadowVerdict, ex.shadowBy = r.Code, st.policy.ID
		}
		return
	}
	first := ex.Rejection == nil
	ex.Refuse(r)
	if first {
		ex.Rejection.Policy, ex.Rejection.PolicyID = st.policy.Name, st.policy.ID
		if st.alternates {
			ex.challenge()
		}
	}
}

// refuseAnswer refuses an answer, in whose place the problem is from now on.
func (s *Stages) refuseAnswer(ex *Exchange, st *step, err error) {
	before := ex.Rejection
	s.refuse(ex, st, err)
	if before == nil && ex.Rejection != nil { // none of a stage in shadow
		ex.Answer()
	}
}

// rejectionOf returns the rejection that an error is; nil: it is none, but a failure.
func rejectionOf(err error) *Rejection {
	r, ok := err.(*Rejection) //nolint:errorlint // the common case, without the cost of errors.As
	if !ok {
		r = wrappedRejection(err)
	}
	if r == nil || !isDefined(r.Code) {
		return nil
	}
	return r
}

// wrappedRejection stands alone since errors.As makes what it fills escape.
func wrappedRejection(err error) *Rejection {
	var r *Rejection
	if !errors.As(err, &r) {
		return nil
	}
	return r
}

func isDefined(code problem.Code) bool {
	_, defined := problem.Lookup(code)
	return defined
}

// log tells of a stage that failed: never with anything of the request but its id.
func (s *Stages) log(ex *Exchange, st *step, err error) {
	attributes := []slog.Attr{
		slog.String("policy", st.policy.Name),
		slog.String("kind", st.policy.Kind.Name),
		slog.String("request_id", id.Text(RequestIDPrefix, ex.ID)),
		slog.String("error", err.Error()),
	}
	var p *panicError
	if errors.As(err, &p) {
		attributes = append(attributes, slog.String("stack", string(p.stack)))
	}
	s.runner.Logger.LogAttrs(context.Background(), slog.LevelError, "policy failed", attributes...)
}

// panicError is a panic of a stage.
type panicError struct {
	value any
	stack []byte
}

// Error tells what panicked. The text of a runtime error holds numbers and types; that of any other value might hold
// something of the request, so that only its type is told.
func (e *panicError) Error() string {
	if err, ok := e.value.(runtime.Error); ok {
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic with a value of type %T", e.value)
}
