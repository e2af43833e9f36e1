package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// misjudged is a story with a route whose callers write what a rule of the WAF takes for an attack.
type misjudged struct {
	*harness.Story
	t *testing.T
}

func newMisjudged(t *testing.T) misjudged {
	t.Helper()
	upstream := harness.NewUpstream(t, nil)
	s, _ := inspectedStory(t, upstream, "enforce", map[string]any{"samples": map[string]any{"one_in": 1}})
	other := s.Route(sallyport.Route{Name: s.Name("other"), Service: s.Name("service"), Paths: harness.Below("/other"), Public: true})
	s.Policy(sallyport.Policy{Name: s.Name("other"), Kind: "waf", Config: map[string]any{}, AttachedTo: []sallyport.Attachment{{Route: other.Name}}})
	settings, err := s.API.PatchSettingsWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name,
		&sallyport.PatchSettingsParams{Wait: s.Wait()}, map[string]any{"traced_per_million": 1_000_000})
	s.Must(settings, err)
	s.Applied(settings.HTTPResponse)
	return misjudged{s, t}
}

// A sum, in the words of one who sells by it. Rule 942100 alone finds something in it.
const benign = "1 OR 1=1"

// ask sends a text in an argument, and returns the id that its client is given.
func (w misjudged) ask(path, argument, text string, status int) string {
	w.t.Helper()
	answer := probe{path: path + "?" + argument + "=" + url.QueryEscape(text)}.send(w.t, w.Story)
	if answer.Status != status {
		w.t.Fatalf("%s in %s at %s is answered %s, want %d", text, argument, path, answer, status)
	}
	return answer.Header.Get("X-Request-Id")
}

// found returns what was found in a request, once that is kept.
func (w misjudged) found(id string) []sallyport.RequestFinding {
	w.t.Helper()
	var found []sallyport.RequestFinding
	harness.Eventually(w.t, time.Minute, func() error {
		got, err := w.API.GetRequestWithResponse(w.t.Context(), w.Environment.Name, id)
		if err := sallyport.Check(got, err); err != nil {
			return err
		}
		found = got.JSON200.Decision.Findings
		return nil
	})
	return found
}

func (w misjudged) suggest(wish sallyport.ExclusionWish) *sallyport.SuggestedExclusions {
	w.t.Helper()
	got, err := w.API.SuggestWafExclusionsWithResponse(w.t.Context(), w.Environment.Name, &sallyport.SuggestWafExclusionsParams{Wait: w.Wait()}, wish)
	w.Must(got, err)
	return got.JSON200
}

func (w misjudged) patch(exclusion string, changes map[string]any) {
	w.t.Helper()
	got, err := w.API.PatchWafExclusionWithApplicationMergePatchPlusJSONBodyWithResponse(w.t.Context(), w.Environment.Name, exclusion,
		&sallyport.PatchWafExclusionParams{Wait: w.Wait()}, changes)
	w.Must(got, err)
	w.Applied(got.HTTPResponse)
}

func TestAFalsePositiveIsUnderstoodExcludedInShadowEnforcedAndEnds(t *testing.T) {
	t.Parallel()
	w := newMisjudged(t)
	refused := w.ask("/", "comment", benign, http.StatusForbidden)
	if found := w.found(refused); len(found) != 1 || found[0].Rule != "942100" || found[0].Target != "argument:comment" || found[0].Score != 5 {
		t.Fatalf("found is %+v", found)
	}

	plan := w.suggest(sallyport.ExclusionWish{Request: refused})
	if plan.Published || len(plan.Proposals) != 1 || plan.Proposals[0].ID != "" || plan.Proposals[0].Rule != 942100 || plan.Proposals[0].Target != "argument:comment" ||
		!plan.Suffices || *plan.Proposals[0].Mode != "shadow" || plan.Proposals[0].Owner == "" {
		t.Fatalf("suggested is %+v", plan)
	}
	trial := plan.Trial
	if trial.Code != "" || trial.AttacksRefused == 0 || trial.SamplesRefused == 0 || trial.SamplesOpened != trial.SamplesRefused {
		t.Errorf("tried on the node: %+v", trial)
	}
	if (plan.Verdict == "opens_attacks") != (trial.AttacksOpened > 0) || !strings.Contains(strings.Join(plan.Sentences, " "), "would no longer look at argument:comment") {
		t.Errorf("the verdict is %q: %q", plan.Verdict, plan.Sentences)
	}
	for _, a := range trial.Opened {
		if !strings.HasPrefix(a.Test, "942100-") {
			t.Errorf("it opens %+v", a)
		}
	}

	made := w.suggest(sallyport.ExclusionWish{Request: refused, Publish: true})
	if !made.Published || len(made.Proposals) != 1 || !strings.HasPrefix(made.Proposals[0].ID, "wfx_") {
		t.Fatalf("made is %+v", made)
	}
	exclusion := made.Proposals[0]
	w.inShadowIsNoted(exclusion)

	w.patch(exclusion.ID, map[string]any{"mode": "enforce"})
	w.ask("/", "comment", benign, http.StatusOK)
	w.ask("/", "comment", "<script>alert(1)</script>", http.StatusForbidden) // another rule, in the same argument
	w.ask("/", "name", benign, http.StatusForbidden)
	w.ask("/other", "comment", benign, http.StatusForbidden)

	w.patch(exclusion.ID, map[string]any{"expires_at": time.Now().Add(2 * time.Second).UTC()})
	harness.Eventually(t, time.Minute, func() error {
		if answer := (probe{path: "/?comment=" + url.QueryEscape(benign)}).send(t, w.Story); answer.Code() != "waf_blocked" {
			return fmt.Errorf("behind its end it lets pass: %s", answer)
		}
		return nil
	})
	w.deletedWithItsRouteAlone(exclusion)
}

