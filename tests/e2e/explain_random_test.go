package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// randomRequests is how many are explained and then sent.
const randomRequests = 1000

// chance makes a random world and random requests to it.
type chance struct {
	*rand.Rand

	t    *testing.T
	s    *harness.Story
	keys []string
}

// newChance takes its seed from SALLYPORT_SEED, else from the clock, and tells it when the test fails.
func newChance(t *testing.T, s *harness.Story) *chance {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SALLYPORT_SEED"); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = given
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("SALLYPORT_SEED=%d does it again", seed)
		}
	})
	return &chance{Rand: rand.New(rand.NewPCG(seed, 1)), t: t, s: s} // #nosec G404 -- a test
}

func pick[T any](c *chance, of ...T) T { return of[c.IntN(len(of))] }

func (c *chance) often(percent int) bool { return c.IntN(100) < percent }

var segments = []string{"a", "b", "orders", "a%62"}

// Where requests may come from: nobody in particular, a key's range, a blocked range.
var clientAddresses = []string{"198.51.100.7", "192.0.2.7", "203.0.113.9"}

// path returns a random path, or a pattern of one.
func (c *chance) path(parameters bool) string {
	var b strings.Builder
	for i := range 1 + c.IntN(3) {
		segment := pick(c, segments[:3]...)
		if parameters && c.often(40) {
			segment = fmt.Sprintf("{p%d}", i)
		}
		b.WriteString("/" + segment)
	}
	return b.String()
}

// route returns a random route, whose requests its service sees at its name.
func (c *chance) route(n int, service string) sallyport.Route {
	r := sallyport.Route{
		Name: c.s.Name(fmt.Sprint("r", n)), Service: service, RewritePath: fmt.Sprint("/r", n),
		Hosts: [][]string{{c.s.Host}, {"*." + c.s.Host}, {"api." + c.s.Host, c.s.Host}}[c.IntN(3)], Public: c.often(15),
	}
	switch c.IntN(4) {
	case 0:
		r.Paths = harness.Exactly(c.path(false))
	case 1, 2:
		r.Paths = harness.Below(c.path(false))
	default:
		r.Paths = []sallyport.PathMatch{{Template: c.path(true)}}
	}
	if c.often(40) {
		r.Methods = pick(c, []string{"GET"}, []string{"POST", "PUT"}, []string{"DELETE", "GET"})
	}
	match := func(name string) []sallyport.ValueMatch {
		return []sallyport.ValueMatch{pick(c,
			sallyport.ValueMatch{Name: name, Present: pointer(c.often(50))}, sallyport.ValueMatch{Name: name, Exact: pointer("1")},
			sallyport.ValueMatch{Name: name, Prefix: pointer("1")},
		)}
	}
	if c.often(25) {
		r.Headers = match("X-Kind")
	}
	if c.often(25) {
		r.Query = match("q")
	}
	return r
}

// routes creates as many of the routes as don't tie with others, and returns their names.
func (c *chance) routes(n int, services []string) (names []string) {
	for i := range n {
		r := c.route(i, pick(c, services...))
		made, err := c.s.API.CreateRouteWithResponse(c.t.Context(), c.s.Environment.Name, nil, r)
		if err != nil {
			c.t.Fatal(err)
		}
		if made.StatusCode() == http.StatusCreated {
			names = append(names, r.Name)
		}
	}
	return names
}

func limitBy(name, by string, requests int, attached sallyport.Attachment) sallyport.Policy {
	p := harness.Limit(name, attached, requests, "24h")
	p.Config["by"] = []any{map[string]any{by: true}}
	return p
}

// policies creates some on every level: whom they authenticate, what they limit, and shadows.
func (c *chance) policies(services, routes []string) {
	shadow := sallyport.PolicyMode("shadow")
	name := func(n int) string { return c.s.Name(fmt.Sprint("p", n)) }
	everywhere := sallyport.Attachment{Environment: true}
	c.s.Policy(harness.APIKeys(name(0), everywhere))
	c.s.Policy(harness.APIKeys(name(1), sallyport.Attachment{Service: services[0]}, "read"))
	c.s.Policy(limitBy(name(2), "consumer", 12, sallyport.Attachment{Service: services[1]}))
	c.s.Policy(limitBy(c.s.Name("all"), "key", 12, everywhere))
	watched := limitBy(name(3), "address", 20, everywhere)
	watched.Mode = &shadow
	c.s.Policy(watched)
	for i := range 12 {
		at := sallyport.Attachment{Route: pick(c, routes...)}
		p := pick(c, limitBy(name(4+i), pick(c, "key", "route", "address"), 1+c.IntN(6), at), harness.APIKeys(name(4+i), at, "write"))
		if p.Kind == "rate-limit" && c.often(30) {
			p.Mode = &shadow
		}
		c.s.Policy(p)
	}
}

