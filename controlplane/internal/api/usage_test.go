package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// counted is a world in which a consumer with a key was counted on a route.
type counted struct {
	*world
	environment, route, consumer, key string
	at                                time.Time
}

func newCounted(t *testing.T) *counted {
	t.Helper()
	c := &counted{world: newWorld(t), at: time.Now().Add(-time.Minute).Truncate(time.Millisecond)}
	c.make(http.MethodPost, at("services"), ordersService)
	c.route = c.make(http.MethodPost, at("routes"), ordersRoute).text("id")
	c.consumer = c.make(http.MethodPost, at("consumers"), `{"name":"acme"}`).text("id")
	c.key = c.make(http.MethodPost, at("api-keys"), `{"name":"acme-key","consumer":"acme"}`).text("id")
	c.environment = c.make(http.MethodGet, "/api/v1/environments/production", "").text("id")
	return c
}

func (c *counted) raw(prefix, text string) []byte {
	c.t.Helper()
	raw, err := id.Parse(prefix, text)
	if err != nil {
		c.t.Fatal(err)
	}
	return raw[:]
}

// count has a node report a number of requests and of rejected ones, listed each.
func (c *counted) count(number uint64, requests int) {
	c.t.Helper()
	route, consumer, key := c.raw(id.Route, c.route), c.raw(id.Consumer, c.consumer), c.raw(id.APIKey, c.key)
	batch := &usagev1.Batch{
		Node: id.Text(id.Node, id.ID{15: 1}), Environment: c.environment, Boot: "b", Number: number,
		Counters: []*usagev1.Counter{
			{Minute: c.at.Unix() / 60, Route: route, Consumer: consumer, StatusClass: 2, Verdict: "allowed", Requests: uint64(requests)},
		},
		Credentials: []*usagev1.CredentialCount{
			{Credential: key, Consumer: consumer, Hour: c.at.Unix() / 3600, Requests: uint64(requests), LastUsedMs: c.at.UnixMilli()},
		},
		EventsDropped: 2,
	}
	for i := range requests {
		batch.Events = append(batch.Events, &usagev1.Event{
			TimeMs: c.at.UnixMilli(), RequestId: id.Text(id.Request, id.ID{14: byte(number), 15: byte(i + 1)}), Method: "GET", Host: "api.example", Path: "/orders",
			Client: []byte{192, 0, 2, 1}, Route: route, Consumer: consumer, Credential: key, Status: 429, Verdict: "rate_limited", Revision: 1, DurationUs: 5,
		})
	}
	if _, err := c.db.Usage().Ingest(c.t.Context(), []*usagev1.Batch{batch}); err != nil {
		c.t.Fatal(err)
	}
}

func TestUsageSaysWhoItWasAfterTheyAreGone(t *testing.T) {
	c := newCounted(t)
	c.count(1, 3)
	check := func() {
		t.Helper()
		usage := c.make(http.MethodGet, at("usage")+"?group_by=route,consumer", "")
		row := usage.list("data")[0]
		if row["requests"] != 3.0 || row.text("route_name") != "orders" || row.text("consumer_name") != "acme" || row.text("route") != c.route {
			t.Errorf("%v", row)
		}
		keys := c.make(http.MethodGet, at("usage", "credentials"), "")
		row = keys.list("data")[0]
		if row["requests"] != 3.0 || row.text("credential_name") != "acme-key" || row.text("consumer_name") != "acme" || row.text("credential") != c.key || row["time"] != nil {
			t.Errorf("%v", row)
		}
		request := c.make(http.MethodGet, at("requests"), "").list("data")[0]
		if request.text("route_name") != "orders" || request.text("consumer_name") != "acme" || request.text("credential_name") != "acme-key" || request.text("policy_name") != "" {
			t.Errorf("%v", request)
		}
	}
	check()
	for _, gone := range []string{at("routes", "orders"), at("api-keys", "acme-key"), at("consumers", "acme")} {
		c.do(http.MethodDelete, gone, "").want(t, http.StatusOK, http.StatusNoContent)
	}
	check()
	// Another of the same name is somebody else.
	other := c.make(http.MethodPost, at("consumers"), `{"name":"acme"}`).text("id")
	if rows := c.make(http.MethodGet, at("usage")+"?group_by=consumer&filter[consumer]="+other, "").list("data"); len(rows) != 0 {
		t.Errorf("%v", rows)
	}
	check()
}

