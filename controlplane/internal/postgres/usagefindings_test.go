package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// sight is one request in which something was found.
type sight struct {
	at       int64 // milliseconds since 1970
	route    id.ID
	consumer id.ID // zero: nobody known
	client   byte
	passed   bool
	rules    []string
	target   string
}

var (
	inspector = id.ID{15: 1}
	orders    = id.ID{15: 2}
	items     = id.ID{15: 3}
)

func consumerOf(n int) id.ID { return id.ID{0: 1, 14: byte(n >> 8), 15: byte(n)} }

func (s sight) event(n int) *usagev1.Event {
	e := &usagev1.Event{
		TimeMs: s.at, RequestId: fmt.Sprintf("req_%06d", n), Status: 403, Verdict: "waf_blocked", Policy: inspector[:], Route: s.route[:],
		Client: []byte{192, 0, 2, s.client}, Decision: new(usagev1.Decision),
	}
	if s.consumer != (id.ID{}) {
		e.Consumer = s.consumer[:]
	}
	if s.passed {
		e.Status, e.Verdict, e.ShadowVerdict, e.Policy = 200, "allowed", "waf_blocked", nil
		e.Decision.Steps = []*usagev1.Step{{Policy: inspector[:], Verdict: usagev1.Step_VERDICT_SHADOW_REFUSED}}
	}
	for _, rule := range s.rules {
		e.Decision.Findings = append(e.Decision.Findings, &usagev1.Finding{Policy: inspector[:], Rule: rule, Message: "of " + rule, Target: s.target})
	}
	return e
}

// let counts requests of a consumer that were let pass and answered well.
func let(at int64, route, consumer id.ID, requests uint64) *usagev1.Counter {
	return &usagev1.Counter{Minute: at, Route: route[:], Consumer: consumer[:], StatusClass: 2, Verdict: "allowed", Requests: requests}
}