// people creates consumers of all sorts, with keys of all sorts, one of which has ended.
func (c *chance) people() {
	s := c.s
	one, two := s.Consumer("one"), s.Consumer("two")
	made, err := s.API.CreateConsumerWithResponse(c.t.Context(), s.Environment.Name, &sallyport.CreateConsumerParams{Wait: s.Wait()},
		sallyport.Consumer{Name: s.Name("suspended"), Suspended: true})
	s.Must(made, err)
	blocked := s.Consumer("blocked")
	var last sallyport.APIKey
	for _, k := range []sallyport.APIKey{
		{Consumer: one.Name, Scopes: []string{"read", "write"}},
		{Consumer: one.Name},
		{Consumer: two.Name, Scopes: []string{"read"}},
		{Consumer: two.Name, Scopes: []string{"read", "write"}, Addresses: []string{"192.0.2.0/24"}},
		{Consumer: made.JSON201.Name, Scopes: []string{"read", "write"}},
		{Consumer: blocked.Name, Scopes: []string{"read", "write"}},
		{Consumer: two.Name, Name: s.Name("ended")},
		{Consumer: two.Name},
	} {
		if k.Name != "" { // from when it is made: the others before it have taken their time
			k.ExpiresAt = time.Now().Add(2 * time.Second)
		}
		last = s.Key(k)
		c.keys = append(c.keys, last.Key)
	}
	block(c.t, s, sallyport.Block{Name: s.Name("network"), AddressRange: "203.0.113.0/24"})
	block(c.t, s, sallyport.Block{Name: s.Name("consumer"), Consumer: blocked.Name})
	block(c.t, s, sallyport.Block{Name: s.Name("key"), APIKey: last.Name})
	c.keys = append(c.keys, "no-key", "", c.keys[0], c.keys[0], c.keys[0], c.keys[3], c.keys[3]) // those that may do most, often
	harness.Eventually(c.t, time.Minute, func() error { return c.ended(s.Name("ended")) })
}

// ended tells whether a key has ended for the edge, to whom any route is right that wants one.
func (c *chance) ended(key string) error {
	e := explained(c.t, c.s, nil, sallyport.HypotheticalRequest{Host: "ended.test", Target: "/", Caller: sallyport.HypotheticalCaller{APIKey: key}}).Nodes[0]
	if e.Verdict != "credential_expired" {
		return fmt.Errorf("the key %s is explained as %s", key, e.Verdict)
	}
	return nil
}

// request returns a random one.
func (c *chance) request() sallyport.HypotheticalRequest {
	var target strings.Builder
	for range 1 + c.IntN(3) {
		target.WriteString("/" + pick(c, segments...))
	}
	switch {
	case c.often(3):
		target.WriteString("/../x")
	case c.often(30):
		target.WriteString("?q=" + pick(c, "1", "12", "2"))
	}
	r := sallyport.HypotheticalRequest{
		Method: pick(c, "GET", "GET", "GET", "POST", "DELETE", "HEAD", "PURGE"), Target: target.String(), Address: "127.0.0.1", Protocol: "HTTP/1.1",
		Host: pick(c, c.s.Host, c.s.Host, c.s.Host, "api."+c.s.Host, "api."+c.s.Host, strings.ToUpper("x.y."+c.s.Host)+":80", "other.test"),
	}
	if c.often(3) {
		r.Host = "methods.test"
	}
	add := func(name, value string) {
		r.Headers = append(r.Headers, sallyport.HypotheticalHeader{Name: name, Value: value})
	}
	if key := pick(c, c.keys...); key != "" {
		add("X-Api-Key", key)
	}
	add("X-Forwarded-For", pick(c, clientAddresses[0], clientAddresses[0], clientAddresses[0], clientAddresses[1], clientAddresses[1], clientAddresses[1], clientAddresses[1], clientAddresses[1], clientAddresses[2], "nonsense"))
	if c.often(30) {
		add("X-Kind", pick(c, "1", "12", "2"))
	}
	if c.often(2) {
		add("Upgrade", "websocket")
	}
	if r.Method == http.MethodPost {
		r.BodyBytes = c.IntN(100)
	}
	return r
}

// wire is a request as a client sends it.
func wire(r sallyport.HypotheticalRequest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\nHost: %s\r\n", r.Method, r.Target, r.Protocol, r.Host)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	if r.BodyBytes > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", r.BodyBytes)
	}
	return b.String() + "\r\n" + strings.Repeat("x", r.BodyBytes)
}

