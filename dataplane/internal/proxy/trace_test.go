package proxy

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// answering answers at once.
type answering struct{ status int }

func (a answering) Send(ex *pipeline.Exchange) error {
	ex.Target = "s.test:80"
	if a.status == 0 {
		return &pipeline.Rejection{Code: problem.UpstreamUnreachable, Reason: "refused"}
	}
	ex.Response.Status = a.status
	return nil
}

// through takes a request through the edge, with a secret in every place that there is.
func (e *edge) through(t *testing.T, target string, headers ...string) {
	t.Helper()
	ex := e.proxy.Acquire()
	asked := e.Exchange(edgetest.Get(target+"?token=hidden-query", append(headers, "Cookie: session=hidden-cookie", "User-Agent: bench "+e.key)...))
	ex.ID, ex.Started, ex.Request, ex.Client = id.New(time.Now()), time.Now(), asked.Request, asked.Client
	e.proxy.Serve(ex)
	e.proxy.Finish(ex)
}

// told drains what the edge tells of single requests.
func (e *edge) told(t *testing.T) []*usagev1.Event {
	t.Helper()
	bus := new(batches)
	ended, end := context.WithCancel(t.Context())
	end()
	if err := usage.NewSender(e.ledger, bus, slog.New(slog.DiscardHandler)).Run(ended, time.Minute); err != nil {
		t.Fatal(err)
	}
	var events []*usagev1.Event
	for _, b := range bus.all {
		events = append(events, b.GetEvents()...)
	}
	for _, event := range events {
		text, err := proto.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"hidden", e.key, e.key[len(e.key)-20:]} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%q is told in %v", secret, event)
			}
		}
	}
	return events
}

func traced(perMillion string) string {
	return strings.Replace(protected, "{", `{"settings": [{"name": "settings", "traced_per_million": `+perMillion+`}],`, 1)
}

func steps(event *usagev1.Event) string {
	var all []string
	for _, s := range event.GetDecision().GetSteps() {
		said := s.GetKind() + " " + strings.ToLower(strings.TrimPrefix(s.GetVerdict().String(), "VERDICT_"))
		if s.GetTookNs() > 0 {
			said += " timed"
		}
		all = append(all, said)
	}
	return strings.Join(all, ", ")
}

func TestARefusedRequestTellsWhichStagesItGotToThoughNobodyWatchedIt(t *testing.T) {
	e := newEdge(t, answering{200})
	e.configure(t, traced("0"))
	e.through(t, "/a")
	for range 12 {
		e.through(t, "/"+e.key, "X-Api-Key: "+e.key)
	}
	events := e.told(t)
	if len(events) < 3 || steps(events[0]) != "api-key refused" || events[0].GetDecision().GetSteps()[0].GetCode() != string(problem.CredentialMissing) {
		t.Fatalf("told of %v", events)
	}
	limited := events[1]
	if steps(limited) != "api-key passed, rate-limit refused" || limited.GetDecision().GetTimed() || limited.GetVerdict() != string(problem.RateLimited) ||
		limited.GetDecision().GetSteps()[1].GetLevel() != usagev1.Step_LEVEL_ENVIRONMENT || len(limited.GetDecision().GetForwardPath()) != 0 {
		t.Errorf("told of %v", limited)
	}
}

func TestASampledRequestTellsTimesAndTheServicesAnswer(t *testing.T) {
	e := newEdge(t, answering{204})
	e.configure(t, traced("1000000"))
	e.through(t, "/a", "X-Api-Key: "+e.key, "Content-Type: text/plain")
	events := e.told(t)
	if len(events) != 1 || steps(events[0]) != "api-key passed timed, rate-limit passed timed" {
		t.Fatalf("told of %v", events)
	}
	d := events[0].GetDecision()
	if !d.GetTimed() || d.GetUpstreamStatus() != 204 || d.GetTarget() != "s.test:80" || d.GetForwardPath() != "/a" || len(d.GetService()) == 0 {
		t.Errorf("told of %v", d)
	}
	shown := map[string]string{}
	for _, f := range d.GetHeader() {
		if !f.GetMasked() {
			shown[f.GetName()] = f.GetValue()
		}
	}
	if len(shown) != 2 || shown["Content-Type"] != "text/plain" || shown["User-Agent"] != "bench spk_***" {
		t.Errorf("the header shows %v", shown)
	}
}

