package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// inspected makes a public route, below "/", whose bodies a policy looks at.
func inspected(s *harness.Story, kind string, mode sallyport.PolicyMode, upstream *harness.Upstream, config map[string]any) sallyport.Route {
	service := s.Service("service", upstream.Address)
	route := s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/"), Public: true})
	s.Policy(sallyport.Policy{
		Name: s.Name("inspection"), Kind: kind, Mode: &mode, Config: config, AttachedTo: []sallyport.Attachment{{Route: route.Name}},
	})
	return route
}

func mediaHeader(media string, more ...string) http.Header {
	h := http.Header{"Content-Type": {media}}
	for i := 0; i+1 < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

// A caller is told each place of its JSON that goes beyond what may be; the service hears nothing of it.
func TestJSONOfTwoReadingsReachesNoService(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	route := inspected(s, "json-guard", sallyport.PolicyModeEnforce, upstream, map[string]any{"max_depth": 4, "max_text_bytes": 100})
	for _, edge := range s.Edges() {
		answer, err := edge.Do(t.Context(), harness.Request{
			Method: "POST", Host: s.Host, Path: "/", Header: mediaHeader("application/json"), Body: `{"price":1,"items":[{"price":1e999}],"price":100}`,
		})
		if err != nil {
			t.Fatal(err)
		}
		var problem struct {
			Errors []struct{ Pointer, Code, Detail string } `json:"errors"`
		}
		if answer.Status != http.StatusBadRequest || answer.Code() != "json_refused" || json.Unmarshal(answer.Body, &problem) != nil || len(problem.Errors) != 2 {
			t.Fatalf("two prices are answered %s", answer)
		}
		if got := fmt.Sprint(problem.Errors[0].Pointer, problem.Errors[0].Code, problem.Errors[1].Pointer, problem.Errors[1].Code); got != "/priceduplicate_field/items/0/priceout_of_range" {
			t.Errorf("the places are %s", got)
		}
		answer, err = edge.Do(t.Context(), harness.Request{Method: "POST", Host: s.Host, Path: "/", Header: mediaHeader("application/json"), Body: `{"price":1}`})
		if err != nil || answer.Status != http.StatusOK {
			t.Errorf("one price is answered %s, %v", answer, err)
		}
	}
	edges := len(s.Edges())
	if got := len(upstream.Requests()); got != edges {
		t.Errorf("the service got %d requests", got)
	}
	counted(t, s, harness.Usage{
		{Route: route.ID, StatusClass: 4, Verdict: "json_refused"}: edges,
		{Route: route.ID, StatusClass: 2, Verdict: "allowed"}:      edges,
	})
}

func TestInShadowJSONIsCountedAndRefusedToNobody(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	inspected(s, "json-guard", sallyport.PolicyModeShadow, upstream, map[string]any{})
	edge := s.Edges()[0]
	before := s.Metrics(edge).Sum("sallyport_edge_stage_verdicts_total", `kind="json-guard"`, `mode="shadow"`, `verdict="json_refused"`)
	const body = `{"a":1,"a":2`
	answer, err := edge.Do(t.Context(), harness.Request{Method: "POST", Host: s.Host, Path: "/", Header: mediaHeader("application/json"), Body: body})
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("in shadow it is answered %s, %v", answer, err)
	}
	if got := upstream.Requests(); len(got) != 1 || got[0].Body != body {
		t.Errorf("the service got %+v", got)
	}
	if got := s.Metrics(edge).Sum("sallyport_edge_stage_verdicts_total", `kind="json-guard"`, `mode="shadow"`, `verdict="json_refused"`); got <= before {
		t.Errorf("it isn't counted")
	}
}