func TestLastUseOfAKeyIsShownAndBelongsToNoVersionOfIt(t *testing.T) {
	c := newCounted(t)
	before := c.do(http.MethodGet, at("api-keys", "acme-key"), "").want(t, http.StatusOK)
	if _, used := before.object(t)["last_used_at"]; used {
		t.Errorf("a key that nobody used says %s", before.body)
	}
	c.count(1, 1)
	after := c.do(http.MethodGet, at("api-keys", "acme-key"), "").want(t, http.StatusOK)
	used, err := time.Parse(time.RFC3339, after.object(t).text("last_used_at"))
	if err != nil || !used.Equal(c.at) {
		t.Errorf("last used at %v: %v", used, err)
	}
	if before.header.Get("ETag") != after.header.Get("ETag") {
		t.Error("use changes the ETag, and so breaks every write that waits for it")
	}
	if listed := c.make(http.MethodGet, at("api-keys"), "").list("data")[0]; listed.text("last_used_at") == "" {
		t.Errorf("the list says %v", listed)
	}
	// What was read can be written back, also when the key was used in between.
	c.at = c.at.Add(time.Second)
	c.count(2, 1)
	shown := after.object(t)
	shown["description"] = "changed"
	body, err := json.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	c.do(http.MethodPut, at("api-keys", "acme-key"), string(body), header("If-Match", after.header.Get("ETag"))).want(t, http.StatusOK)
	if now := c.make(http.MethodGet, at("api-keys", "acme-key"), ""); now.text("description") != "changed" || now.text("last_used_at") == shown.text("last_used_at") {
		t.Errorf("%v", now)
	}
}

func TestAnswersSayWhatTheyCover(t *testing.T) {
	c := newCounted(t)
	c.count(1, 1)
	coverage := func(path string) object {
		t.Helper()
		found, ok := c.make(http.MethodGet, path, "")["coverage"].(map[string]any)
		if !ok {
			t.Fatalf("%s says nothing of it", path)
		}
		return found
	}
	paths := []string{at("usage"), at("usage", "credentials"), at("usage", "findings"), at("requests")}
	for _, path := range paths {
		if got := coverage(path); got["complete"] != true || got["missing_batches"] != 0.0 || got["dropped_requests"] != 2.0 || len(got.list("nodes")) != 1 {
			t.Errorf("%s: %v", path, got)
		}
	}
	c.count(4, 1)
	for _, path := range paths {
		if got := coverage(path); got["complete"] != false || got["missing_batches"] != 2.0 || got.list("nodes")[0]["missing_batches"] != 2.0 {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestRequestsArePagedFilteredAndFoundByTheirID(t *testing.T) {
	c := newCounted(t)
	c.count(1, 5)
	seen := map[string]bool{}
	path := at("requests") + "?limit=2&filter[verdict]=rate_limited,other&filter[route]=orders&filter[client]=192.0.2.0/24"
	pages := 0
	for next := ""; ; pages++ {
		page := c.make(http.MethodGet, path+next, "")
		for _, r := range page.list("data") {
			seen[r.text("request_id")] = true
		}
		cursor, more := page["next_cursor"].(string)
		if !more {
			break
		}
		next = "&cursor=" + cursor
	}
	if len(seen) != 5 || pages != 2 {
		t.Errorf("%d requests on %d pages", len(seen), pages+1)
	}
	for one := range seen {
		got := c.make(http.MethodGet, at("requests", one), "")
		if got.text("request_id") != one || got.text("client") != "192.0.2.1" || got["status"] != 429.0 || got.text("credential") != c.key {
			t.Errorf("%v", got)
		}
	}
	if rows := c.make(http.MethodGet, at("requests")+"?filter[status]=200", "").list("data"); len(rows) != 0 {
		t.Errorf("%v", rows)
	}
	c.do(http.MethodGet, at("requests", "req_01jc0000000000000000000000"), "").want(t, http.StatusNotFound).wantProblem(t, problem.NotFound)
	for query, pointer := range map[string]string{
		"filter[status]=ok":                 "/filter/status",
		"filter[status]=99":                 "/filter/status/0",
		"filter[client]=somewhere":          "/filter/client/0",
		"filter[request_id]=x":              "/filter/request_id/0",
		"filter[node]=edge-1":               "/filter/node/0",
		"filter[credential]=nothing":        "/filter/credential/0",
		"filter[colour]=red":                "/filter/colour",
		"filter[rule]=942100,":              "/filter/rule/1",
		"from=soon":                         "/from",
		"limit=0":                           "/limit",
		"cursor=" + strings.Repeat("A", 12): "/cursor",
	} {
		c.do(http.MethodGet, at("requests")+"?"+query, "").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, pointer)
	}
}

func TestCredentialsAreCountedByTheHourAndTheDay(t *testing.T) {
	c := newCounted(t)
	c.count(1, 2)
	for _, bucket := range []string{"1h", "1d"} {
		row := c.make(http.MethodGet, at("usage", "credentials")+"?filter[credential]=acme-key&filter[consumer]=acme&bucket="+bucket, "").list("data")[0]
		if begin, err := time.Parse(time.RFC3339, row.text("time")); err != nil || begin.After(c.at) || row["requests"] != 2.0 || row.text("last_used_at") == "" {
			t.Errorf("%s: %v, %v", bucket, row, err)
		}
	}
	for query, pointer := range map[string]string{"bucket=1m": "/bucket", "filter[route]=orders": "/filter/route", "filter[consumer]=nobody": "/filter/consumer/0"} {
		c.do(http.MethodGet, at("usage", "credentials")+"?"+query, "").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, pointer)
	}
}

func TestMinutesOfLongAgoAreRefusedAndDaysAreAnswered(t *testing.T) {
	c := newCounted(t)
	c.count(1, 2)
	from := time.Now().Add(-72 * time.Hour).UTC().Format(time.RFC3339)
	c.do(http.MethodGet, at("usage")+"?group_by=time&bucket=1m&from="+from, "").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/bucket")
	if rows := c.make(http.MethodGet, at("usage")+"?group_by=time&bucket=1d&from="+from, "").list("data"); len(rows) != 1 || rows[0]["requests"] != 2.0 {
		t.Errorf("%v", rows)
	}
}

func TestATimeBeyondWhatCanBeToldIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{at("usage"), at("usage", "credentials"), at("requests"), at("audit-events")} {
		for _, to := range []string{"9999-12-31T23:59:59.999999999Z", "9999-12-31T01:00:00-12:00", "1970-01-01T00:00:00%2B14:00"} {
			w.do(http.MethodGet, path+"?to="+to, "").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/to")
		}
	}
}

