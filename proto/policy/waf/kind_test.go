package waf_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/waf"
	"github.com/sallyport/sallyport/proto/resource"
)

// read returns a configuration as the kind's functions get it.
func read(t testing.TB, text string) *policyv1.Waf {
	t.Helper()
	var given policyv1.Waf
	if violations := resource.Decode([]byte(text), &given); len(violations) > 0 {
		t.Fatalf("%s: %v", text, violations)
	}
	return resource.Defaulted(&given)
}

func TestWhatIsAskedForAloneIsntDoneByDefault(t *testing.T) {
	if config := read(t, `{}`); config.GetSamples() != nil || config.GetAnswers() != nil {
		t.Errorf("samples are kept or answers inspected without being asked for: %v", config)
	}
	if config := read(t, `{"samples": {}, "answers": {}}`); config.GetSamples().GetOneIn() != 100 || config.GetAnswers() == nil || config.GetAnswers().GetBodies() {
		t.Errorf("asked for: %v", config)
	}
}

func TestItRunsBehindAllThatRefusesForLess(t *testing.T) {
	k := waf.Kind
	if k.Phase(read(t, `{}`)) != policy.Inspect || !k.Traits.Dear || !k.Traits.Decides || k.Traits.Body != policy.BodyBuffered || k.Merges || k.Capability != 6 {
		t.Errorf("%+v", k)
	}
}

func TestEffectsSayWhatIsOpenedAndWhatIsRefused(t *testing.T) {
	strict := `{"paranoia_level": 3, "inbound_threshold": 5, "answers": {"bodies": true}}`
	for _, tt := range []struct{ before, after, want string }{
		{``, `{}`, `attention requests_inspected: requests are inspected at paranoia level 1, and refused from a score of 5 on`},
		{`{}`, ``, `danger requests_uninspected: requests are no longer inspected for attacks`},
		{`{}`, `{}`, ``},
		{`{}`, strict, "attention paranoia_raised: requests are inspected at paranoia level 3, not 1\nattention answers_inspected: answers are inspected, and withheld where they score too much"},
		{strict, `{"inbound_threshold": 4, "outbound_threshold": 9}`, "danger paranoia_lowered: requests are inspected at paranoia level 1, not 3\n" +
			"attention inbound_threshold_lowered: requests are refused from a score of 4 on, not 5\n" +
			"danger outbound_threshold_raised: answers are withheld from a score of 9 on, not 4\ndanger answers_uninspected: answers are no longer inspected"},
		{strict, `{"paranoia_level": 3, "answers": {}}`, "danger answer_bodies_uninspected: bodies of answers are no longer inspected"},
		{`{}`, `{"request_body": {"beyond": "pass"}}`, "danger large_bodies_pass: bodies of more than 128 KiB pass without being inspected"},
		{`{"request_body": {"beyond": "pass"}}`, `{"request_body": {"max_bytes": 1048576}}`, "attention large_bodies_refused: bodies of more than 1 MiB are refused"},
		{`{}`, `{"request_body": {"max_bytes": 1000}}`, "attention body_limit_changed: bodies of more than 1000 bytes are refused; it was 128 KiB"},
		{`{}`, `{"request_body": {"ignore": true}}`, "danger bodies_uninspected: bodies of requests are no longer inspected"},
		{`{"request_body": {"ignore": true}}`, `{}`, "attention bodies_inspected: bodies of requests are inspected"},
		{
			``, `{"exceptions": [{"rules": ["942100"], "targets": ["argument:q"], "paths": ["/a"]}]}`,
			"attention requests_inspected: requests are inspected at paranoia level 1, and refused from a score of 5 on\n" +
				`danger exception_added: rules 942100 don't look at "argument:q" of requests for "/a"`,
		},
		{
			`{"exceptions": [{"tags": ["attack-sqli"], "rules": ["1-2"]}]}`, `{"exceptions": [{"tags": ["attack-sqli"]}]}`,
			"danger exception_added: rules tagged \"attack-sqli\" don't run\nattention exception_removed: no longer holds: rules 1-2 that are tagged \"attack-sqli\" don't run",
		},
		{
			`{}`, `{"rules_before": [{"message": "in", "action": "pass", "conditions": [{"target": "path", "equals": "/"}]}], "rules_after": [{"message": "out", "conditions": [{"target": "path", "equals": "/"}]}]}`,
			"danger rule_added: requests pass with nothing else looked at by the rule \"in\"\nattention rule_added: requests are refused at once by the rule \"out\"",
		},
		{
			`{"rules_before": [{"message": "in", "action": "score", "score": 3, "conditions": [{"target": "path", "equals": "/"}]}, {"message": "n", "action": "note", "conditions": [{"target": "path", "equals": "/"}]}]}`, `{}`,
			"danger rule_removed: no longer: requests score 3 by the rule \"in\"\ninfo rule_removed: no longer: requests are told of by the rule \"n\"",
		},
		{`{}`, `{"seclang_before": "SecMarker A"}`, "danger raw_rules_changed: raw rules are others than before: they may refuse and let pass anything"},
		{
			`{}`, `{"samples": {}, "budget": {"refill": "1m"}, "protocol": {"methods": ["GET"]}}`,
			"attention protocol_changed: other methods, content types or numbers of arguments are taken for usual\n" +
				"attention budget_changed: what inspecting a caller's requests may cost is bounded otherwise\n" +
				"attention samples_kept: nodes keep samples of inspected requests, sealed, in memory",
		},
	} {
		var before, after *policyv1.Waf
		if tt.before != "" {
			before = read(t, tt.before)
		}
		if tt.after != "" {
			after = read(t, tt.after)
		}
		var said []string
		for _, e := range effectsOf(before, after) {
			said = append(said, fmt.Sprintf("%s %s: %s", e.Severity, e.Code, e.Text))
		}
		if got := strings.Join(said, "\n"); got != tt.want {
			t.Errorf("%s → %s:\n%s\nwant\n%s", tt.before, tt.after, got, tt.want)
		}
	}
}

