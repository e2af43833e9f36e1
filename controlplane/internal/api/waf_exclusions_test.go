package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// refusedByWAF is the id of a request that a rule of the WAF refused.
func (c *counted) refusedByWAF() string {
	c.t.Helper()
	policy := c.make(http.MethodPost, at("policies"), `{"name":"waf","kind":"waf","config":{},"attached_to":[{"route":"orders"}]}`).text("id")
	request := id.Text(id.Request, id.New(c.at))
	batch := &usagev1.Batch{
		Node: id.Text(id.Node, id.ID{15: 1}), Environment: c.environment, Boot: "b", Number: 1,
		Events: []*usagev1.Event{{
			TimeMs: c.at.UnixMilli(), RequestId: request, Method: "GET", Host: "api.example", Path: "/orders", Client: []byte{192, 0, 2, 1},
			Route: c.raw(id.Route, c.route), Status: 403, Verdict: string(problem.WafBlocked), Policy: c.raw(id.Policy, policy), Revision: 1, DurationUs: 5,
			Decision: &usagev1.Decision{Findings: []*usagev1.Finding{{
				Policy: c.raw(id.Policy, policy), Rule: "942100", Message: "SQL Injection Attack Detected via libinjection", Target: "argument:comment", Part: "0 OR 0=0", Score: 5,
			}}},
		}},
	}
	if _, err := c.db.Usage().Ingest(c.t.Context(), []*usagev1.Batch{batch}); err != nil {
		c.t.Fatal(err)
	}
	return request
}

func TestASuggestedExclusionIsMadeInTheSameCallIfThatIsWishedAndRecorded(t *testing.T) {
	c := newCounted(t)
	request := c.refusedByWAF()
	suggest := at("waf-exclusions", "suggest")

	before := len(c.events(at("audit-events")))
	plan := c.make(http.MethodPost, suggest, `{"request":"`+request+`"}`)
	proposal := plan.list("proposals")[0]
	if proposal["rule"] != 942100.0 || proposal.text("target") != "argument:comment" || proposal.text("route") != c.route || proposal.text("mode") != "shadow" || proposal.text("owner") == "" {
		t.Errorf("proposed is %v", proposal)
	}
	if plan["published"] == true || plan["suffices"] != true || plan.text("verdict") != "untried" { // no node is connected
		t.Errorf("suggested is %v", plan)
	}
	if n := len(c.events(at("audit-events"))); n != before || len(c.make(http.MethodGet, at("waf-exclusions"), "").list("data")) != 0 {
		t.Errorf("what is only suggested is written: %d events", n-before)
	}

	ends := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	made := c.make(http.MethodPost, suggest, `{"request":"`+request+`","rule":942100,"expires_at":"`+ends+`","publish":true}`)
	name := made.list("proposals")[0].text("name")
	kept := c.make(http.MethodGet, at("waf-exclusions", name), "")
	if made["published"] != true || kept.text("id") == "" || kept.text("mode") != "shadow" || kept.text("expires_at") != ends {
		t.Errorf("made is %v", kept)
	}
	if events := c.events(at("audit-events")); len(events) != before+1 || events[0].text("operation") != "suggestWafExclusions" {
		t.Errorf("recorded are %d events, the latest %v", len(events)-before, events[0])
	}
	// The next proposal for it has another name.
	if again := c.make(http.MethodPost, suggest, `{"request":"`+request+`"}`).list("proposals")[0].text("name"); again == name {
		t.Error("a proposal has the name of an exclusion that there is")
	}
	c.do(http.MethodPost, suggest, `{"request":"`+request+`","publish":true,"expires_at":"2031-01-01T00:00:00Z"}`).wantProblem(t, problem.InvalidRequest)
}

func TestWhoMayNotWriteExclusionsIsSuggestedNone(t *testing.T) {
	c := newCounted(t)
	request := c.refusedByWAF()
	body := `{"request":"` + request + `","publish":true}`
	reader := c.grantee("reads", place{environment: "production"}, "waf-exclusions.read", "usage.read", access.WriteConfiguration)
	c.do(http.MethodPost, at("waf-exclusions", "suggest"), body, as(reader)).want(t, http.StatusForbidden)
	writer := c.grantee("writes", place{environment: "production"}, access.WriteExclusions)
	c.do(http.MethodPost, at("waf-exclusions", "suggest"), body, as(writer)).want(t, http.StatusOK)
}

// Who may write exclusions of one team's routes alone may not open another's, whatever else they may write.
func TestExclusionsAreForTheRoutesOfTheTeamForWhichTheyMayBeWritten(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	for _, team := range []string{"blue", "red"} {
		w.make(http.MethodPost, at("teams"), `{"name":"`+team+`"}`)
		w.make(http.MethodPost, at("services"), `{"name":"of-`+team+`","team":"`+team+`","upstream":{"targets":[{"address":"s.test:80"}]}}`)
		w.make(http.MethodPost, at("routes"), `{"name":"of-`+team+`","team":"`+team+`","service":"of-`+team+`","public":true,"hosts":["`+team+`.test"],"paths":[{"prefix":"/"}]}`)
	}
	exclusion := func(name, team string) string {
		return `{"name":"` + name + `","team":"` + team + `","route":"of-` + team + `","rule":942100,"target":"argument:a","owner":"ann","expires_at":"` +
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`
	}
	token := w.grantee("all-configuration", place{environment: "production"}, access.WriteConfiguration, access.ReadConfiguration, "changes.write")
	w.bind("all-configuration", place{environment: "production", team: "blue"}, w.make(http.MethodPost, "/api/v1/roles", `{"name":"opener","permissions":["waf-exclusions.write"]}`).text("id"))
	w.do(http.MethodPost, at("waf-exclusions"), exclusion("blue", "blue"), as(token)).want(t, http.StatusCreated)
	if answer := w.do(http.MethodPost, at("waf-exclusions"), exclusion("red", "red"), as(token)); answer.status < http.StatusBadRequest {
		t.Errorf("another team's route is opened: %d %s", answer.status, answer.body)
	}
	batch := `{"operations":[{"action":"patch","collection":"routes","key":"of-red","body":{"description":"red"}},{"action":"create","collection":"waf-exclusions","body":` + exclusion("both", "red") + `}]}`
	if answer := w.do(http.MethodPost, at("changes"), batch, as(token)); answer.status < http.StatusBadRequest {
		t.Errorf("beside another write it is opened: %d %s", answer.status, answer.body)
	}
}