// find has a node report requests of three consumers that a policy refused for what a rule found.
func (c *counted) find() (policy string) {
	c.t.Helper()
	policy = c.make(http.MethodPost, at("policies"), `{"name":"guard","kind":"request-limits","config":{"max_headers":50}}`).text("id")
	route, by := c.raw(id.Route, c.route), c.raw(id.Policy, policy)
	batch := &usagev1.Batch{Node: id.Text(id.Node, id.ID{15: 1}), Environment: c.environment, Boot: "f", Number: 1}
	for n := range byte(3) {
		consumer := id.ID{15: n + 1}
		batch.Counters = append(batch.Counters, &usagev1.Counter{Minute: c.at.Unix() / 60, Route: route, Consumer: consumer[:], StatusClass: 2, Verdict: "allowed", Requests: 1})
		batch.Events = append(batch.Events, &usagev1.Event{
			TimeMs: c.at.UnixMilli(), RequestId: id.Text(id.Request, id.ID{14: 9, 15: n + 1}), Method: "POST", Host: "api.example", Path: "/orders",
			Route: route, Consumer: consumer[:], Policy: by, Status: 403, Verdict: "waf_blocked", Revision: 1,
			Decision: &usagev1.Decision{Findings: []*usagev1.Finding{
				{Policy: by, Rule: "942100", Message: "SQL Injection Attack", Target: "argument:comment", Part: "0' or 0=0 --", Score: 5},
			}},
		})
	}
	if _, err := c.db.Usage().Ingest(c.t.Context(), []*usagev1.Batch{batch}); err != nil {
		c.t.Fatal(err)
	}
	return policy
}

func TestARequestShowsWhatWasFoundInItAndIsListedByIt(t *testing.T) {
	c := newCounted(t)
	policy := c.find()
	listed := c.make(http.MethodGet, at("requests")+"?filter[rule]=942100", "").list("data")
	if len(listed) != 3 || len(c.make(http.MethodGet, at("requests")+"?filter[rule]=941100", "").list("data")) != 0 {
		t.Fatalf("listed by its rule: %v", listed)
	}
	decision, _ := c.make(http.MethodGet, at("requests", listed[0].text("request_id")), "")["decision"].(map[string]any)
	found := object(decision).list("findings")
	if len(found) != 1 || found[0].text("rule") != "942100" || found[0].text("policy") != policy || found[0].text("policy_name") != "guard" || found[0]["score"] != 5.0 ||
		found[0].text("target") != "argument:comment" || found[0].text("part") != "0' or 0=0 --" || found[0].text("message") != "SQL Injection Attack" {
		t.Errorf("found %v", found)
	}
}

func TestAReportSaysWhichRuleIsNoiseAndWhy(t *testing.T) {
	c := newCounted(t)
	policy := c.find()
	for query, rows := range map[string]int{"": 1, "?filter[route]=orders&filter[policy]=guard&filter[rule]=942100": 1, "?filter[rule]=941100": 0, "?limit=1": 1, "?filter[route]=": 0} {
		if got := c.make(http.MethodGet, at("usage", "findings")+query, "").list("data"); len(got) != rows {
			t.Errorf("%q: %v", query, got)
		}
	}
	row := c.make(http.MethodGet, at("usage", "findings"), "").list("data")[0]
	if row.text("route_name") != "orders" || row.text("policy") != policy || row.text("policy_name") != "guard" || row.text("rule") != "942100" || row["requests"] != 3.0 || row["refused"] != 3.0 ||
		row["consumers"] != 3.0 || row["consumers_succeeded"] != 3.0 || row["consumers_failed"] != 0.0 || row.text("target") != "argument:comment" || row["likely_noise"] != true ||
		!strings.Contains(row.text("reason"), "3 of 3 consumers") {
		t.Errorf("reported %v", row)
	}
	for query, pointer := range map[string]string{
		"filter[consumer]=x": "/filter/consumer", "filter[route]=nothing": "/filter/route/0", "filter[rule]=": "/filter/rule/0", "limit=501": "/limit", "from=soon": "/from",
	} {
		c.do(http.MethodGet, at("usage", "findings")+"?"+query, "").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, pointer)
	}
}
