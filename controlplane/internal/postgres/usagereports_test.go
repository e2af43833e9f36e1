package postgres_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

func TestMinutesThatAreGoneStillCountInTheirHours(t *testing.T) {
	u := usageDatabase(t)
	old := minute - 5*24*60
	taken, err := u.Ingest(t.Context(), []*usagev1.Batch{batch("n", "b", 1, counter(minute+30, 1), counter(old+7, 2), counter(old+59, 4), counter(1, 8))})
	if err != nil || taken.Late != 2 || taken.Moved != 1 || taken.Counters != 4 {
		t.Fatalf("%+v, %v", taken, err)
	}
	q := usage.Question{FromMinute: old, ToMinute: minute + 35, FromHour: old / 60, ToHour: minute / 60, BucketMinutes: 60, GroupBy: []usage.Dimension{usage.ByTime}, Limit: 10}
	rows, err := u.Usage(t.Context(), "env_1", q)
	if err != nil || len(rows) != 2 || rows[0].Minute != old || rows[0].Requests != 6 || rows[1].Minute != minute || rows[1].Requests != 1 {
		t.Errorf("%+v, %v", rows, err)
	}
	q.ToMinute = minute + 30 // the hour that is cut counts up to its minute
	if rows, err := u.Usage(t.Context(), "env_1", q); err != nil || len(rows) != 1 {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestRequestsAreListedNewestFirstAndFiltered(t *testing.T) {
	u := usageDatabase(t)
	route, consumer, key, policy := id.New(time.Now()), id.New(time.Now()), id.New(time.Now()), id.New(time.Now())
	at := minute * 60_000
	b := batch("node_1", "b", 1)
	b.Events = []*usagev1.Event{
		{TimeMs: at, RequestId: "req_a", Status: 401, Verdict: "credential_missing", Client: []byte{192, 0, 2, 7}, Route: route[:]},
		{TimeMs: at + 1, RequestId: "req_b", Status: 429, Verdict: "rate_limited", Client: []byte{192, 0, 3, 7}, Route: route[:], Consumer: consumer[:], Credential: key[:], Policy: policy[:], Revision: 7, Path: "/b"},
		{TimeMs: at + 1, RequestId: "req_c", Status: 200, Verdict: "allowed", Client: netip.MustParseAddr("2001:db8::1").AsSlice(), ShadowVerdict: "acl_denied", Decision: &usagev1.Decision{Scheme: "http"}},
	}
	b.EventsDropped = 5
	taken, err := u.Ingest(t.Context(), []*usagev1.Batch{b})
	if err != nil || taken.Requests != 3 || taken.Dropped != 5 {
		t.Fatalf("%+v, %v", taken, err)
	}
	for name, tt := range map[string]struct {
		change func(*usage.RequestQuestion)
		want   string
	}{
		"all":           {func(*usage.RequestQuestion) {}, "cba"},
		"before":        {func(q *usage.RequestQuestion) { q.ToMs = at + 1 }, "a"},
		"since":         {func(q *usage.RequestQuestion) { q.FromMs = at + 1 }, "cb"},
		"of a route":    {func(q *usage.RequestQuestion) { q.Routes = [][16]byte{route} }, "ba"},
		"of a consumer": {func(q *usage.RequestQuestion) { q.Consumers = [][16]byte{consumer} }, "b"},
		"of nobody":     {func(q *usage.RequestQuestion) { q.Consumers = [][16]byte{{}} }, "ca"},
		"of a key":      {func(q *usage.RequestQuestion) { q.Credentials = [][16]byte{key} }, "b"},
		"of a verdict":  {func(q *usage.RequestQuestion) { q.Verdicts = []string{"rate_limited", "x"} }, "b"},
		"of a shadow":   {func(q *usage.RequestQuestion) { q.ShadowVerdicts = []string{"acl_denied"} }, "c"},
		"of a status":   {func(q *usage.RequestQuestion) { q.Statuses = []int16{401, 200} }, "ca"},
		"of an id":      {func(q *usage.RequestQuestion) { q.RequestIDs = []string{"req_a"} }, "a"},
		"of a node":     {func(q *usage.RequestQuestion) { q.Nodes = []string{"node_2"} }, ""},
		"of an address": {func(q *usage.RequestQuestion) { q.Clients = []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")} }, "a"},
		"of address ranges": {func(q *usage.RequestQuestion) {
			q.Clients = []netip.Prefix{netip.MustParsePrefix("192.0.0.0/16"), netip.MustParsePrefix("2001:db8::/32")}
		}, "cba"},
		"two": {func(q *usage.RequestQuestion) { q.Limit = 2 }, "cb"},
	} {
		t.Run(name, func(t *testing.T) {
			q := everyRequest
			tt.change(&q)
			found, err := u.Requests(t.Context(), "env_1", q)
			got := ""
			for _, r := range found {
				got += r.ID[len("req_"):]
			}
			if err != nil || got != tt.want {
				t.Errorf("got %q, want %q: %v", got, tt.want, err)
			}
		})
	}
	first, err := u.Requests(t.Context(), "env_1", everyRequest)
	if err != nil {
		t.Fatal(err)
	}
	next := everyRequest // from behind the first of two in one millisecond
	next.BeforeMs, next.BeforeNumber = first[0].TimeMs, first[0].Number
	if rest, err := u.Requests(t.Context(), "env_1", next); err != nil || len(rest) != 2 || rest[0].ID != "req_b" {
		t.Errorf("%+v, %v", rest, err)
	}
	one, err := u.Request(t.Context(), "env_1", "req_b")
	if err != nil || one.Policy != [16]byte(policy) || one.Revision != 7 || one.Path != "/b" || one.Client.String() != "192.0.3.7" {
		t.Errorf("%+v, %v", one, err)
	}
	if c, err := u.Request(t.Context(), "env_1", "req_c"); err != nil || c.ShadowVerdict != "acl_denied" || len(c.Decision) == 0 || len(one.Decision) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := u.Request(t.Context(), "env_2", "req_b"); err == nil {
		t.Error("it is listed in another environment")
	}
}

func TestGapsInABootsNumbersAreMissingBatches(t *testing.T) {
	url := postgrestest.Database(t, postgres.Migrate)
	db, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	u := db.Usage()
	_, err = db.Pool().Exec(t.Context(), `
		INSERT INTO environments (id, name, epoch, revision, digest, sequence_needed, created_at) VALUES ('env_1', 'one', 1, 0, decode(repeat('00', 32), 'hex'), 0, now());
		INSERT INTO nodes (id, environment, name, join_token, bus_key, enrolled_at, certificate_expires_at, enabled) VALUES
			('gap', 'env_1', 'a', '', '', now() - interval '2 days', now() + interval '1 day', true),
			('fine', 'env_1', 'b', '', '', now() - interval '2 days', now() + interval '1 day', true),
			('never', 'env_1', 'c', '', '', now() - interval '2 days', now() + interval '1 day', true),
			('disabled', 'env_1', 'd', '', '', now() - interval '2 days', now() + interval '1 day', false),
			('gone', 'env_1', 'e', '', '', now() - interval '90 days', now() - interval '60 days', true);
		INSERT INTO node_lanes (node, lane, session, connected_until, seen_at) VALUES
			('gap', 1, decode(repeat('00', 16), 'hex'), now() + interval '1 minute', now()),
			('fine', 1, decode(repeat('00', 16), 'hex'), now() + interval '1 minute', now())`)
	if err != nil {
		t.Fatal(err)
	}
	dropped := batch("gap", "b", 5, counter(minute, 1))
	dropped.EventsDropped = 3
	_, err = u.Ingest(t.Context(), []*usagev1.Batch{
		batch("gap", "b", 2, counter(minute, 1)), dropped, batch("gap", "c", 1, counter(minute, 1)),
		batch("fine", "b", 1, counter(minute, 1)), batch("fine", "b", 2, counter(minute, 1)),
		batch("fine", "d", 2, counter(minute+60, 1)), batch("fine", "d", 1, counter(minute+61, 1)),
		batch("removed", "b", 1, counter(minute, 1)), batch("removed", "b", 1<<61, counter(minute, 1)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(from, to time.Time) map[string]usage.Heard {
		t.Helper()
		heard, err := u.Heard(t.Context(), "env_1", from, to)
		if err != nil {
			t.Fatal(err)
		}
		nodes := map[string]usage.Heard{}
		for _, h := range heard {
			nodes[h.Node] = h
		}
		return nodes
	}
	now := time.Now()
	got := ask(now.Add(-24*time.Hour), now.Add(time.Hour))
	if h := got["gap"]; h.Batches != 3 || h.Missing != 3 || h.Dropped != 3 || !h.SilentSince.IsZero() || h.LastBatch.IsZero() || h.Name != "a" {
		t.Errorf("%+v", h)
	}
	if h := got["fine"]; h.Batches != 4 || h.Missing != 0 || !h.SilentSince.IsZero() {
		t.Errorf("%+v", h)
	}
	if h := got["never"]; h.SilentSince.IsZero() || !h.LastBatch.IsZero() {
		t.Errorf("%+v", h)
	}
	if h, listed := got["disabled"]; listed {
		t.Errorf("%+v", h)
	}
	if h := got["gone"]; !h.SilentSince.IsZero() {
		t.Errorf("%+v", h)
	}
	if h := got["removed"]; h.Batches != 2 || h.Missing != 1<<61-2 || h.Name != "" {
		t.Errorf("%+v", h)
	}
	// A gap says nothing of the time before the boot's first request, and what is all there says nothing bad.
	before := time.Unix(minute*60, 0)
	if h := ask(before.Add(-time.Hour), before)["fine"]; h.Batches != 0 || h.Missing != 0 {
		t.Errorf("%+v", h)
	}
	if h := ask(before.Add(-time.Hour), before)["gap"]; h.Missing != 3 { // its first batches are missing: who knows
		t.Errorf("%+v", h)
	}
	// After the last of its batches came nothing that could be missing.
	if h := ask(now.Add(time.Hour), now.Add(2*time.Hour))["gap"]; h.Missing != 0 {
		t.Errorf("%+v", h)
	}
}
