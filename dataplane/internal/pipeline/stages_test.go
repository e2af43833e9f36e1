package pipeline

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
)

// trace is what a test's stages did, in order.
type trace []string

func (t *trace) add(what string) { *t = append(*t, what) }

// double is a stage that writes down what is called, and does what the test wants.
type double struct {
	name             string
	trace            *trace
	request, respond func(*Exchange) error
	finish           func(*Exchange)
}

func (d *double) Request(ex *Exchange) error {
	d.trace.add("request " + d.name)
	if d.request == nil {
		return nil
	}
	return d.request(ex)
}

func (d *double) Response(ex *Exchange) error {
	d.trace.add("respond " + d.name)
	if d.respond == nil {
		return nil
	}
	return d.respond(ex)
}

func (d *double) Finish(ex *Exchange) {
	d.trace.add("finish " + d.name)
	if d.finish != nil {
		d.finish(ex)
	}
}

// world is a runner with one kind, "test".
type world struct {
	trace   trace
	log     strings.Builder
	metrics *Metrics
	runner  *Runner
	pool    Pool
}

var testKind = policy.Kind{Name: "test", Traits: policy.Traits{Decides: true}, Merges: true}

func newWorld() *world {
	w := new(world)
	w.metrics = NewMetrics([]Binding{{Kind: testKind}})
	w.runner = &Runner{
		Logger: slog.New(slog.NewTextHandler(&w.log, nil)), Metrics: w.metrics,
		Clock: func() time.Time { return time.Unix(1000, 0) },
	}
	return w
}

func (w *world) stage(name string, mode Mode, change func(*double)) Attached {
	d := &double{name: name, trace: &w.trace}
	if change != nil {
		change(d)
	}
	return Attached{Policy: &Policy{Name: name, Kind: testKind, Mode: mode, Stage: d}}
}

// do takes one exchange all the way.
func (w *world) do(stages *Stages) *Exchange {
	ex := w.pool.Get()
	ex.ID = id.New(time.Unix(1000, 0))
	_ = stages.Run(ex)
	if ex.Rejection != nil {
		ex.Answer()
	} else {
		ex.Response.Status = 200
	}
	_ = stages.Respond(ex)
	stages.Finish(ex)
	stages.Finish(ex) // must change nothing
	return ex
}

func (w *world) counts() map[string]uint64 {
	counts := map[string]uint64{}
	for series, n := range w.metrics.All() {
		if n > 0 {
			counts[fmt.Sprintf("%s %s", series.Mode, series.Verdict)] = n
		}
	}
	return counts
}

func rejecting(code problem.Code) func(*Exchange) error {
	return func(ex *Exchange) error { return ex.Reject(code, "", "because") }
}