// same fails the test unless what happened is what was explained.
func (c *chance) same(r sallyport.HypotheticalRequest, e sallyport.Explanation, got harness.Response) {
	c.t.Helper()
	status, code := e.Status, e.Verdict
	if e.Verdict == "allowed" {
		status, code = http.StatusOK, ""
		if at := got.Header.Get("X-Path"); at != e.Forward.Path || !strings.HasSuffix(e.Route.Name, strings.TrimPrefix(at, "/")+"-"+strings.TrimPrefix(c.s.Name(""), "-")) {
			c.t.Errorf("%+v: the service was asked for %s; explained were %s and the route %s", r, at, e.Forward.Path, e.Route.Name)
		}
		if left, want := remains(got), remainsOf(e); !slices.Equal(left, want) {
			c.t.Errorf("%+v: limits leave %v, explained were %v before it counted", r, left, want)
		}
	}
	if r.Method == http.MethodHead {
		code = got.Code() // its answer has no body
	}
	if got.Status != status || got.Code() != code {
		c.t.Errorf("%+v: answered %s; explained was %+v", r, got, e)
	}
}

var leaves = regexp.MustCompile(`;r=(\d+)`)

// remains returns what the limits say they leave, ascending.
func remains(r harness.Response) (left []int) {
	for _, line := range r.Header.Values("RateLimit") {
		for _, found := range leaves.FindAllStringSubmatch(line, -1) {
			n, _ := strconv.Atoi(found[1])
			left = append(left, n)
		}
	}
	slices.Sort(left)
	return left
}

// remainsOf returns what will remain once the request has counted.
func remainsOf(e sallyport.Explanation) (left []int) {
	for _, q := range e.Quotas {
		left = append(left, q.Remaining-1)
	}
	slices.Sort(left)
	return left
}

// What usage counted in the end shows the routes and callers of refused requests too, and that no explanation counted.
func TestWhatIsExplainedIsWhatThenHappens(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	c := newChance(t, s)
	upstream := harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Path", r.URL.Path)
		_, _ = io.WriteString(w, "ok")
	}))
	services := []string{s.Service("one", upstream.Address).Name, s.Service("two", upstream.Address).Name}
	put, err := s.API.PutSettingsWithResponse(t.Context(), s.Environment.Name, &sallyport.PutSettingsParams{Wait: s.Wait()},
		sallyport.EnvironmentSettings{AllowedTargetRanges: []string{harness.Loopback}, TrustedProxies: []string{"127.0.0.1/32"}})
	s.Must(put, err)
	s.Policy(harness.APIKeys(s.Name("first"), sallyport.Attachment{Environment: true})) // else routes are unprotected
	s.Route(sallyport.Route{Name: s.Name("ended"), Service: services[1], Hosts: []string{"ended.test"}, Paths: harness.Below("/")})
	// Chance alone may leave no route that takes some methods only, and isn't beside one that takes all.
	s.Route(sallyport.Route{Name: s.Name("methods"), Service: services[1], Hosts: []string{"methods.test"}, Paths: harness.Below("/"), Methods: []string{"GET"}, RewritePath: "/methods"})
	routes := c.routes(80, services)
	c.policies(services, routes)
	c.people()
	edge, usage, verdicts := s.Edges()[0], harness.Usage{}, map[string]int{}
	for range randomRequests {
		r := c.request()
		e := explained(t, s, nil, r).Nodes[0]
		if again := explained(t, s, nil, r).Nodes[0]; quotas(again) != quotas(e) || again.Verdict != e.Verdict {
			t.Errorf("%+v: explained again it is %s with %s, before it was %s with %s", r, again.Verdict, quotas(again), e.Verdict, quotas(e))
		}
		got, err := edge.DoRaw(t.Context(), wire(r))
		if err != nil {
			t.Fatal(err)
		}
		c.same(r, e, got)
		if t.Failed() {
			return
		}
		usage[harness.UsageKey{Route: e.Route.ID, Consumer: e.Caller.Consumer, StatusClass: got.Status / 100, Verdict: e.Verdict}]++
		verdicts[e.Verdict]++
	}
	t.Logf("%d routes; verdicts %v", len(routes), verdicts)
	for _, verdict := range []string{"allowed", "rate_limited", "route_not_found", "method_not_allowed", "path_refused", "blocked", "scope_missing", "credential_invalid", "credential_missing", "consumer_suspended", "address_not_allowed"} {
		if verdicts[verdict] == 0 {
			t.Errorf("none of the requests was %s: the world is too simple", verdict)
		}
	}
	harness.Eventually(t, time.Minute, func() error {
		counted, err := s.Environment.Usage(t.Context())
		if err != nil {
			return err
		}
		return counted.Check(usage)
	})
}

func quotas(e sallyport.Explanation) string {
	var left []string
	for _, q := range e.Quotas {
		left = append(left, fmt.Sprint(q.Name, "=", q.Remaining))
	}
	return strings.Join(left, " ")
}
