package explain_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// examples returns a kind's valid examples, which every kind has beside its contract.
func examples(t *testing.T, b pipeline.Binding) []json.RawMessage {
	t.Helper()
	folder := strings.ReplaceAll(b.Kind.Name, "-", "")
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "proto", "policy", folder, "testdata", "valid", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("kind %s has no valid examples: %v", b.Kind.Name, err)
	}
	var all []json.RawMessage
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	return all
}

// requests are of every sort that some kind looks at; key is that of a consumer.
func requests(key string) []*edgev1.ExplainQuestion {
	upload := asked("POST", "/upload?a=1", "X-Api-Key: "+key, "Content-Type: application/json", "Authorization: Bearer "+key)
	upload.BodyBytes = 1 << 20
	return []*edgev1.ExplainQuestion{
		asked("GET", "/x?y=z", "X-Tenant: 1"),
		asked("GET", "/x?api_key="+key, "X-Tenant: 2", "Cookie: api_key="+key),
		asked("OPTIONS", "/x", "Origin: https://shop.example", "Access-Control-Request-Method: PUT"),
		asked("GET", "/x", "Origin: https://shop.example", "X-Api-Key: "+key),
		upload,
	}
}

// sent is the request of a question as a client sends it.
func sent(q *edgev1.ExplainQuestion) edgetest.Request {
	r := edgetest.Request{Method: q.GetMethod(), Target: q.GetTarget(), Host: "shop.test", Address: q.GetPeer()}
	for _, f := range q.GetHeaders() {
		r.Header = append(r.Header, pipeline.Field{Name: f.GetName(), Value: f.GetValue()})
	}
	return r
}

// sight is all that a client and an operator see of a real request.
func sight(ex *pipeline.Exchange) string {
	var quotas []string
	for _, q := range ex.Quotas {
		quotas = append(quotas, fmt.Sprint(q.Remaining, " ", q.Reset))
	}
	return fmt.Sprint(ex.Response.Status, " ", ex.Verdict, " ", ex.ShadowVerdict, " ", quotas, " ", ex.Response.Header.Fields())
}

// Two nodes with the same configuration, one of which explains: what real requests meet there may not differ. It holds for
// every kind that there is, its state included.
func TestNoKindCountsOrSpendsInADryRun(t *testing.T) {
	for _, b := range policies.All() {
		for i, config := range examples(t, b) {
			for _, mode := range []string{"enforce", "shadow"} {
				if mode == "shadow" && !b.Kind.Traits.Decides {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d/%s", b.Kind.Name, i, mode), func(t *testing.T) {
					configuration := fmt.Sprintf(`{
						"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
						"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "public": true}],
						"policies": [{"name": "p", "kind": %q, "mode": %q, "config": %s, "attached_to": [{"environment": true}]}]
					}`, b.Kind.Name, mode, config)
					explains, doesNot := newEdge(t, configuration), newEdge(t, configuration)
					compareDry(t, explains, doesNot)
				})
			}
		}
	}
}

func compareDry(t *testing.T, explains, doesNot *edge) {
	t.Helper()
	ours, theirs := explains.Key(t, "alice", edgetest.Key{}), doesNot.Key(t, "alice", edgetest.Key{})
	questions, others := requests(ours), requests(theirs)
	before := maps.Collect(explains.Metrics.All())
	first := make([]*edgev1.Explanation, len(questions))
	for round := range 60 {
		for i, q := range questions {
			m := explains.explain(t, q)
			if round == 0 {
				first[i] = m
			}
			if m.GetVerdict() != first[i].GetVerdict() || !slices.EqualFunc(m.GetQuotas(), first[i].GetQuotas(), func(a, b *edgev1.ExplainedQuota) bool {
				return a.GetRemaining() == b.GetRemaining() && a.GetResetMs() == b.GetResetMs()
			}) {
				t.Fatalf("request %d is explained first as %v, later as %v", i, first[i], m)
			}
		}
	}
	if after := maps.Collect(explains.Metrics.All()); !maps.Equal(before, after) {
		t.Errorf("verdicts were counted: %v, before %v", after, before)
	}
	if n := counted(t, explains); n != 0 {
		t.Errorf("usage has %d batches", n)
	}
	for round := range 3 {
		for i := range questions {
			ex, other := explains.Do(sent(questions[i])), doesNot.Do(sent(others[i]))
			if got, want := strings.ReplaceAll(sight(ex), ours, theirs), sight(other); got != want {
				t.Fatalf("round %d, request %d: on the node that explained %s, on the other %s", round, i, got, want)
			}
			if round == 0 && i == 0 && string(ex.Verdict) != first[i].GetVerdict() {
				t.Fatalf("explained as %s, it was %s", first[i].GetVerdict(), ex.Verdict)
			}
		}
	}
}

// bus counts batches of usage.
type bus struct{ batches int }

func (b *bus) Publish(context.Context, string, []byte) error {
	b.batches++
	return nil
}

// counted ends an edge's usage, and returns how many batches it had to send.
func counted(t *testing.T, e *edge) int {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	b := new(bus)
	if err := usage.NewSender(e.usage, b, slog.New(slog.DiscardHandler)).Run(ctx, time.Second); err != nil {
		t.Fatal(err)
	}
	return b.batches
}

func TestARealRequestCountsInUsage(t *testing.T) {
	e := newEdge(t, shop)
	ex := e.proxy.Acquire()
	e.proxy.Serve(ex) // no route: no service is asked
	e.proxy.Finish(ex)
	if n := counted(t, e); n != 1 {
		t.Fatalf("%d batches", n) // else the test above proves nothing
	}
}
