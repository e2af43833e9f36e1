package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/ruleset"
	"github.com/sallyport/sallyport/proto/ruleset/corpus"
	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

var update = flag.Bool("update", false, "write down what becomes of the Core Rule Set's regression tests")

// crsTable is what becomes of each test that doesn't simply end as its authors expect of some web server, and why.
const crsTable = "testdata/crs_regression.tsv"

const (
	// slots is how many rules are tested at once. Each has a policy of its own, of which it is the only rule.
	slots    = 64
	slotName = "X-Slot"
	// askers ask at a time: an edge inspects about as many requests at once as it has processors, and lets others wait only so long.
	askers = 4
)

// trial is one of a regression test's requests, asked about one rule.
type trial struct {
	test *corpus.Test
	rule int
	// finds says that the rule is to find something.
	finds bool
}

func (c trial) key() string {
	want := "spares"
	if c.finds {
		want = "finds"
	}
	return fmt.Sprintf("%s\t%d\t%s", c.test.Name, c.rule, want)
}

// The Core Rule Set's own tests, over the wire: a client, an edge, a service that answers what the test needs. Where a rule is alone in its policy, and the least score is
// too much, the client gets to know by the answer whether the rule finds something, and needs no other way to ask.
func TestTheCoreRuleSetsTestsPassThroughTheEdge(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	upstream := harness.NewRawUpstream(t, reflect)
	service := s.Service("service", upstream.Address)
	rules, trials := trialsByRule()
	got := map[string]string{}
	for chunk := range slices.Chunk(rules, slots) {
		protect(t, s, service.Name, chunk)
		try(t, s.Edges()[0], chunk, trials, got)
	}
	for _, violation := range upstream.Violations() {
		t.Errorf("the service was sent a request that isn't canonical: %s", violation)
	}
	checkTable(t, got)
}

// reflect is the service that the tests are written for.
func reflect(r harness.RawRequest) harness.RawAnswer {
	path, _, _ := strings.Cut(r.Target, "?")
	answer := corpus.AnswerTo(path, []byte(r.Body))
	wire := fmt.Sprintf("HTTP/1.1 %d \r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", answer.Status, answer.Type, len(answer.Body))
	if r.Method != http.MethodHead {
		wire += string(answer.Body)
	}
	return harness.RawAnswer{Wire: wire}
}

// trialsByRule returns the rules that tests are about, sorted, and the trials of each.
func trialsByRule() ([]int, map[int][]trial) {
	trials := map[int][]trial{}
	for _, test := range corpus.Regression() {
		for _, rule := range test.Finds {
			trials[rule] = append(trials[rule], trial{&test, rule, true})
		}
		for _, rule := range test.Spares {
			trials[rule] = append(trials[rule], trial{&test, rule, false})
		}
		switch {
		case test.Logged != "":
			trials[test.Rule] = append(trials[test.Rule], trial{&test, test.Rule, true})
		case test.NotLogged != "":
			trials[test.Rule] = append(trials[test.Rule], trial{&test, test.Rule, false})
		case test.StatusOnly():
			trials[test.Rule] = append(trials[test.Rule], trial{&test, test.Rule, test.Status >= http.StatusBadRequest})
		}
	}
	return slices.Sorted(maps.Keys(trials)), trials
}

// protect makes a route and a policy for each rule, or changes those that there are.
func protect(t *testing.T, s *harness.Story, service string, rules []int) {
	t.Helper()
	var operations []sallyport.Operation
	for slot, rule := range rules {
		route, policy := s.Name(fmt.Sprint("route-", slot)), s.Name(fmt.Sprint("waf-", slot))
		operations = append(operations, sallyport.Operation{Action: "put", Collection: "routes", Key: route, Body: map[string]any{
			"name": route, "service": service, "public": true, "paths": []any{map[string]any{"prefix": "/"}},
			"headers": []any{map[string]any{"name": slotName, "exact": strconv.Itoa(slot)}},
		}}, sallyport.Operation{Action: "put", Collection: "policies", Key: policy, Body: map[string]any{
			"name": policy, "kind": "waf", "config": configOf(t, rule), "attached_to": []any{map[string]any{"route": route}},
		}})
	}
	made, err := s.API.ApplyChangesWithResponse(t.Context(), s.Environment.Name, &sallyport.ApplyChangesParams{Wait: s.Wait()}, sallyport.ChangesRequest{Operations: operations})
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
}

// configOf is what the tests presume, with one rule alone, and the least score too much; rules that add up have all others to add.
func configOf(t *testing.T, rule int) map[string]any {
	t.Helper()
	config := corpus.Presumed()
	inbound, outbound := uint32(1), uint32(1)
	if others := allBut(rule); others != nil {
		config.Exceptions = []*policyv1.WafException{{Rules: others}}
	} else {
		inbound, outbound = 5, 4
		if rule == 959100 { // requests pass, answers are judged
			inbound = 1000
		}
	}
	config.InboundThreshold, config.OutboundThreshold = &inbound, &outbound
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	object["budget"] = map[string]any{"per_address": "600s", "per_credential": "600s", "refill": "1s"}
	return object
}

