package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// attack holds a secret: what the WAF finds is told, and the secret isn't.
const attack = "1' or '1'='1' union select password from users-- " + secret

// customer is a consumer with a key of theirs.
type customer struct{ name, key string }

func (w tracing) customer(of string) customer {
	w.t.Helper()
	consumer := w.Consumer(of)
	key := w.Key(sallyport.APIKey{Consumer: consumer.Name})
	return customer{name: consumer.Name, key: key.Key}
}

// comments has a customer leave a comment, and returns the request's id.
func (w tracing) comments(by customer, comment string, status int) string {
	w.t.Helper()
	header := http.Header{"X-Api-Key": {by.key}, "User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}}
	answer, err := w.Edges()[0].Do(w.t.Context(), harness.Request{Method: http.MethodGet, Host: w.Host, Path: "/comments?comment=" + url.QueryEscape(comment), Header: header})
	if err != nil || answer.Status != status {
		w.t.Fatalf("answered %s, %v; want %d", answer, err, status)
	}
	return answer.Header.Get("X-Request-Id")
}

// waf attaches a waf policy to the story's route, with a budget that it doesn't spend.
func (w tracing) waf(mode sallyport.PolicyMode) sallyport.Policy {
	w.t.Helper()
	return w.Policy(sallyport.Policy{
		Name: w.Name("waf"), Kind: "waf", Mode: &mode, AttachedTo: []sallyport.Attachment{{Route: w.p.Route.Name}},
		Config: map[string]any{"budget": map[string]any{"per_address": "600s", "per_credential": "600s", "refill": "1s"}},
	})
}

// report returns what the report says of a rule on the story's route, once it counts so many requests.
func (w tracing) report(rule string, requests int) sallyport.UsageFindingRow {
	w.t.Helper()
	var row sallyport.UsageFindingRow
	harness.Eventually(w.t, time.Minute, func() error {
		found, err := w.API.GetFindingUsageWithResponse(w.t.Context(), w.Environment.Name,
			&sallyport.GetFindingUsageParams{Filter: &sallyport.FindingFilter{Rule: rule, Route: w.p.Route.Name}})
		if err := sallyport.Check(found, err); err != nil {
			return err
		}
		if bytes.Contains(found.Body, []byte(secret)) {
			w.t.Errorf("a secret is told: %s", found.Body)
		}
		if len(found.JSON200.Data) != 1 || found.JSON200.Data[0].Requests != requests {
			return fmt.Errorf("reported %s", found.Body)
		}
		row = found.JSON200.Data[0]
		return nil
	})
	return row
}

func finding(all []sallyport.RequestFinding, rule string) sallyport.RequestFinding {
	if i := slices.IndexFunc(all, func(f sallyport.RequestFinding) bool { return f.Rule == rule }); i >= 0 {
		return all[i]
	}
	return sallyport.RequestFinding{}
}

func TestABlockedRequestTellsRulesAndScoreAndNoValue(t *testing.T) {
	t.Parallel()
	w := newTracing(t)
	waf := w.waf("enforce")
	acme := w.customer("acme")
	blocked := w.comments(acme, attack, http.StatusForbidden)
	r := w.kept(blocked)
	f := finding(r.Decision.Findings, "942100")
	if r.Verdict != "waf_blocked" || r.PolicyName != waf.Name || f.PolicyName != waf.Name || f.Target != "argument:comment" || f.Score == 0 || f.Message == "" || f.InAnswer {
		t.Fatalf("kept as %s, %+v", r.Verdict, r.Decision.Findings)
	}
	for _, f := range r.Decision.Findings {
		if len(f.Part) > 64 || strings.Contains(f.Part, "sesame") || strings.Contains(f.Part, "password") {
			t.Errorf("rule %s tells what matched as %q", f.Rule, f.Part)
		}
	}
	if got := w.search(sallyport.RequestFilter{Rule: "942100"}); got != blocked {
		t.Errorf("listed by its rule: %s", got)
	}
	if got := w.search(sallyport.RequestFilter{Rule: "950130"}); got != "" {
		t.Errorf("listed by another rule: %s", got)
	}
	explained, err := w.API.ExplainWithResponse(t.Context(), w.Environment.Name, nil, sallyport.HypotheticalRequest{
		Target: "/comments?comment=" + url.QueryEscape(attack), Host: w.Host, Caller: sallyport.HypotheticalCaller{Consumer: acme.name},
		Headers: []sallyport.HypotheticalHeader{{Name: "User-Agent", Value: "Mozilla/5.0"}, {Name: "Accept", Value: "*/*"}},
	})
	w.Must(explained, err)
	stages := explained.JSON200.Nodes[0].Stages
	of := slices.IndexFunc(stages, func(s sallyport.ExplanationStage) bool { return s.Policy == waf.ID })
	if of < 0 || !slices.ContainsFunc(stages[of].Findings, func(f sallyport.ExplanationFinding) bool {
		return f.Rule == "942100" && f.Target == "argument:comment" && !strings.Contains(f.Part, "sesame")
	}) {
		t.Errorf("explained by %+v", stages)
	}
}

func TestAReportTellsWhoseNormalCallsARuleFindsSomethingIn(t *testing.T) {
	t.Parallel()
	w := newTracing(t)
	w.waf("enforce")
	customers := []customer{w.customer("a"), w.customer("b"), w.customer("c"), w.customer("d")}
	for i, c := range customers {
		w.comments(c, attack, http.StatusForbidden)
		if i > 0 {
			w.comments(c, "nice", http.StatusAccepted)
		}
	}
	harness.Eventually(t, time.Minute, func() error { // counters come with the same batches as what is listed, or earlier ones
		if row := w.report("942100", len(customers)); row.ConsumersSucceeded != 3 {
			return fmt.Errorf("reported %+v", row)
		}
		return nil
	})
	row := w.report("942100", len(customers))
	if row.Consumers != 4 || row.ConsumersFailed != 1 || row.Refused != 4 || row.Target != "argument:comment" || row.Reason == "" || row.RouteName != w.p.Route.Name {
		t.Errorf("reported %+v", row)
	}
}

func TestWhatAWAFInShadowFindsIsReportedAndIsNoSuccess(t *testing.T) {
	t.Parallel()
	w := newTracing(t)
	w.waf("shadow")
	w.comments(w.customer("a"), attack, http.StatusAccepted)
	row := w.report("942100", 1)
	if row.ShadowRefused != 1 || row.Refused != 0 || row.Consumers != 1 || row.ConsumersSucceeded != 0 {
		t.Errorf("reported %+v", row)
	}
}