// What was looked at goes on to the service as the client sent it: coded, in chunks or not, with its trailers, over HTTP/1.1 and HTTP/2.
func TestAnInspectedBodyReachesTheServiceAsItCame(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	inspected(s, "json-guard", sallyport.PolicyModeEnforce, upstream, map[string]any{})
	coded, large := gzipped(`{"a":"`+strings.Repeat("é", 500)+`"}`), `["`+strings.Repeat("x", 60_000)+`"]`
	edge := s.Edges()[0]
	head := "POST / HTTP/1.1\r\nHost: " + s.Host + "\r\nContent-Type: application/json\r\n"
	chunk := func(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }
	for name, tt := range map[string]struct{ wire, reaches string }{
		"of a stated length":  {head + "Content-Encoding: gzip\r\nContent-Length: " + fmt.Sprint(len(coded)) + "\r\n\r\n" + coded, "\r\n\r\n" + coded},
		"large":               {head + "Content-Length: " + fmt.Sprint(len(large)) + "\r\n\r\n" + large, "\r\n\r\n" + large},
		"in chunks":           {head + "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(coded[:10]) + chunk(coded[10:]) + "0\r\n\r\n", chunk(coded) + "0\r\n\r\n"},
		"with trailers":       {head + "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(`{"t":1}`) + "0\r\nX-Sum: 42\r\n\r\n", chunk(`{"t":1}`) + "0\r\nX-Sum: 42\r\n\r\n"},
		"of no length at all": {head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "\r\n\r\n0\r\n\r\n"},
	} {
		answer, err := edge.DoRaw(t.Context(), tt.wire)
		if err != nil || answer.Status != http.StatusOK {
			t.Errorf("%s: %s, %v", name, answer, err)
		}
		if !bytes.Contains(upstream.Raw(), []byte(tt.reaches)) {
			t.Errorf("%s: it didn't reach the service as it came", name)
		}
	}
	expecting(t, edge, head)
}

func TestABodyThatCameOverHTTP2IsInspectedAndGoesOnAsItCame(t *testing.T) {
	t.Parallel()
	s := overTLS(t, 1)
	s.Certificate("api", s.authority.Issue(t, "api.test"), "api.test")
	s.Policy(sallyport.Policy{Name: s.Name("guard"), Kind: "json-guard", Config: map[string]any{}, AttachedTo: []sallyport.Attachment{{Route: s.Name("open")}}})
	config := s.client("api.test")
	config.NextProtos = []string{"h2"}
	body := gzipped(`{"a":"` + strings.Repeat("é", 500) + `"}`)
	for sent, code := range map[string]string{body: "", gzipped(`{"a":1,"a":2}`): "json_refused", "{}": "body_refused"} {
		answer, state, err := s.Edges()[0].Secure(t.Context(), config,
			harness.Request{Method: "POST", Host: "api.test", Path: "/", Header: mediaHeader("application/json", "Content-Encoding", "gzip"), Body: sent})
		if err != nil || answer.Code() != code || state.NegotiatedProtocol != "h2" {
			t.Fatalf("%q is answered %s, %v", code, answer, err)
		}
	}
	if got := s.upstream.Requests(); len(got) != 1 || got[0].Body != body {
		t.Errorf("the service gets %+v", got)
	}
}

func gzipped(text string) string {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, text) // a buffer takes everything
	_ = w.Close()
	return packed.String()
}

// expecting shows that a client that waits for it is asked for the body that is to be looked at, and refused by what it then sends.
func expecting(t *testing.T, edge *harness.Edge, head string) {
	t.Helper()
	w := edge.Wire(t)
	if err := w.Say(head + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if interim, err := w.In.ReadString('\n'); err != nil || !strings.HasPrefix(interim, "HTTP/1.1 100 ") {
		t.Fatalf("it is told %q, %v", interim, err)
	}
	if _, err := w.In.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := w.Say("{"); err != nil {
		t.Fatal(err)
	}
	if answer, err := w.Answer("POST"); err != nil || answer.Code() != "json_refused" {
		t.Errorf("then it is answered %s, %v", answer, err)
	}
}
