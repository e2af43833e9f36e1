package differential_test

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/waf"
	"github.com/sallyport/sallyport/dataplane/internal/waf/differential"
	"github.com/sallyport/sallyport/proto/ruleset/corpus"
)

// long says that there is time for all of the corpus.
func long() bool { return os.Getenv("SALLYPORT_LONG") != "" }

// some is what there is time for each time: seconds, with the race detector too. 101 shares no factor with the number of benign shapes.
var some = differential.Share{OneOf: 101, Mutants: 60, Patterns: 5, Samples: 1}

func share() differential.Share {
	if long() {
		return differential.Share{OneOf: 1, Mutants: 20_000, Samples: 20}
	}
	return some
}

func compile(t *testing.T, paranoia uint32, edit func(string) string) waf.Engine {
	t.Helper()
	rules, err := differential.RulesAt(paranoia)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edited := rules.Edited(edit)
		if edited.SecLang() == rules.SecLang() {
			t.Fatal("the edit changes nothing")
		}
		rules = edited
	}
	engine, err := waf.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// compare has engines judge the share of each kind that there is time for, and logs what came of it.
func compare(t *testing.T, one, other waf.Engine) []differential.Disagreement {
	t.Helper()
	var all []differential.Disagreement
	for _, kind := range differential.Kinds() {
		requests, err := differential.Requests(kind, share())
		if err != nil {
			t.Fatal(err)
		}
		report := differential.Compare(one, other, requests)
		t.Logf("%s: %d requests, %d found something in, %d blocked, %d disagreements; one took %v, the other %v",
			kind, report.Requests, report.Found, report.Blocked, len(report.Disagreements), report.One, report.Other)
		if report.Requests < 40 || kind != "benign" && report.Found < report.Requests/10 {
			t.Errorf("there are too few %s to say anything: %d, in %d of them something was found", kind, report.Requests, report.Found)
		}
		all = append(all, report.Disagreements...)
	}
	report := differential.Compare(one, other, publicPayloads(t))
	t.Logf("public payloads: %d requests, %d found something in, %d blocked, %d disagreements", report.Requests, report.Found, report.Blocked, len(report.Disagreements))
	return append(all, report.Disagreements...)
}

// Two engines of the same rules, asked at the same time and in either order, share pools and compiled patterns: nothing of one request may reach another.
func TestEnginesOfTheSameRulesAgree(t *testing.T) {
	t.Parallel()
	levels := []uint32{1}
	if long() {
		levels = []uint32{1, 2, 3, 4}
	}
	for _, level := range levels {
		for _, d := range compare(t, compile(t, level, nil), compile(t, level, nil)) {
			t.Errorf("level %d: %s", level, d)
		}
	}
}

// A comparison that saw nothing would be as good as none.
func TestARuleThatIsMissingIsSeen(t *testing.T) {
	t.Parallel()
	without := func(seclang string) string { return seclang + "SecRuleRemoveById 942100\n" }
	requests, err := differential.Requests("regression", differential.Share{OneOf: 31})
	if err != nil {
		t.Fatal(err)
	}
	report := differential.Compare(compile(t, 1, nil), compile(t, 1, without), requests)
	if len(report.Disagreements) < 3 {
		t.Errorf("%d requests are judged differently without the rule that finds SQL injections", len(report.Disagreements))
	}
	for _, d := range report.Disagreements {
		if !slices.Equal(d.Lost(), []int{942100}) || d.One.Score != d.Other.Score+5 {
			t.Errorf("without rule 942100: %s", d)
		}
	}
}

func TestVerdictsOfTwoProgramsAreCompared(t *testing.T) {
	t.Parallel()
	requests, err := differential.Requests("regression", differential.Share{OneOf: 97})
	if err != nil {
		t.Fatal(err)
	}
	var written bytes.Buffer
	if err := differential.Write(&written, differential.Verdicts(compile(t, 2, nil), requests)); err != nil {
		t.Fatal(err)
	}
	one, err := differential.Read(bytes.NewReader(written.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	other, err := differential.Read(strings.NewReader(strings.Replace(written.String(), `"block":true`, `"block":false`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	report, err := differential.Lines(one, other)
	if err != nil || len(report.Disagreements) != 1 || report.Requests != len(one) || report.Found == 0 {
		t.Errorf("of one changed verdict this is told: %+v, %v", report, err)
	}
	if _, err := differential.Lines(one, other[1:]); err == nil {
		t.Error("a stream that ends early is taken")
	}
	other[0].Request = "another"
	if _, err := differential.Lines(one, other); err == nil {
		t.Error("a verdict on another request is taken")
	}
	if _, err := differential.Read(strings.NewReader(`{"request":"a"`)); err == nil {
		t.Error("half a line is read")
	}
}

// prefiltered turns on the filter that Coraza can put in front of regular expressions.
func prefiltered(seclang string) string {
	return strings.Replace(seclang, "SecRxPreFilter Off", "SecRxPreFilter On", 1)
}

// missed are attacks that the rules find and the filter hides from them: what it takes for a necessary part of every match isn't. Where the expression is
// x(?:\s*foo|bar), it looks for "xfoo" or "xbar".
var missed = map[string]struct {
	rule          int
	target, agent string
}{
	"a number that has hung interpreters":   {rule: 942220, target: "/?x=" + url.QueryEscape("2.2250738585072007e-308")},
	"a session of somebody else's choosing": {rule: 943120, target: "/?cfsid=4711"},
}

// Coraza can leave regular expressions out that some text is necessary for. A fifth faster, but it must find the same: the filter is taken once it does, and this test
// then fails.
func TestTheFilterInFrontOfExpressionsMissesAttacks(t *testing.T) {
	t.Parallel()
	stock, filtered := compile(t, 1, nil), compile(t, 1, prefiltered)
	for name, attack := range missed {
		request := corpus.Request{Name: name, Method: "GET", Target: attack.target, Proto: "HTTP/1.1", Header: []corpus.Field{
			{Name: "Host", Value: "www.example.com"}, {Name: "User-Agent", Value: "test"}, {Name: "Accept", Value: "*/*"},
		}}
		one, other := differential.Judge(stock, &request), differential.Judge(filtered, &request)
		if !one.Block || !slices.Contains(one.Rules, attack.rule) {
			t.Errorf("%s isn't blocked by rule %d: %+v", name, attack.rule, one)
		}
		if other.Block {
			t.Errorf("%s is blocked by the filtered engine too: if the whole corpus agrees (SALLYPORT_LONG=1), take the filter", name)
		}
	}
	if long() {
		lost := map[int]int{}
		for _, d := range compare(t, stock, filtered) {
			for _, rule := range d.Lost() {
				lost[rule]++
			}
		}
		t.Logf("requests in which a rule misses what it finds without the filter: %v", lost)
	}
}

// Neither may a build tag turn the filter on behind our back.
func TestTheFilterIsOffWhateverTheBuild(t *testing.T) {
	t.Parallel()
	rules, err := differential.RulesAt(1)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(rules.SecLang(), "SecRxPreFilter Off\n") || strings.Contains(rules.SecLang(), "SecRxPreFilter On") {
		t.Error("the rules don't turn the filter off")
	}
}

func TestOnlyKindsThatThereAreAreJudged(t *testing.T) {
	t.Parallel()
	if _, err := differential.Requests("dreams", some); err == nil || !strings.Contains(err.Error(), fmt.Sprint(differential.Kinds())) {
		t.Errorf("got %v", err)
	}
}
