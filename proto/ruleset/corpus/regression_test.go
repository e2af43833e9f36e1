package corpus

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// The numbers are those of the rule set's version: who raises it looks at what came and went.
func TestAllRegressionTestsAreRead(t *testing.T) {
	t.Parallel()
	all := Regression()
	if len(all) != 4680 {
		t.Errorf("there are %d tests", len(all))
	}
	kinds := map[string]int{}
	names := map[string]bool{}
	for _, test := range all {
		if names[test.Name] {
			t.Errorf("there are two tests %s", test.Name)
		}
		names[test.Name] = true
		switch {
		case len(test.Finds) > 0:
			kinds["finds"]++
		case len(test.Spares) > 0:
			kinds["spares"]++
		case test.Logged != "" || test.NotLogged != "":
			kinds["log"]++
		case test.Status != 0:
			kinds["status"]++
		default:
			t.Errorf("%s expects nothing", test.Name)
		}
		if test.Request.Raw != nil {
			kinds["raw"]++
		}
	}
	t.Log(kinds)
}

func TestATestIsReadAsItsFrameworkSendsIt(t *testing.T) {
	t.Parallel()
	all, err := readTests(fstest.MapFS{"a/1.yaml": {Data: []byte(`---
meta: {author: x}
rule_id: 942100
tests:
  - test_id: 3
    stages:
      - input: {dest_addr: 127.0.0.1, port: 80, method: POST, uri: "/post?a=b", headers: {Host: localhost, B: 2, A: 1}, data: 'q={{ "1" | repeat 3 }}'}
        output: {log: {expect_ids: [942100], no_expect_ids: [1]}}
      - input: {encoded_request: R0VUIC8gSFRUUC8xLjAKCg==}
        output: {status: 400}
`)}, "a/2.yaml": {Data: []byte("---\n")}})
	if err != nil || len(all) != 2 {
		t.Fatalf("got %d tests, %v", len(all), err)
	}
	const want = "POST /post?a=b HTTP/1.1\r\nHost: localhost\r\nB: 2\r\nA: 1\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\nContent-Length: 5\r\n\r\nq=111"
	if got := string(all[0].Request.Wire()); got != want {
		t.Errorf("sent is %q", got)
	}
	if all[0].Name != "942100-3" || !slices.Equal(all[0].Finds, []int{942100}) || !slices.Equal(all[0].Spares, []int{1}) {
		t.Errorf("read is %+v", all[0])
	}
	if all[1].Name != "942100-3.2" || all[1].Status != 400 || !strings.HasPrefix(string(all[1].Request.Wire()), "GET / HTTP/1.0\n") {
		t.Errorf("read is %+v", all[1])
	}
}

func TestAFieldThatIsNotKnownIsAnError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"rule_id: 1\nsurprise: 1",
		"rule_id: 1\ntests: [{test_id: 1, stages: [{input: {}, output: {log: {expect_nothing: 1}}}]}]",
		"rule_id: 1\ntests: [{test_id: 1, stages: [{input: {encoded_request: '!'}, output: {}}]}]",
	} {
		if _, err := readTests(fstest.MapFS{"1.yaml": {Data: []byte(text)}}); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}
