package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// Each route names itself to the service by the path that it rewrites to.
func TestARequestIsGivenToTheMostSpecificRoute(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	service := s.Service("service", upstream.Address)
	route := func(name string, hosts []string, path sallyport.PathMatch, change func(*sallyport.Route)) {
		r := sallyport.Route{
			Name: s.Name(name), Service: service.Name, Hosts: hosts, Paths: []sallyport.PathMatch{path}, Public: true, RewritePath: "/" + name,
		}
		if change != nil {
			change(&r)
		}
		s.Route(r)
	}
	exact, wild := []string{s.Host}, []string{"*." + s.Host}
	route("everything", exact, sallyport.PathMatch{Prefix: "/"}, nil)
	route("orders", exact, sallyport.PathMatch{Prefix: "/orders"}, nil)
	route("order", exact, sallyport.PathMatch{Template: "/orders/{id}"}, nil)
	route("new", exact, sallyport.PathMatch{Exact: "/orders/new"}, nil)
	route("posted", exact, sallyport.PathMatch{Exact: "/orders/new"}, func(r *sallyport.Route) { r.Methods = []string{"POST"} })
	route("beta", exact, sallyport.PathMatch{Exact: "/orders/new"}, func(r *sallyport.Route) {
		r.Headers = []sallyport.ValueMatch{{Name: "X-Beta", Exact: pointer("yes")}}
	})
	route("debug", exact, sallyport.PathMatch{Exact: "/orders/new"}, func(r *sallyport.Route) {
		r.Query = []sallyport.ValueMatch{{Name: "debug", Present: pointer(true)}}
	})
	route("wild", wild, sallyport.PathMatch{Prefix: "/"}, nil)
	route("lines", exact, sallyport.PathMatch{Template: "/orders/{id}/lines/{line}"}, func(r *sallyport.Route) { r.RewritePath = "/lines/{line}/of/{id}" })
	route("stripped", exact, sallyport.PathMatch{Prefix: "/api/v1"}, func(r *sallyport.Route) { r.RewritePath, r.StripPrefix = "", true })

	tests := []struct {
		method, host, path string
		header             http.Header
		want               string // target at the service; "": no route
	}{
		{path: "/", want: "/everything"},
		{path: "/orders", want: "/orders"},
		{path: "/orders-old", want: "/everything"},
		{path: "/orders/7/x", want: "/orders"},
		{path: "/orders/7", want: "/order"},
		{path: "/orders/new", want: "/new"},
		{path: "/orders/%6Eew", want: "/new"},
		{path: "/orders/New", want: "/order"},
		{path: "/orders/new", method: http.MethodPost, want: "/posted"},
		{path: "/orders/new", header: http.Header{"X-Beta": {"yes"}}, want: "/beta"},
		{path: "/orders/new", header: http.Header{"X-Beta": {"no"}}, want: "/new"},
		{path: "/orders/new?debug=", want: "/debug?debug="},
		{path: "/orders/new?debugger=1", want: "/new?debugger=1"},
		{path: "/orders/7/lines/3?q=1", want: "/lines/3/of/7?q=1"},
		{path: "/api/v1/users/5", want: "/users/5"},
		{path: "/api/v1", want: "/"},
		{host: "a." + s.Host, path: "/orders/new", want: "/wild"},
		{host: strings.ToUpper("A." + s.Host), path: "/", want: "/wild"},
		{host: s.Host + ":8080", path: "/orders/7", want: "/order"},
		{host: "x" + s.Host, path: "/"},
		{host: "elsewhere.test", path: "/orders/new"},
	}
	for _, edge := range s.Edges() {
		for _, tt := range tests {
			if tt.host == "" {
				tt.host = s.Host
			}
			before := len(upstream.Requests())
			answer := s.SendTo(edge, tt.method, tt.path, tt.host, tt.header)
			got := ""
			if reached := upstream.Requests()[before:]; len(reached) == 1 {
				got = reached[0].Target
			}
			if got != tt.want || (tt.want == "") != (answer.Code() == "route_not_found") {
				t.Errorf("%s %s%s %v: the service was asked for %q, want %q; answered %s", tt.method, tt.host, tt.path, tt.header, got, tt.want, answer)
			}
		}
	}
}

func TestTargetsShareRequestsByTheirWeights(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	heavy, light, none := harness.NewUpstream(t, nil), harness.NewUpstream(t, nil), harness.NewUpstream(t, nil)
	made, err := s.API.CreateServiceWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Service{
		Name: s.Name("service"), Upstream: sallyport.Upstream{Targets: []sallyport.Target{
			{Address: heavy.Address, Weight: pointer(3)}, {Address: light.Address}, {Address: none.Address, Weight: pointer(0)},
		}},
	})
	s.Must(made, err)
	s.Route(sallyport.Route{Name: s.Name("route"), Service: made.JSON201.Name, Paths: harness.Below("/"), Public: true})

	const sent = 400
	for range sent {
		s.Expect(s.Edges()[0], "/", nil, http.StatusOK, "")
	}

	h, l, n := len(heavy.Requests()), len(light.Requests()), len(none.Requests())
	if n != 0 || h+l != sent {
		t.Errorf("the targets got %d, %d and %d of %d requests", h, l, n, sent)
	}
	if l < sent/8 || l > sent*3/8 { // a quarter; six standard deviations of chance on either side
		t.Errorf("a target of weight 1 beside one of weight 3 got %d of %d requests", l, sent)
	}
}

func TestATargetThatIsNotThereIsToldApartFromOneThatIsSilent(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	closed := harness.NewUpstream(t, nil)
	release := make(chan struct{})
	silent := harness.NewUpstream(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release) })
	made, err := s.API.CreateServiceWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Service{
		Name: s.Name("silent"), Upstream: sallyport.Upstream{
			Targets: []sallyport.Target{{Address: silent.Address}}, Timeouts: sallyport.Timeouts{ResponseHead: pointer("100ms")},
		},
	})
	s.Must(made, err)
	gone := s.Service("gone", closed.Address)
	closed.Close()
	s.Route(sallyport.Route{Name: s.Name("gone"), Service: gone.Name, Paths: harness.Below("/gone"), Public: true})
	s.Route(sallyport.Route{Name: s.Name("silent"), Service: made.JSON201.Name, Paths: harness.Below("/silent"), Public: true})

	s.ExpectAll("/gone", nil, http.StatusBadGateway, "upstream_unreachable")
	s.ExpectAll("/silent", nil, http.StatusGatewayTimeout, "upstream_timeout")
}

func TestWhatTheGatewayDoesNotDoIsRefused(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	s.Route(sallyport.Route{Name: s.Name("route"), Service: s.Service("service", upstream.Address).Name, Paths: harness.Below("/"), Public: true})
	head := " / HTTP/1.1\r\nHost: " + s.Host + "\r\n"
	for request, status := range map[string]int{
		"GET" + head + "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n":                                                 http.StatusNotImplemented,
		"GET" + head + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n": http.StatusNotImplemented,
		"TRACE" + head + "\r\n": http.StatusMethodNotAllowed,
		"CONNECT " + s.Host + ":443 HTTP/1.1\r\nHost: " + s.Host + ":443\r\n\r\n": http.StatusMethodNotAllowed,
	} {
		answer, err := s.Edges()[0].DoRaw(t.Context(), request)
		if err != nil || answer.Status != status {
			t.Errorf("%q was answered %s, %v; want %d", request, answer, err, status)
		}
	}
	if got := upstream.Requests(); len(got) != 0 {
		t.Errorf("the service was asked %+v", got)
	}
}
