package differential_test

import (
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/waf"
	"github.com/sallyport/sallyport/dataplane/internal/waf/differential"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/ruleset"
	"github.com/sallyport/sallyport/proto/ruleset/corpus"
)

// notAsTested are the regression tests that Coraza doesn't pass, and why. Tests of a status alone, which a web server sends by itself, are about no rule: the
// edge's own are in tests/conformance.
var notAsTested = map[string]string{
	"920181-1": "expects a server that drops the length of a request that is chunked too",
	"920290-4": "engines aren't told of a Host without a value, which the edge refuses",
	"920430-5": "expects a request without a version to be answered as HTTP/0.9",
	"920620-1": "expects a server that hands on one of two fields Content-Type",
	"920640-5": "its body has no length and so is none to a server; engines are given it here",
	"921140-1": "expects a server that refuses a control character in a field before rules see it, as the edge does",
	"980170-1": "expects a line of the log that reports both scores: ours are in the decision",
	"980170-2": "expects a line of the log that reports both scores: ours are in the decision",
}

// The whole suite goes through a real edge (tests/conformance). Here one of 41 is enough to hold that engines see what was sent, and all tests that
// nobody passes, so that none of them stays on the list for longer than it is true.
func TestEnginesPassTheRegressionTests(t *testing.T) {
	t.Parallel()
	rules, err := ruleset.Compose(resource.Defaulted(corpus.Presumed()))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := waf.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	passed, listed, statuses := 0, 0, 0
	for n, test := range corpus.Regression() {
		reason := notAsTested[test.Name]
		switch {
		case test.StatusOnly():
			statuses++
			continue
		case n%41 != 0 && reason == "" && !long():
			continue
		}
		wrong := differential.JudgeTest(engine, &test)
		switch {
		case wrong == "" && reason == "":
			passed++
		case wrong == "":
			t.Errorf("%s passes now: take it off the list", test.Name)
		case reason == "":
			t.Errorf("%s: %s", test.Name, wrong)
		default:
			listed++
		}
	}
	if listed != len(notAsTested) {
		t.Errorf("%d of the %d tests on the list are still there", listed, len(notAsTested))
	}
	t.Logf("%d tests pass, %d are on the list, %d are about a status alone", passed, listed, statuses)
}