// allBut are the ranges of all rules that find something but one; nil: that one only adds up.
func allBut(rule int) []string {
	var before, behind []int
	for _, known := range ruleset.Known() {
		switch {
		case known.ID == rule && known.Bookkeeping:
			return nil
		case known.Bookkeeping, known.ID == rule:
		case known.ID < rule:
			before = append(before, known.ID)
		default:
			behind = append(behind, known.ID)
		}
	}
	var ranges []string
	for _, ids := range [][]int{before, behind} {
		if len(ids) > 0 {
			ranges = append(ranges, fmt.Sprintf("%d-%d", ids[0], ids[len(ids)-1]))
		}
	}
	return ranges
}

// try sends the requests of the trials of some rules, and notes what becomes of each.
func try(t *testing.T, edge *harness.Edge, rules []int, trials map[int][]trial, got map[string]string) {
	t.Helper()
	field := arena{edge: strings.TrimPrefix(edge.URL, "http://")}
	type job struct {
		slot int
		trial
	}
	jobs := make(chan job)
	var mu sync.Mutex
	var sending sync.WaitGroup
	for range askers {
		sending.Go(func() {
			for j := range jobs {
				said, err := field.asked(t.Context(), j.slot, j.test)
				if err != nil {
					t.Errorf("%s: %v", j.test.Name, err)
				}
				mu.Lock()
				got[j.key()] = said
				mu.Unlock()
			}
		})
	}
	for slot, rule := range rules {
		for _, c := range trials[rule] {
			jobs <- job{slot, c}
		}
	}
	close(jobs)
	sending.Wait()
}

// asked sends a test's request to a slot, and says what comes back.
func (f *arena) asked(ctx context.Context, slot int, test *corpus.Test) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", f.edge)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	first, rest, _ := bytes.Cut(test.Request.Wire(), []byte("\n"))
	wire := slices.Concat(first, fmt.Appendf(nil, "\n%s: %d\r\n", slotName, slot), rest)
	if _, err := conn.Write(wire); err != nil && !isReset(err) {
		return "", err
	}
	if length, err := strconv.Atoi(test.Request.Get("Content-Length")); err == nil && length > len(test.Request.Body) {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil && !isReset(err) { // there is no more, whatever it says
			return "", err
		}
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: test.Request.Method})
	if isTheEnd(err) {
		return "cut off", nil
	}
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return "", err
	}
	return said(answer, body), nil
}

// said puts an answer into few words: what a rule has found, or else what the edge says that it refuses.
func said(answer *http.Response, body []byte) string {
	if answer.Header.Get("Content-Type") != "application/problem+json" {
		return "passed"
	}
	var problem struct{ Code, Detail string }
	if err := json.Unmarshal(body, &problem); err != nil { // to HEAD there is no body
		problem.Code = strconv.Itoa(answer.StatusCode)
	}
	switch problem.Code {
	case "waf_blocked", "403": // on a route that is public nothing else is forbidden
		return "blocked"
	case "waf_answer_blocked":
		return "withheld"
	}
	return fmt.Sprintf("refused: %d %s: %s", answer.StatusCode, problem.Code, problem.Detail)
}

// crsReasons are why trials end neither as their authors expect nor with a refusal that says why by itself.
var crsReasons = map[string]string{
	"920100-16": ofTarget,
	"920210-2":  ofConnection, "920210-3": ofConnection, "920210-4": ofConnection, "920210-6": ofConnection, "920210-7": ofConnection,
	"920240-4": ofBody, "920400-2": ofBody, "920420-9": ofBody, "922110-19": ofBody, "922130-8": ofBody, "932180-3": ofBody,
	"920620-1": "the authors' server hands on one of two fields Content-Type",
	"980170-2": ofLog,
}

const (
	ofTarget     = "the edge takes the path out of an absolute target before any stage sees it"
	ofConnection = "the edge takes Connection for itself (RFC 9110, section 7.6.1), and no stage or service sees it"
	ofBody       = "the rule finds nothing, but the body isn't what it says it is, and rule 200002 or 200003 refuses it"
	ofLog        = "reports scores in a log: it has none of its own"
)

// checkTable compares what became of the trials with what is written down: of those that end as expected, their number.
func checkTable(t *testing.T, got map[string]string) {
	t.Helper()
	var table strings.Builder
	expected := 0
	unused := maps.Clone(crsReasons)
	for _, key := range slices.Sorted(maps.Keys(got)) {
		outcome := got[key]
		if strings.HasSuffix(key, "\tfinds") && (outcome == "blocked" || outcome == "withheld") || strings.HasSuffix(key, "\tspares") && outcome == "passed" {
			expected++
			continue
		}
		name, _, _ := strings.Cut(key, "\t")
		reason, listed := crsReasons[name]
		delete(unused, name)
		if !listed && !strings.HasPrefix(outcome, "refused: ") {
			t.Errorf("%s: %s", strings.ReplaceAll(key, "\t", " "), outcome)
		}
		fmt.Fprintf(&table, "%s\t%s\t%s\n", key, outcome, reason)
	}
	for name := range unused {
		t.Errorf("%s ends as expected: it needs no reason", name)
	}
	written := fmt.Sprintf("# What becomes of the Core Rule Set's regression tests through an edge: %d of %d trials end as expected, these in another way.\ntest\trule\twant\tgot\twhy\n%s", expected, len(got), table.String())
	t.Logf("%d of %d trials end as expected", expected, len(got))
	if *update {
		if err := os.WriteFile(crsTable, []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	before, err := os.ReadFile(crsTable)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != written {
		t.Errorf("%s has changed; go test -run CoreRuleSet ./conformance -update writes it down. It is now:\n%s", crsTable, written)
	}
}