func TestARequestWhoseServiceDoesNotAnswerTellsWhomItAsked(t *testing.T) {
	e := newEdge(t, answering{})
	e.through(t, "/a", "X-Api-Key: "+e.key)
	events := e.told(t)
	if len(events) != 1 || steps(events[0]) != "api-key passed, rate-limit passed" {
		t.Fatalf("told of %v", events)
	}
	if d := events[0].GetDecision(); d.GetTarget() != "s.test:80" || d.GetUpstreamStatus() != 0 || d.GetReason() != "refused" || d.GetForwardPath() != "/a" {
		t.Errorf("told of %v", d)
	}
}

func TestWhatAPolicyInShadowWouldHaveRefusedIsToldOf(t *testing.T) {
	e := newEdge(t, answering{200})
	e.configure(t, strings.Replace(traced("0"), `"kind": "rate-limit",`, `"kind": "rate-limit", "mode": "shadow",`, 1))
	for range 12 {
		e.through(t, "/a", "X-Api-Key: "+e.key)
	}
	events := e.told(t)
	if len(events) == 0 {
		t.Fatal("nothing is told")
	}
	if got := steps(events[0]); got != "api-key passed, rate-limit shadow_refused" || events[0].GetShadowVerdict() != string(problem.RateLimited) ||
		events[0].GetVerdict() != string(pipeline.Allowed) || events[0].GetStatus() != 200 {
		t.Errorf("told of %v", events[0])
	}
}

func TestWhoIsSampledIsDrawnByWhatTheClientCannotChoose(t *testing.T) {
	const asked = 20_000
	drawn := 0
	for range asked {
		if sampled(id.New(time.Now()), 100_000) {
			drawn++
		}
	}
	if drawn < asked/10*8/10 || drawn > asked/10*12/10 {
		t.Errorf("%d of %d are sampled, want a tenth", drawn, asked)
	}
	for range 1000 {
		if of := id.New(time.Now()); sampled(of, 0) || !sampled(of, 1_000_000) {
			t.Fatal("none and all aren't")
		}
	}
}

func TestARequestThatAPolicyAnsweredTellsWhichOne(t *testing.T) {
	for perMillion, want := range map[string]string{
		"1000000": "api-key passed timed, rate-limit passed timed, respond answered timed", "0": "",
	} {
		e := newEdge(t, answering{200})
		e.configure(t, strings.Replace(traced(perMillion), `"policies": [`, `"policies": [{"name": "fixed", "kind": "respond", "config": {"fixed": {}}, "attached_to": [{"environment": true}]},`, 1))
		e.through(t, "/a", "X-Api-Key: "+e.key)
		events := e.told(t)
		if want == "" {
			if len(events) != 0 {
				t.Errorf("told of %v, which nobody asked for", events)
			}
			continue
		}
		if len(events) != 1 || steps(events[0]) != want {
			t.Fatalf("told of %v", events)
		}
		if d := events[0].GetDecision(); id.ID(d.GetAnsweredBy()) != id.ID(d.GetSteps()[2].GetPolicy()) || d.GetTarget() != "" || d.GetForwardPath() != "" {
			t.Errorf("told of %v", d)
		}
	}
}

func TestEveryVerdictOfAStepThatRanHasANumberForTheRecord(t *testing.T) {
	for v := pipeline.StepPassed; v.String() != ""; v++ {
		if _, told := verdicts[v]; told != (v != pipeline.StepNotReached) {
			t.Errorf("%s: told %v", v, told)
		}
	}
}
