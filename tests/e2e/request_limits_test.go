package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

func limits(name string, attached sallyport.Attachment, config map[string]any) sallyport.Policy {
	return sallyport.Policy{Name: name, Kind: "request-limits", Config: config, AttachedTo: []sallyport.Attachment{attached}}
}

// However a body is sent, the service gets no byte beyond the limit, and never one that looks whole.
func TestNoBodyPassesBeyondItsLimit(t *testing.T) {
	t.Parallel()
	const limit = 1000
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	service := s.Service("service", upstream.Address)
	route := s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/"), Public: true})
	s.Policy(limits(s.Name("limits"), sallyport.Attachment{Route: route.Name}, map[string]any{"max_body_bytes": limit}))
	s.Policy(limits(s.Name("wider"), sallyport.Attachment{Service: service.Name}, map[string]any{"max_body_bytes": 2 * limit}))

	send := func(edge *harness.Edge, framing, body string) harness.Response {
		t.Helper()
		answer, err := edge.DoRaw(t.Context(), "POST / HTTP/1.1\r\nHost: "+s.Host+"\r\n"+framing+"\r\n\r\n"+body)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	stated := func(edge *harness.Edge, length int) harness.Response {
		return send(edge, fmt.Sprintf("Content-Length: %d", length), strings.Repeat("Z", length))
	}
	chunked := func(edge *harness.Edge, sizes ...int) harness.Response {
		var body strings.Builder
		for _, size := range sizes {
			fmt.Fprintf(&body, "%x\r\n%s\r\n", size, strings.Repeat("Z", size))
		}
		return send(edge, "Transfer-Encoding: chunked", body.String()+"0\r\n\r\n")
	}
	tooLarge := func(answer harness.Response) {
		t.Helper()
		if answer.Status != http.StatusRequestEntityTooLarge || answer.Code() != "body_too_large" {
			t.Errorf("what is too large is answered %s", answer)
		}
	}

	for _, edge := range s.Edges() {
		tooLarge(stated(edge, limit+1))
		tooLarge(send(edge, "Expect: 100-continue\r\nContent-Length: 1001", "")) // before it is even asked for
	}
	if got := upstream.Connections(); got != 0 {
		t.Errorf("for bodies that state a length beyond the limit, the service was connected to %d times", got)
	}
	for i, edge := range s.Edges() {
		tooLarge(chunked(edge, limit+1))
		tooLarge(chunked(edge, 1, 999, 1))
		tooLarge(chunked(edge, 300, 300, 300, 5000))
		// What an edge has sent on may arrive after its answer: all of them together are held to the limit.
		if passed, most := bytes.Count(upstream.Raw(), []byte("Z")), 3*limit*(i+1); passed > most {
			t.Errorf("%d bytes of bodies passed, %d may", passed, most)
		}
	}
	if got := len(upstream.Requests()); got != 0 {
		t.Errorf("%d bodies that were cut off looked whole to the service", got)
	}
	for _, edge := range s.Edges() {
		for _, answer := range []harness.Response{stated(edge, limit), chunked(edge, 1, 999), chunked(edge, limit), stated(edge, 0), chunked(edge)} {
			if answer.Status != http.StatusOK {
				t.Errorf("what fits is answered %s", answer)
			}
		}
	}
	if got := len(upstream.Requests()); got != 5*len(s.Edges()) {
		t.Errorf("the service got %d whole requests", got)
	}
	edges := len(s.Edges())
	counted(t, s, harness.Usage{
		{Route: route.ID, StatusClass: 4, Verdict: "body_too_large"}: 5 * edges,
		{Route: route.ID, StatusClass: 2, Verdict: "allowed"}:        5 * edges,
	})
}

func TestWhatARequestLooksLikeIsBounded(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	s.Policy(limits(s.Name("limits"), sallyport.Attachment{Service: p.Service.Name}, map[string]any{
		"methods": []any{"GET", "POST"}, "max_header_bytes": 2048, "max_headers": 12, "max_target_bytes": 64, "max_query_bytes": 32, "max_query_parameters": 2,
		"content_types": []any{"application/json", "*/*+json"},
	}))
	many := http.Header{}
	for i := range 13 {
		many.Set(fmt.Sprintf("X-%d", i), "1")
	}
	tests := []struct {
		request harness.Request
		status  int
		code    string
	}{
		{harness.Request{Method: "PUT", Path: "/"}, http.StatusMethodNotAllowed, "method_not_allowed"},
		{harness.Request{Path: "/" + strings.Repeat("a", 64)}, http.StatusRequestURITooLong, "target_too_long"},
		{harness.Request{Path: "/?" + strings.Repeat("a", 33)}, http.StatusRequestURITooLong, "target_too_long"},
		{harness.Request{Path: "/?a&b&c"}, http.StatusRequestURITooLong, "target_too_long"},
		{harness.Request{Path: "/", Header: http.Header{"X-Long": {strings.Repeat("a", 2048)}}}, http.StatusRequestHeaderFieldsTooLarge, "headers_too_large"},
		{harness.Request{Path: "/", Header: many}, http.StatusRequestHeaderFieldsTooLarge, "headers_too_large"},
		{harness.Request{Method: "POST", Path: "/", Body: "x", Header: http.Header{"Content-Type": {"text/plain"}}}, http.StatusUnsupportedMediaType, "unsupported_media_type"},
		{harness.Request{Method: "POST", Path: "/", Body: "x"}, http.StatusUnsupportedMediaType, "unsupported_media_type"},
		// Those who are within the bounds are asked for a key.
		{harness.Request{Method: "POST", Path: "/", Body: "{}", Header: http.Header{"Content-Type": {"application/ld+json; x=y"}}}, http.StatusUnauthorized, "credential_missing"},
		{harness.Request{Path: "/?a=1&b=2"}, http.StatusUnauthorized, "credential_missing"},
	}
	for _, tt := range tests {
		tt.request.Host = s.Host
		for _, edge := range s.Edges() {
			answer, err := edge.Do(t.Context(), tt.request)
			if err != nil {
				t.Fatal(err)
			}
			if answer.Status != tt.status || answer.Code() != tt.code {
				t.Errorf("%s %.40s: %s, want %d %s", tt.request.Method, tt.request.Path, answer, tt.status, tt.code)
			}
			if allow := answer.Header.Get("Allow"); tt.status == http.StatusMethodNotAllowed && allow != "GET, POST" {
				t.Errorf("Allow is %q", allow)
			}
		}
	}
	if got := len(upstream.Requests()); got != 0 {
		t.Errorf("%d refused requests reached the service", got)
	}
}