func findingsReport(t *testing.T, u *postgres.Usage, change func(*usage.FindingQuestion)) usage.FindingSums {
	t.Helper()
	q := usage.FindingQuestion{FromMs: 0, ToMs: 1 << 50, MostFindings: 100_000, FirstMinute: minute - 24*60, Limit: 100}
	change(&q)
	sums, err := u.Findings(t.Context(), "env_1", q)
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func row(t *testing.T, sums usage.FindingSums, route id.ID, rule string) usage.FindingSum {
	t.Helper()
	for _, r := range sums.Rows {
		if r.Route == [16]byte(route) && r.Rule == rule {
			return r
		}
	}
	t.Fatalf("nothing of %s: %+v", rule, sums)
	return usage.FindingSum{}
}

func ingest(t *testing.T, u *postgres.Usage, sights []sight, counters ...*usagev1.Counter) {
	t.Helper()
	b := batch("node_1", "b", 1, counters...)
	for i, s := range sights {
		b.Events = append(b.Events, s.event(i))
	}
	if taken, err := u.Ingest(t.Context(), []*usagev1.Batch{b}); err != nil || taken.Requests != len(sights) {
		t.Fatalf("%+v, %v", taken, err)
	}
}

func TestAReportTellsWhichConsumersSucceedOtherwise(t *testing.T) {
	t.Parallel()
	u := usageDatabase(t)
	at := minute * 60_000
	old := minute - 3*24*60 // by the hour alone
	ingest(t, u, []sight{
		{at: at, route: orders, consumer: consumerOf(1), rules: []string{"942100"}, target: "argument:comment"},
		{at: at + 1, route: orders, consumer: consumerOf(1), rules: []string{"942100"}, target: "argument:comment"},
		{at: at, route: orders, consumer: consumerOf(2), rules: []string{"942100", "941100", "942100"}, target: "argument:comment"},
		{at: at, route: orders, consumer: consumerOf(3), rules: []string{"942100"}, target: "cookie:a"},
		{at: at, route: orders, consumer: consumerOf(4), passed: true, rules: []string{"942100"}, target: "cookie:a"},
		{at: at, route: orders, consumer: consumerOf(5), passed: true, rules: []string{"942100"}, target: "cookie:b"},
		{at: at, route: orders, client: 7, rules: []string{"942100"}, target: "cookie:b"},
		{at: at + 5, route: orders, client: 7, rules: []string{"942100"}, target: "cookie:b"},
		{at: at, route: items, consumer: consumerOf(1), rules: []string{"942100"}, target: "body"},
		{at: old * 60_000, route: items, consumer: consumerOf(6), rules: []string{"921110"}, target: "body"},
		{at: old*60_000 + 1, route: items, consumer: consumerOf(7), passed: true, rules: []string{"921110"}, target: "body"},
	},
		let(minute+10, orders, consumerOf(1), 1),                                          // in time
		let(minute+11, orders, consumerOf(2), 1), let(minute-1, orders, consumerOf(2), 1), // too late, and too early
		&usagev1.Counter{Minute: minute, Route: orders[:], Consumer: idBytes(consumerOf(3)), StatusClass: 4, Verdict: "allowed", Requests: 9}, // no success
		let(minute, orders, consumerOf(4), 1), // the very request that was found in
		let(minute, orders, consumerOf(5), 2), // and another
		let(old+7, items, consumerOf(6), 1), let(old, items, consumerOf(7), 1),
	)
	sums := findingsReport(t, u, func(*usage.FindingQuestion) {})
	if sums.All != 4 || sums.Findings != 12 || sums.OldestMs != old*60_000 || sums.Rows[0].Rule != "942100" || sums.Rows[0].Requests != 8 {
		t.Errorf("%+v", sums)
	}
	r := row(t, sums, orders, "942100")
	if r.Requests != 8 || r.Refused != 6 || r.ShadowRefused != 2 || r.Consumers != 5 || r.Succeeded != 2 || r.Addresses != 1 || r.Policy != [16]byte(inspector) {
		t.Errorf("%+v", r)
	}
	if r.Message != "of 942100" || r.Target != "argument:comment" || r.TargetRequests != 3 || r.LastMs != at+5 || r.LastRequest != "req_000007" || r.RulesPerRequest != 9.0/8 {
		t.Errorf("%+v", r)
	}
	if r := row(t, sums, items, "942100"); r.Consumers != 1 || r.Succeeded != 0 {
		t.Errorf("success on another route counts: %+v", r)
	}
	if r := row(t, sums, items, "921110"); r.Consumers != 2 || r.Succeeded != 1 {
		t.Errorf("by the hour: %+v", r)
	}
}

func idBytes(of id.ID) []byte { return of[:] }

func TestAReportIsFilteredAndBounded(t *testing.T) {
	t.Parallel()
	u := usageDatabase(t)
	at := minute * 60_000
	ingest(t, u, []sight{
		{at: at, route: orders, consumer: consumerOf(1), rules: []string{"1", "2"}},
		{at: at + 60_000, route: items, consumer: consumerOf(1), rules: []string{"1"}},
		{at: at + 120_000, route: items, consumer: consumerOf(1), rules: []string{"1"}},
	})
	for name, tt := range map[string]struct {
		change                         func(*usage.FindingQuestion)
		rows, all, findings, requested int64
	}{
		"all":              {func(*usage.FindingQuestion) {}, 3, 3, 4, 4},
		"of a route":       {func(q *usage.FindingQuestion) { q.Routes = [][16]byte{orders} }, 2, 2, 2, 2},
		"of a rule":        {func(q *usage.FindingQuestion) { q.Rules = []string{"1"} }, 2, 2, 3, 3},
		"of a policy":      {func(q *usage.FindingQuestion) { q.Policies = [][16]byte{orders} }, 0, 0, 0, 0},
		"before":           {func(q *usage.FindingQuestion) { q.ToMs = at + 60_000 }, 2, 2, 2, 2},
		"since":            {func(q *usage.FindingQuestion) { q.FromMs = at + 1 }, 1, 1, 2, 2},
		"two rows":         {func(q *usage.FindingQuestion) { q.Limit = 2 }, 2, 3, 4, 3},
		"the latest three": {func(q *usage.FindingQuestion) { q.MostFindings = 3 }, 2, 2, 3, 3},
	} {
		sums := findingsReport(t, u, tt.change)
		var requests int64
		for _, r := range sums.Rows {
			requests += r.Requests
		}
		if int64(len(sums.Rows)) != tt.rows || (tt.rows > 0 && (sums.All != tt.all || sums.Findings != tt.findings)) || requests != tt.requested {
			t.Errorf("%s: %d requests in %+v", name, requests, sums)
		}
	}
	q := usage.FindingQuestion{ToMs: 1 << 50, MostFindings: 10, Limit: 10}
	if other, err := u.Findings(t.Context(), "env_2", q); err != nil || len(other.Rows) != 0 {
		t.Errorf("told in another environment: %+v, %v", other, err)
	}
}

func TestRequestsAreListedByTheRuleThatFoundSomethingInThem(t *testing.T) {
	t.Parallel()
	u := usageDatabase(t)
	at := minute * 60_000
	ingest(t, u, []sight{{at: at, route: orders, rules: []string{"1", "2"}}, {at: at, route: orders, rules: []string{"2"}}, {at: at, route: orders}})
	for rules, want := range map[string]int{"1": 1, "2": 2, "3": 0} {
		q := everyRequest
		q.Rules = []string{rules}
		if found, err := u.Requests(t.Context(), "env_1", q); err != nil || len(found) != want {
			t.Errorf("of %s: %d requests, %v", rules, len(found), err)
		}
	}
}

// TestAReportOfManyFindingsIsBounded has thousands of consumers whose requests many rules find something in.
func TestAReportOfManyFindingsIsBounded(t *testing.T) {
	t.Parallel()
	u := usageDatabase(t)
	at := minute * 60_000
	const consumers, each = 2000, 4
	var sights []sight
	var counters []*usagev1.Counter
	for n := range consumers {
		for i := range int64(each) {
			sights = append(sights, sight{at: at + i*60_000 + int64(n), route: orders, consumer: consumerOf(n), rules: []string{"942100", fmt.Sprint(n % 50)}, target: "argument:" + fmt.Sprint(n%3)})
		}
		if n%4 != 0 {
			counters = append(counters, let(minute+5, orders, consumerOf(n), 1))
		}
	}
	ingest(t, u, sights, counters...)
	began := time.Now()
	sums := findingsReport(t, u, func(q *usage.FindingQuestion) { q.Limit = 10 })
	t.Logf("%d findings are reported in %s", sums.Findings, time.Since(began))
	r := row(t, sums, orders, "942100")
	if sums.All != 51 || len(sums.Rows) != 10 || sums.Findings != 2*consumers*each || r.Requests != consumers*each || r.Consumers != consumers || r.Succeeded != consumers*3/4 || r.RulesPerRequest != 2 {
		t.Errorf("%d rows of %d: %+v", len(sums.Rows), sums.All, r)
	}
	if cut := findingsReport(t, u, func(q *usage.FindingQuestion) { q.MostFindings = 1000 }); cut.Findings != 1000 || cut.OldestMs <= at {
		t.Errorf("%d findings since %d", cut.Findings, cut.OldestMs)
	}
}