// inShadowIsNoted holds that an exclusion in shadow lets nothing pass, and that what it would is told of.
func (w misjudged) inShadowIsNoted(exclusion sallyport.WafExclusion) {
	w.t.Helper()
	noted := w.found(w.ask("/", "comment", benign, http.StatusForbidden))
	if len(noted) != 1 || noted[0].Exclusion != exclusion.ID {
		w.t.Errorf("in shadow is noted %+v", noted)
	}
	metrics := w.Metrics(w.Edges()[0])
	if n, opened := metrics.Sum("sallyport_edge_waf_exclusions_noted_total"), metrics.Sum("sallyport_edge_waf_exclusions_opened_total"); n != 1 || opened != 1 {
		w.t.Errorf("in shadow are counted %v findings and %v requests", n, opened)
	}
	if kept := metrics.Sum("sallyport_edge_waf_samples"); kept < 2 {
		w.t.Errorf("%v samples are kept", kept)
	}
}

// deletedWithItsRouteAlone holds that a route which an exclusion is for isn't deleted from under it.
func (w misjudged) deletedWithItsRouteAlone(exclusion sallyport.WafExclusion) {
	w.t.Helper()
	gone, err := w.API.DeleteRouteWithResponse(w.t.Context(), w.Environment.Name, exclusion.Route, &sallyport.DeleteRouteParams{})
	if err := sallyport.Check(gone, err); err == nil || gone.StatusCode() != http.StatusConflict || !strings.Contains(string(gone.Body), exclusion.ID) {
		w.t.Errorf("its route is deleted: %v", err)
	}
}

func TestAnExclusionEndsWithinAYearAndNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	w := newMisjudged(t)
	for name, exclusion := range map[string]sallyport.WafExclusion{
		"it is over":      {Rule: 942100, Target: "argument:a", ExpiresAt: time.Now().Add(-time.Minute)},
		"beyond a year":   {Rule: 942100, Target: "argument:a", ExpiresAt: time.Now().AddDate(1, 1, 0)},
		"no such rule":    {Rule: 942999, Target: "argument:a", ExpiresAt: time.Now().AddDate(0, 1, 0)},
		"no such part":    {Rule: 942100, Target: "soul:a", ExpiresAt: time.Now().AddDate(0, 1, 0)},
		"the score":       {Rule: 949110, Target: "argument:a", ExpiresAt: time.Now().AddDate(0, 1, 0)},
		"a tag of nobody": {Tag: "none", Target: "argument:a", ExpiresAt: time.Now().AddDate(0, 1, 0)},
	} {
		exclusion.Name, exclusion.Route, exclusion.Owner = w.Name("x"), w.Name("route"), "ann"
		got, err := w.API.CreateWafExclusionWithResponse(t.Context(), w.Environment.Name, &sallyport.CreateWafExclusionParams{}, exclusion)
		if err := sallyport.Check(got, err); err == nil || got.StatusCode() != http.StatusBadRequest {
			t.Errorf("%s: %d, %v", name, got.StatusCode(), err)
		}
	}
}