func expect(t *testing.T, got trace, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("\n%v, not\n%v", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

func TestRequestsInOrderResponsesAndFinishersInReverse(t *testing.T) {
	w := newWorld()
	ex := w.do(w.runner.Stages([]Attached{w.stage("a", Enforce, nil), w.stage("b", Enforce, nil)}))
	expect(t, w.trace, "request a", "request b", "respond b", "respond a", "finish b", "finish a")
	if ex.Verdict != Allowed || ex.Rejection != nil || !ex.Now.Equal(time.Unix(1000, 0)) {
		t.Fatalf("%s %v at %v", ex.Verdict, ex.Rejection, ex.Now)
	}
	if want := map[string]uint64{"enforce passed": 2}; !maps.Equal(w.counts(), want) {
		t.Fatal(w.counts())
	}
}

func TestARejectionEndsTheRequestAndIsRespondedTo(t *testing.T) {
	w := newWorld()
	ex := w.do(w.runner.Stages([]Attached{
		w.stage("a", Enforce, nil),
		w.stage("b", Enforce, func(d *double) { d.request = rejecting(problem.RateLimited) }),
		w.stage("c", Enforce, nil),
	}))
	expect(t, w.trace, "request a", "request b", "respond b", "respond a", "finish b", "finish a")
	if ex.Verdict != problem.RateLimited || ex.Rejection.Policy != "b" || ex.Response.Status != 429 {
		t.Fatalf("%s by %s, status %d", ex.Verdict, ex.Rejection.Policy, ex.Response.Status)
	}
	if want := map[string]uint64{"enforce passed": 1, "enforce rate_limited": 1}; !maps.Equal(w.counts(), want) {
		t.Fatal(w.counts())
	}
}

func TestShadowIsCountedAndRefusesNobody(t *testing.T) {
	w := newWorld()
	who := Identity{Consumer: &directory.Consumer{Name: "alice"}}
	var seen []string
	look := func(ex *Exchange) error {
		name := "nobody"
		if ex.Caller().Known() {
			name = ex.Caller().Consumer.Name
		}
		seen = append(seen, fmt.Sprintf("%s %v", name, ex.InShadow()))
		return nil
	}
	ex := w.do(w.runner.Stages([]Attached{
		w.stage("identify", Shadow, func(d *double) {
			d.request = func(ex *Exchange) error {
				ex.Identify(who)
				ex.Quotas = append(ex.Quotas, Quota{})
				return nil
			}
		}),
		w.stage("enforced", Enforce, func(d *double) { d.request = look }),
		w.stage("refuse", Shadow, func(d *double) { d.request = rejecting(problem.ScopeMissing) }),
		w.stage("panic", Shadow, func(d *double) { d.request = func(*Exchange) error { panic("x") } }),
		w.stage("fail", Shadow, func(d *double) { d.request = func(*Exchange) error { return errors.New("broken") } }),
		w.stage("shadow", Shadow, func(d *double) { d.request = look }),
		w.stage("last", Enforce, nil),
	}))
	if ex.Verdict != Allowed || ex.Rejection != nil || ex.ShadowVerdict != problem.ScopeMissing {
		t.Fatalf("%s %v %s", ex.Verdict, ex.Rejection, ex.ShadowVerdict)
	}
	if ex.Identity.Known() || len(ex.Quotas) != 0 {
		t.Fatalf("shadow left %+v %v", ex.Identity, ex.Quotas)
	}
	if want := []string{"nobody false", "alice true"}; !slices.Equal(seen, want) {
		t.Fatalf("%v", seen)
	}
	expect(t, w.trace,
		"request identify", "request enforced", "request refuse", "request panic", "request fail", "request shadow", "request last",
		"respond last", "respond enforced",
		"finish last", "finish shadow", "finish fail", "finish panic", "finish refuse", "finish enforced", "finish identify")
	want := map[string]uint64{"enforce passed": 2, "shadow passed": 2, "shadow scope_missing": 1, "shadow policy_failed": 2}
	if !maps.Equal(w.counts(), want) {
		t.Fatal(w.counts())
	}
}

func TestAnEnforcedIdentityIsSeenByAll(t *testing.T) {
	w := newWorld()
	who := Identity{Consumer: &directory.Consumer{Name: "alice"}}
	seen := 0
	look := func(d *double) {
		d.request = func(ex *Exchange) error {
			if ex.Caller().Known() {
				seen++
			}
			return nil
		}
	}
	w.do(w.runner.Stages([]Attached{
		w.stage("identify", Enforce, func(d *double) {
			d.request = func(ex *Exchange) error { ex.Identify(who); return nil }
		}),
		w.stage("a", Enforce, look), w.stage("b", Shadow, look),
	}))
	if seen != 2 {
		t.Fatal(seen)
	}
}

func TestWhateverGoesWrongInAStageFailsClosed(t *testing.T) {
	var missing *Rejection
	for name, request := range map[string]func(*Exchange) error{
		"error":               func(*Exchange) error { return errors.New("broken") },
		"panic":               func(*Exchange) error { panic("the client's secret") },
		"runtime panic":       func(ex *Exchange) error { ex.Params[3] = ""; return nil },
		"nil rejection":       func(*Exchange) error { return missing },
		"undefined code":      func(ex *Exchange) error { return ex.Reject("no_such_code", "", "") },
		"panic with an error": func(*Exchange) error { panic(fmt.Errorf("the client's secret")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			ex := w.do(w.runner.Stages([]Attached{
				w.stage("a", Enforce, nil),
				w.stage("b", Enforce, func(d *double) { d.request = request }),
				w.stage("c", Enforce, nil),
			}))
			expect(t, w.trace, "request a", "request b", "respond b", "respond a", "finish b", "finish a")
			if ex.Verdict != problem.PolicyFailed || ex.Response.Status != 500 || ex.Rejection.Policy != "b" {
				t.Fatalf("%s %d %q", ex.Verdict, ex.Response.Status, ex.Rejection.Policy)
			}
			if w.counts()["enforce policy_failed"] != 1 {
				t.Fatal(w.counts())
			}
			logged := w.log.String()
			if !strings.Contains(logged, "policy=b") || !strings.Contains(logged, id.Text(RequestIDPrefix, ex.ID)) {
				t.Fatalf("logged %q", logged)
			}
			if strings.Contains(logged, "secret") {
				t.Fatal("the log holds what the stage panicked with")
			}
		})
	}
}

func TestARejectionThatIsWrappedOrSharedIsOne(t *testing.T) {
	shared := &Rejection{Code: problem.AddressNotAllowed, Reason: "shared"}
	shared.Header.Add("X-Reason", "shared")
	for _, err := range []error{shared, fmt.Errorf("wrapped: %w", shared)} {
		w := newWorld()
		ex := w.do(w.runner.Stages([]Attached{w.stage("a", Enforce, func(d *double) {
			d.request = func(*Exchange) error { return err }
		})}))
		if ex.Verdict != problem.AddressNotAllowed || ex.Rejection.Policy != "a" || ex.Response.Header.Get("X-Reason") != "shared" {
			t.Fatalf("%+v", ex.Rejection)
		}
		w.pool.Put(ex)
		if shared.Policy != "" || shared.Header.Get("X-Reason") != "shared" {
			t.Fatalf("the shared rejection became %+v", shared)
		}
	}
}

func TestAResponderMayRefuseTheAnswer(t *testing.T) {
	for name, respond := range map[string]func(*Exchange) error{
		"rejection": rejecting(problem.BodyTooLarge),
		"error":     func(*Exchange) error { return errors.New("broken") },
		"panic":     func(*Exchange) error { panic("x") },
	} {
		want := problem.PolicyFailed
		if name == "rejection" {
			want = problem.BodyTooLarge
		}
		w := newWorld()
		ex := w.do(w.runner.Stages([]Attached{
			w.stage("a", Enforce, nil),
			w.stage("b", Enforce, func(d *double) { d.respond = respond }),
			w.stage("c", Enforce, nil),
		}))
		expect(t, w.trace, "request a", "request b", "request c", "respond c", "respond b", "respond a", "finish c", "finish b", "finish a")
		if ex.Verdict != want || ex.Rejection.Policy != "b" || ex.Response.Status == 200 {
			t.Fatalf("%s: %s %d", name, ex.Verdict, ex.Response.Status)
		}
	}
}

func TestTheFirstRefusalStays(t *testing.T) {
	w := newWorld()
	ex := w.do(w.runner.Stages([]Attached{
		w.stage("a", Enforce, func(d *double) { d.respond = func(*Exchange) error { panic("x") } }),
		w.stage("b", Enforce, func(d *double) { d.respond = rejecting(problem.BodyTooLarge) }),
		w.stage("c", Enforce, func(d *double) {
			d.request = func(ex *Exchange) error {
				r := ex.Reject(problem.RateLimited, "", "")
				r.Header.Add("Retry-After", "7")
				return r
			}
		}),
	}))
	if ex.Verdict != problem.RateLimited || ex.Rejection.Code != problem.RateLimited || ex.Rejection.Policy != "c" ||
		ex.Rejection.Header.Get("Retry-After") != "7" || ex.Response.Status != 429 {
		t.Fatalf("%+v %d", ex.Rejection, ex.Response.Status)
	}
}

func TestAFinisherThatPanicsKeepsNoOtherFromFinishing(t *testing.T) {
	w := newWorld()
	w.do(w.runner.Stages([]Attached{
		w.stage("a", Enforce, nil),
		w.stage("b", Enforce, func(d *double) { d.finish = func(*Exchange) { panic("x") } }),
	}))
	expect(t, w.trace[4:], "finish b", "finish a")
	if !strings.Contains(w.log.String(), "policy=b") {
		t.Fatal("not logged")
	}
}

func TestADryRunIsNotCounted(t *testing.T) {
	w := newWorld()
	stages := w.runner.Stages([]Attached{
		w.stage("a", Shadow, func(d *double) { d.request = rejecting(problem.RateLimited) }),
		w.stage("b", Enforce, nil),
		w.stage("c", Enforce, func(d *double) { d.request = rejecting(problem.RateLimited) }),
	})
	ex := w.pool.Get()
	ex.Dry = true
	if stages.Run(ex) == nil || ex.ShadowVerdict != problem.RateLimited {
		t.Fatal("a dry run decides")
	}
	if len(w.counts()) != 0 {
		t.Fatal(w.counts())
	}
}

func TestAnswersAreProblemsWithTheRequestID(t *testing.T) {
	w := newWorld()
	ex := w.do(w.runner.Stages([]Attached{w.stage("secret-policy", Enforce, func(d *double) {
		d.request = func(ex *Exchange) error {
			r := ex.Reject(problem.RateLimited, "Slow down.", "an internal reason")
			r.Header.Add("Retry-After", "7")
			return r
		}
	})}))
	body, err := io.ReadAll(ex.Response.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"https://github.com/sallyport/sallyport/blob/main/proto/problem/pages/rate_limited.md","title":"Too many requests","status":429,"code":"rate_limited","detail":"Slow down.","request_id":"` +
		id.Text("req", ex.ID) + `"}`
	if string(body) != want || ex.Response.ContentLength != int64(len(want)) {
		t.Fatalf("%s", body)
	}
	h := &ex.Response.Header
	if h.Get("Content-Type") != "application/problem+json" || h.Get("Retry-After") != "7" || h.Get("Cache-Control") != "no-store" {
		t.Fatalf("%v", h.Fields())
	}
}

// closing is a body that tells when it is closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestAnAnswerInPlaceOfAnotherClosesIt(t *testing.T) {
	var pool Pool
	ex := pool.Get()
	body := &closing{Reader: strings.NewReader("")}
	ex.Response.Body = body
	ex.Response.Header.Add("X-Upstream", "1")
	ex.Refuse(ex.Reject(problem.Internal, "", ""))
	ex.Answer()
	if !body.closed || ex.Response.Header.Has("X-Upstream") {
		t.Fatalf("closed %v, %v", body.closed, ex.Response.Header.Fields())
	}
}

func TestBindRefusesAnotherKindsConfiguration(t *testing.T) {
	b := Bind(testKind, func(Env, *testMessage) (Stage, error) { return &double{}, nil })
	if _, err := b.Compile(Env{}, nil); err == nil {
		t.Fatal("compiled")
	}
	nothing := Bind(testKind, func(Env, proto.Message) (Stage, error) { return nil, nil })
	if _, err := nothing.Compile(Env{}, &testMessage{}); err == nil {
		t.Fatal("compiled to nothing")
	}
}

type testMessage struct{ proto.Message }

func BenchmarkEightStages(b *testing.B) {
	w := newWorld()
	var list []Attached
	for range 8 {
		list = append(list, Attached{Policy: &Policy{Name: "x", Kind: testKind, Mode: Enforce, Stage: idle{}}})
	}
	stages := w.runner.Stages(list)
	ex := w.pool.Get()
	b.ReportAllocs()
	for b.Loop() {
		_ = stages.Run(ex)
		stages.Finish(ex)
	}
}

type idle struct{}

func (idle) Request(*Exchange) error { return nil }
