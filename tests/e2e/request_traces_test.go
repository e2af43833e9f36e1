package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// secret stands in the query, a header, a cookie and the body of requests, and must be nowhere that is kept.
const secret = "open-sesame-4711"

// tracing is a story whose requests are all kept.
type tracing struct {
	*harness.Story
	p harness.Protected
	t *testing.T
}

func newTracing(t *testing.T) tracing {
	t.Helper()
	s := product.OwnStory(t, 1, harness.Loopback)
	w := tracing{Story: s, t: t, p: s.Protected(harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
	})).Address)}
	patched, err := s.API.PatchSettingsWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name,
		&sallyport.PatchSettingsParams{Wait: s.Wait()}, map[string]any{"traced_per_million": 1_000_000})
	s.Must(patched, err)
	s.Applied(patched.HTTPResponse)
	return w
}

// ask sends a request with secrets everywhere, and returns the id that its client is given.
func (w tracing) ask(status int, key string) string {
	w.t.Helper()
	header := http.Header{"User-Agent": {"shopper/1.0 " + key}, "X-Secret": {secret}, "Cookie": {"session=" + secret}, "Authorization": {"Basic " + secret}}
	if key != "" {
		header.Set("X-Api-Key", key)
	}
	answer, err := w.Edges()[0].Do(w.t.Context(), harness.Request{Method: http.MethodPost, Host: w.Host, Path: "/orders?token=" + secret, Header: header, Body: secret})
	if err != nil || answer.Status != status {
		w.t.Fatalf("answered %s, %v; want %d", answer, err, status)
	}
	return answer.Header.Get("X-Request-Id")
}

// kept returns what is kept of a request, once it is.
func (w tracing) kept(id string) sallyport.AnsweredRequest {
	w.t.Helper()
	var found *sallyport.AnsweredRequest
	harness.Eventually(w.t, time.Minute, func() error {
		got, err := w.API.GetRequestWithResponse(w.t.Context(), w.Environment.Name, id)
		if err := sallyport.Check(got, err); err != nil {
			return err
		}
		if bytes.Contains(got.Body, []byte(secret)) || bytes.Contains(got.Body, []byte(w.p.Key.Key)) {
			w.t.Errorf("a secret is told: %s", got.Body)
		}
		found = got.JSON200
		return nil
	})
	return *found
}

// search returns the ids of requests that a filter finds.
func (w tracing) search(filter sallyport.RequestFilter) string {
	w.t.Helper()
	found, err := w.API.ListRequestsWithResponse(w.t.Context(), w.Environment.Name, &sallyport.ListRequestsParams{Filter: &filter})
	w.Must(found, err)
	var ids []string
	for _, r := range found.JSON200.Data {
		ids = append(ids, r.RequestID)
		if len(r.Decision.Stages) != 0 {
			w.t.Error("a list tells how requests were decided")
		}
	}
	return strings.Join(ids, " ")
}

func said(r sallyport.AnsweredRequest) string {
	var all []string
	for _, s := range r.Decision.Stages {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s on %s: %s %s", s.Name, s.Level, s.Verdict, s.Code)))
	}
	return strings.Join(all, "; ")
}

func TestTheIDOfARequestLeadsToHowItWasDecided(t *testing.T) {
	t.Parallel()
	w := newTracing(t)
	shadow := harness.Limit(w.Name("shadow"), sallyport.Attachment{Route: w.p.Route.Name}, 1, "24h")
	shadow.Mode = pointer(sallyport.PolicyMode("shadow"))
	w.Policy(shadow)

	refused, allowed, shadowed := w.ask(http.StatusUnauthorized, ""), w.ask(http.StatusAccepted, w.p.Key.Key), w.ask(http.StatusAccepted, w.p.Key.Key)
	keys := w.p.Policy.Name + " on service: "
	r := w.kept(refused)
	if got := said(r); got != keys+"refused credential_missing" || r.Verdict != "credential_missing" || r.PolicyName != w.p.Policy.Name || r.RouteName != w.p.Route.Name {
		t.Errorf("the refused one is kept as %s: %+v", got, r)
	}
	if d := r.Decision; d.Target != "" || d.UpstreamStatus != 0 || d.ServiceName != w.p.Service.Name || d.Reason == "" {
		t.Errorf("the refused one was decided as %+v", d)
	}
	a := w.kept(allowed)
	if got := said(a); got != keys+"passed; "+shadow.Name+" on route: passed" || a.ShadowVerdict != "" {
		t.Errorf("the allowed one is kept as %s", got)
	}
	if d := a.Decision; !d.Timed || d.Stages[0].TookNs == 0 || d.UpstreamStatus != http.StatusAccepted || d.Target == "" || d.ForwardPath != "/orders" || a.UpstreamUs == 0 {
		t.Errorf("the allowed one was decided as %+v", d)
	}
	for _, field := range a.Decision.Headers {
		if plain := field.Name == "User-Agent" || field.Name == "Content-Type"; plain == field.Masked || plain == (field.Value == "") {
			t.Errorf("a field is shown as %+v", field)
		}
	}
	b := w.kept(shadowed)
	if got := said(b); got != keys+"passed; "+shadow.Name+" on route: shadow_refused rate_limited" || b.Verdict != "allowed" || b.ShadowVerdict != "rate_limited" {
		t.Errorf("the one that the shadow would have refused is kept as %s", got)
	}

	both := shadowed + " " + allowed
	for what, tt := range map[string]struct {
		filter sallyport.RequestFilter
		want   string
	}{
		"code":         {sallyport.RequestFilter{Verdict: "credential_missing"}, refused},
		"shadow":       {sallyport.RequestFilter{ShadowVerdict: "rate_limited"}, shadowed},
		"consumer":     {sallyport.RequestFilter{Consumer: w.p.Consumer.Name}, both},
		"key":          {sallyport.RequestFilter{Credential: w.p.Key.ID}, both},
		"route":        {sallyport.RequestFilter{Route: w.p.Route.Name}, both + " " + refused},
		"address":      {sallyport.RequestFilter{Client: "127.0.0.1", Status: "401"}, refused},
		"range":        {sallyport.RequestFilter{Client: "127.0.0.0/8", Status: "202"}, both},
		"none":         {sallyport.RequestFilter{Client: "192.0.2.0/24"}, ""},
		"its identity": {sallyport.RequestFilter{RequestID: allowed}, allowed},
	} {
		if got := w.search(tt.filter); got != tt.want {
			t.Errorf("by %s found %q, want %q", what, got, tt.want)
		}
	}
	w.scan()
}

// scan looks for secrets where requests are kept.
func (w tracing) scan() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	var url string
	for _, variable := range product.Environ() {
		if value, ok := strings.CutPrefix(variable, "DATABASE_URL="); ok {
			url = value
		}
	}
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	var kept, leaked int
	err = db.QueryRow(ctx, `
		SELECT count(*), count(*) FILTER (WHERE e::text LIKE '%' || $2 || '%' OR position(convert_to($2, 'UTF8') IN decision) > 0
		                                     OR e::text LIKE '%' || $3 || '%' OR position(convert_to($3, 'UTF8') IN decision) > 0)
		FROM usage_events e JOIN environments v ON v.id = e.environment WHERE v.name = $1`,
		w.Environment.Name, secret, w.p.Key.Key[len(w.p.Key.Key)-20:]).Scan(&kept, &leaked)
	if err != nil || kept < 3 || leaked != 0 {
		w.t.Errorf("%d of %d requests are kept with a secret: %v", leaked, kept, err)
	}
}