// effectsOf hands over nothing where there is no configuration.
func effectsOf(before, after *policyv1.Waf) []policy.Effect {
	switch {
	case before == nil:
		return waf.Kind.Effects(nil, after)
	case after == nil:
		return waf.Kind.Effects(before, nil)
	}
	return waf.Kind.Effects(before, after)
}

func TestCallersAreToldWhatIsInspected(t *testing.T) {
	say := func(config string) (said []string) {
		for _, s := range waf.Kind.Access(read(t, config), func(id string) string { return id }) {
			said = append(said, s.Part.String()+" "+s.Code+": "+s.Text)
		}
		return said
	}
	if got, want := say(`{}`), []string{
		"demand inspected: Requests don't look like attacks: those that score 5 or more by the Core Rule Set, at paranoia level 1, are refused.",
		"bound body_bytes: A body has at most 128 KiB.",
	}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got, want := say(`{"request_body": {"ignore": true}, "answers": {}}`)[1:], []string{
		"note bodies_uninspected: Bodies aren't inspected.", "note answers_inspected: Answers' headers are inspected: those that score 4 or more are withheld.",
	}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := say(`{"request_body": {"beyond": "pass", "max_bytes": 1000}, "answers": {"bodies": true}}`)[1:]; !slices.Equal(got, []string{
		"note large_bodies_uninspected: Bodies of more than 1000 bytes aren't inspected.", "note answers_inspected: Answers are inspected: those that score 4 or more are withheld.",
	}) {
		t.Errorf("%q", got)
	}
}

func BenchmarkValidate(b *testing.B) {
	for name, text := range map[string]string{
		"typed": `{"exceptions": [{"tags": ["attack-sqli"], "targets": ["argument:q"]}], "rules_before": [{"message": "m", "conditions": [{"target": "header:X", "matches": "^[a-z]+$"}]}]}`,
		"raw":   `{"seclang_before": "SecRule ARGS \"@rx attack[0-9]+\" \"id:1,phase:2,deny\"", "seclang_after": "SecRule ARGS \"@rx other[0-9]+\" \"id:2,phase:2,deny\""}`,
	} {
		config := read(b, text)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if violations := waf.Kind.Validate(config); len(violations) > 0 {
					b.Fatal(violations)
				}
			}
		})
	}
}
