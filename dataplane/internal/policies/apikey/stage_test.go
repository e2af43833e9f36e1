package apikey_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
)

// edge returns an edge with one route and one api-key policy of this configuration.
func edge(t testing.TB, mode, config string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, apikey.Binding)
	public := "false"
	if mode != "enforce" {
		public = "true"
	}
	e.Configure(t, `{
		"services": [{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}],
		"routes": [{"name": "all", "service": "orders", "paths": [{"prefix": "/"}], "public": `+public+`}],
		"policies": [{"name": "keys", "kind": "api-key", "mode": "`+mode+`", "config": `+config+`,
			"attached_to": [{"environment": true}]}]
	}`)
	return e
}

func verdict(ex *pipeline.Exchange) string { return string(ex.Verdict) }

func TestAKnownKeyIdentifiesItsConsumer(t *testing.T) {
	e := edge(t, "enforce", `{}`)
	key := e.Key(t, "alice", edgetest.Key{Scopes: []string{"read"}})
	ex := e.Do(edgetest.Get("/", "x-api-key: "+key))
	if verdict(ex) != "allowed" || !ex.Identity.Known() || ex.Identity.Consumer.Name != "alice" || !ex.Identity.Scopes.Has("read") {
		t.Fatalf("%s %+v", verdict(ex), ex.Identity)
	}
	if ex.Identity.Credential.IsZero() {
		t.Fatal("no credential")
	}
}

func TestEachFlawOfAKeyHasItsCode(t *testing.T) {
	e := edge(t, "enforce", `{"required_scopes": ["orders:read", "orders:write"]}`)
	scopes := []string{"orders:read", "orders:write", "more"}
	good := e.Key(t, "alice", edgetest.Key{Scopes: scopes})
	expiring := e.Key(t, "alice", edgetest.Key{Scopes: scopes, Expires: e.Now.Add(time.Minute)})
	pinned := e.Key(t, "alice", edgetest.Key{Scopes: scopes, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	narrow := e.Key(t, "alice", edgetest.Key{Scopes: scopes[:1]})
	e.Consumer(t, "mallory", true)
	suspended := e.Key(t, "mallory", edgetest.Key{Scopes: scopes})
	revoked := e.Key(t, "alice", edgetest.Key{Scopes: scopes})
	e.Revoke(t, revoked)
	mistyped := []byte(good)
	mistyped[len(mistyped)-10] ^= 1

	with := func(key string) edgetest.Request { return edgetest.Get("/", "X-Api-Key: "+key) }
	elsewhere := with(pinned)
	elsewhere.Address = "198.51.100.1"
	for name, test := range map[string]struct {
		request edgetest.Request
		want    string
		status  int
	}{
		"good":            {with(good), "allowed", 200},
		"missing":         {edgetest.Get("/"), "credential_missing", 401},
		"empty":           {with(""), "credential_missing", 401},
		"nonsense":        {with("nonsense"), "credential_invalid", 401},
		"mistyped":        {with(string(mistyped)), "credential_invalid", 401},
		"revoked":         {with(revoked), "credential_invalid", 401},
		"twice":           {edgetest.Get("/", "X-Api-Key: "+good, "X-API-KEY: "+good), "credential_invalid", 401},
		"not yet expired": {with(expiring), "allowed", 200},
		"pinned, at home": {with(pinned), "allowed", 200},
		"pinned":          {elsewhere, "address_not_allowed", 403},
		"suspended":       {with(suspended), "consumer_suspended", 403},
		"scope missing":   {with(narrow), "scope_missing", 403},
	} {
		t.Run(name, func(t *testing.T) {
			ex := e.Do(test.request)
			if verdict(ex) != test.want || ex.Response.Status != test.status {
				t.Fatalf("%s %d", verdict(ex), ex.Response.Status)
			}
			challenge := ex.Response.Header.Get("WWW-Authenticate")
			if (challenge != "") != (test.status == 401) {
				t.Fatalf("WWW-Authenticate: %q", challenge)
			}
			// Who lacks nothing but a scope has proven who they are: the refusal counts under their name.
			if known := test.status == 200 || test.want == "scope_missing"; ex.Identity.Known() != known {
				t.Fatalf("identified: %v, want %v", ex.Identity.Known(), known)
			}
			if test.status != 200 && ex.Rejection.Policy != "keys" {
				t.Fatalf("policy %q", ex.Rejection.Policy)
			}
		})
	}
	e.Advance(time.Minute)
	if ex := e.Do(with(expiring)); verdict(ex) != "credential_expired" || ex.Response.Status != 401 {
		t.Fatalf("at its expiry: %s", verdict(ex))
	}
}

// Whoever is blocked is known no longer, until the block ends by itself.
func TestABlockedKeyAndThoseOfABlockedConsumerAreRefusedUntilTheBlockEnds(t *testing.T) {
	e := edge(t, "enforce", `{}`)
	one, other, foreign := e.Key(t, "alice", edgetest.Key{}), e.Key(t, "alice", edgetest.Key{}), e.Key(t, "bob", edgetest.Key{})
	ask := func(key, want string) {
		t.Helper()
		ex := e.Do(edgetest.Get("/", "X-Api-Key: "+key))
		if verdict(ex) != want || ex.Identity.Known() != (want == "allowed") || want != "allowed" && ex.Response.Status != 403 {
			t.Errorf("%s %d, want %s; identified: %v", verdict(ex), ex.Response.Status, want, ex.Identity.Known())
		}
	}
	key, _ := e.Directory.Key(edgetest.Digest(t, one))
	e.Block(t, &directoryv1.Block{Target: &directoryv1.Block_ApiKey{ApiKey: key.ID[:]}, ExpiresAtMs: e.Now.Add(time.Minute).UnixMilli()})
	ask(one, "blocked")
	ask(other, "allowed")
	owner := key.Consumer()
	e.Block(t, &directoryv1.Block{Target: &directoryv1.Block_Consumer{Consumer: owner[:]}, ExpiresAtMs: e.Now.Add(2 * time.Minute).UnixMilli()})
	ask(one, "blocked")
	ask(other, "blocked")
	ask(foreign, "allowed")
	e.Advance(time.Minute)
	ask(one, "blocked")
	e.Advance(time.Minute - time.Millisecond)
	ask(one, "blocked")
	e.Advance(time.Millisecond)
	ask(one, "allowed")
	ask(other, "allowed")
}

func TestPlacesAreSearchedInOrderAndTheFirstDecides(t *testing.T) {
	e := edge(t, "enforce",
		`{"locations": [{"header": "authorization"}, {"header": "X-Key"}, {"query": "api_key"}, {"cookie": "key"}]}`)
	key := e.Key(t, "alice", edgetest.Key{})
	escaped := strings.ReplaceAll(key, "_", "%5f")
	for name, test := range map[string]struct {
		request edgetest.Request
		want    string
	}{
		"bearer":                 {edgetest.Get("/", "Authorization: Bearer "+key), "allowed"},
		"scheme in any case":     {edgetest.Get("/", "authorization: bEARER  "+key), "allowed"},
		"ApiKey":                 {edgetest.Get("/", "Authorization: ApiKey "+key), "allowed"},
		"no scheme":              {edgetest.Get("/", "Authorization: "+key), "credential_invalid"},
		"basic is no key":        {edgetest.Get("/", "Authorization: Basic abc", "X-Key: "+key), "allowed"},
		"basic alone":            {edgetest.Get("/", "Authorization: Basic abc"), "credential_missing"},
		"a token is no key":      {edgetest.Get("/", "Authorization: Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln"), "credential_missing"},
		"a token as a key":       {edgetest.Get("/", "Authorization: ApiKey eyJhbGciOiJFUzI1NiJ9.e30.c2ln"), "credential_invalid"},
		"anything else decides":  {edgetest.Get("/", "Authorization: Bearer abc", "X-Key: "+key), "credential_invalid"},
		"an empty one decides":   {edgetest.Get("/", "Authorization: Bearer", "X-Key: "+key), "credential_invalid"},
		"two schemes":            {edgetest.Get("/", "Authorization: Bearer "+key, "Authorization: Basic abc"), "credential_invalid"},
		"header":                 {edgetest.Get("/", "X-Key: "+key), "allowed"},
		"empty holds nothing":    {edgetest.Get("/?api_key="+key, "X-Key: "), "allowed"},
		"query":                  {edgetest.Get("/?a=1&api_key=" + key), "allowed"},
		"query, name escaped":    {edgetest.Get("/?api%5Fkey=" + key), "allowed"},
		"query, value escaped":   {edgetest.Get("/?api_key=" + escaped), "allowed"},
		"query twice":            {edgetest.Get("/?api_key=" + key + "&api%5fkey=x"), "credential_invalid"},
		"cookie":                 {edgetest.Get("/", "Cookie: a=b; key="+key+"; c=d"), "allowed"},
		"cookie in quotes":       {edgetest.Get("/", `Cookie: key="`+key+`"`), "allowed"},
		"cookies split":          {edgetest.Get("/", "Cookie: a=b", "Cookie: key="+key), "allowed"},
		"cookie twice":           {edgetest.Get("/", "Cookie: key=a", "Cookie: key="+key), "credential_invalid"},
		"cookie's name has case": {edgetest.Get("/", "Cookie: Key="+key), "credential_missing"},
		"bad header, good query": {edgetest.Get("/?api_key="+key, "X-Key: bad"), "credential_invalid"},
	} {
		if ex := e.Do(test.request); verdict(ex) != test.want {
			t.Errorf("%s: %s", name, verdict(ex))
		}
	}
}

func TestNoKeyReachesTheUpstream(t *testing.T) {
	e := edge(t, "enforce", `{"locations": [{"header": "X-Key"}, {"header": "Authorization"}, {"query": "api_key"}, {"cookie": "key"}]}`)
	key, other := e.Key(t, "alice", edgetest.Key{}), e.Key(t, "bob", edgetest.Key{})
	for name, test := range map[string]struct {
		request       edgetest.Request
		query         string
		authorization string
		cookies       []string
	}{
		"header":               {request: edgetest.Get("/?q=%7E+x", "X-Key: "+key), query: "q=%7E+x"},
		"authorization":        {request: edgetest.Get("/", "Authorization: Bearer "+key)},
		"someone else's":       {request: edgetest.Get("/", "X-Key: "+key, "Authorization: Basic dTpw"), authorization: "Basic dTpw"},
		"a token of another":   {request: edgetest.Get("/", "X-Key: "+key, "Authorization: Bearer token"), authorization: "Bearer token"},
		"two keys":             {request: edgetest.Get("/?api_key="+other, "X-Key: "+key, "Authorization: Bearer "+other, "Cookie: key="+other)},
		"query alone":          {request: edgetest.Get("/?api_key=" + key)},
		"query first":          {request: edgetest.Get("/?api_key=" + key + "&a=%20&&b"), query: "a=%20&&b"},
		"query amid":           {request: edgetest.Get("/?a=%2f&api%5Fkey=" + key + "&b=+&c"), query: "a=%2f&b=+&c"},
		"query last":           {request: edgetest.Get("/?&a=1&api_key=" + key), query: "&a=1"},
		"query, empty twin":    {request: edgetest.Get("/?api_key&a=1&api_key=" + key), query: "a=1"},
		"cookie alone":         {request: edgetest.Get("/", "Cookie: key="+key)},
		"cookie first":         {request: edgetest.Get("/", "Cookie: key="+key+"; a=b;c=d"), cookies: []string{"a=b;c=d"}},
		"cookie amid":          {request: edgetest.Get("/", "Cookie: a=b; key="+key+"; c= d"), cookies: []string{"a=b; c= d"}},
		"cookies split":        {request: edgetest.Get("/", "Cookie: a=b", "cookie: key="+key, "Cookie: c=d"), cookies: []string{"a=b", "c=d"}},
		"header with an empty": {request: edgetest.Get("/", "X-Key: "+key, "X-Key: ")},
	} {
		t.Run(name, func(t *testing.T) {
			ex := e.Do(test.request)
			if verdict(ex) != "allowed" {
				t.Fatal(verdict(ex))
			}
			in := &ex.Request
			var cookies []string
			for _, f := range in.Header.Fields() {
				if pipeline.EqualFold(f.Name, "cookie") {
					cookies = append(cookies, f.Value)
				}
				if strings.Contains(f.Value, key) || strings.Contains(f.Value, other) {
					t.Errorf("%s holds a key", f.Name)
				}
			}
			if in.Query != test.query || in.Header.Get("Authorization") != test.authorization || !slices.Equal(cookies, test.cookies) || in.Header.Has("X-Key") {
				t.Errorf("query %q, fields %q", in.Query, in.Header.Fields())
			}
		})
	}
}

func TestInShadowTheRequestStaysAsItCame(t *testing.T) {
	e := edge(t, "shadow", `{"locations": [{"header": "X-Key"}, {"query": "k"}, {"cookie": "k"}]}`)
	key := e.Key(t, "alice", edgetest.Key{})
	ex := e.Do(edgetest.Get("/?k="+key, "Cookie: k=x", "X-Key: "+key))
	if verdict(ex) != "allowed" || ex.Identity.Known() || !ex.Shadow.Known() || ex.Shadow.Consumer.Name != "alice" {
		t.Fatalf("%s %+v %+v", verdict(ex), ex.Identity, ex.Shadow)
	}
	if ex.Request.Query != "k="+key || ex.Request.Header.Get("X-Key") != key || ex.Request.Header.Get("Cookie") != "k=x" {
		t.Fatalf("%q %q", ex.Request.Query, ex.Request.Header.Fields())
	}
	ex = e.Do(edgetest.Get("/", "X-Key: nonsense"))
	if verdict(ex) != "allowed" || ex.ShadowVerdict != "credential_invalid" || ex.Response.Header.Has("WWW-Authenticate") {
		t.Fatalf("%s, in shadow %s", verdict(ex), ex.ShadowVerdict)
	}
}

func TestNothingOfAKeyIsTold(t *testing.T) {
	e := edge(t, "enforce", `{"required_scopes": ["s"]}`)
	key := e.Key(t, "alice", edgetest.Key{})
	for _, text := range []string{key, key[:len(key)-1], key + "0", "secret"} {
		ex := e.Do(edgetest.Get("/", "X-Api-Key: "+text))
		body := make([]byte, 4096)
		n, _ := ex.Response.Body.Read(body)
		for _, told := range []string{ex.Rejection.Reason, ex.Rejection.Detail, string(body[:n]), e.Log.String()} {
			if strings.Contains(told, text) || strings.Contains(told, key[len(key)-20:]) {
				t.Fatalf("%q is told", told)
			}
		}
	}
}

func TestProvingAKeyDoesNotAllocate(t *testing.T) {
	e := edge(t, "enforce", `{"locations": [{"header": "X-Key"}, {"query": "k"}, {"cookie": "k"}]}`)
	key := e.Key(t, "alice", edgetest.Key{})
	for name, r := range map[string]edgetest.Request{
		"header": edgetest.Get("/", "X-Key: "+key),
		"query":  edgetest.Get("/?a=b&k=" + key + "&c"),
		"cookie": edgetest.Get("/", "Cookie: a=b; k="+key),
	} {
		ex := e.Exchange(r)
		in := ex.Request
		fields := slices.Clone(in.Header.Fields())
		route, err := e.Holder.Load().Route(ex)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(200, func() {
			ex.Reset()
			ex.Request.Path, ex.Request.Query = in.Path, in.Query
			for _, f := range fields {
				ex.Request.Header.Add(f.Name, f.Value)
			}
			if route.Stages.Run(ex) != nil {
				t.Fatal(ex.Rejection)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Whatever a client sends, a key that was good is not in what goes upstream.
func FuzzCuttingLeavesTheRestAlone(f *testing.F) {
	f.Add("a=1&k=2&b", "a=b; k=c; d")
	f.Add("k&k=&%6b=1", "k; k=;k=\"x\";;")
	f.Fuzz(func(t *testing.T, query, cookies string) {
		if len(query)+len(cookies) > 4096 {
			return
		}
		wantQuery, wantCookies := without(query, "&", "k"), without(cookies, ";", "k")
		gotQuery, gotCookies := apikey.Cut(query, cookies, "k")
		if gotQuery != wantQuery {
			t.Errorf("query %q: %q, not %q", query, gotQuery, wantQuery)
		}
		if gotCookies != cookies && gotCookies != strings.TrimLeft(wantCookies, " \t") || holdsCookie(gotCookies) {
			t.Errorf("cookies %q: %q, not %q", cookies, gotCookies, wantCookies)
		}
	})
}

func holdsCookie(cookies string) bool { return without(cookies, ";", "k") != cookies }

// without is cutting as one would write it first: split, drop, join.
func without(text, separator, name string) string {
	if text == "" {
		return ""
	}
	pairs := slices.DeleteFunc(strings.Split(text, separator), func(pair string) bool {
		have, _, _ := strings.Cut(pair, "=")
		if separator == "&" {
			return string(pipeline.AppendDecoded(nil, have)) == name
		}
		return strings.Trim(have, " \t") == name
	})
	return strings.Join(pairs, separator)
}

func TestOfSeveralPoliciesTheFirstThatFindsAKeyDecidesAndNoOtherKeyIsForwarded(t *testing.T) {
	e := edgetest.New(t, apikey.Binding)
	e.Configure(t, `{
		"services": [{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}],
		"routes": [{"name": "all", "service": "orders", "paths": [{"prefix": "/"}]}],
		"policies": [
			{"name": "first", "kind": "api-key", "config": {"locations": [{"header": "X-One"}]}, "attached_to": [{"environment": true}]},
			{"name": "second", "kind": "api-key", "config": {"locations": [{"header": "Authorization"}, {"query": "k"}, {"cookie": "k"}], "required_scopes": ["s"]},
				"attached_to": [{"environment": true}]}]
	}`)
	alice, bob := e.Key(t, "alice", edgetest.Key{}), e.Key(t, "bob", edgetest.Key{Scopes: []string{"s"}})
	const token = "Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln"
	for name, test := range map[string]struct {
		request                     edgetest.Request
		verdict, who, query, cookie string
		authorization               string
		challenges                  int
	}{
		"first":                  {request: edgetest.Get("/", "X-One: "+alice), verdict: "allowed", who: "alice"},
		"second":                 {request: edgetest.Get("/?k="+bob, "Cookie: a=b"), verdict: "allowed", who: "bob", cookie: "a=b"},
		"second lacks its scope": {request: edgetest.Get("/?k=" + alice), verdict: "scope_missing", who: "alice"},
		"both":                   {request: edgetest.Get("/?a=1&k="+bob, "X-One: "+alice, "Cookie: k="+bob+"; c=d", "Authorization: Bearer "+bob), verdict: "allowed", who: "alice", query: "a=1", cookie: "c=d"},
		"a spoofed second":       {request: edgetest.Get("/?k=spoofed", "X-One: "+alice, "Cookie: k=spoofed", "Authorization: ApiKey spoofed"), verdict: "allowed", who: "alice"},
		"a spoofed bearer":       {request: edgetest.Get("/", "X-One: "+alice, "Authorization: Bearer spoofed"), verdict: "allowed", who: "alice"},
		"a token is another's":   {request: edgetest.Get("/", "X-One: "+alice, "Authorization: "+token), verdict: "allowed", who: "alice", authorization: token},
		"a bad first":            {request: edgetest.Get("/?k="+bob, "X-One: bad"), verdict: "credential_invalid", challenges: 1},
		"a bad second":           {request: edgetest.Get("/?k=bad"), verdict: "credential_invalid", challenges: 2},
		"none":                   {request: edgetest.Get("/"), verdict: "credential_missing", challenges: 2},
	} {
		t.Run(name, func(t *testing.T) {
			ex := e.Do(test.request)
			who := ""
			if ex.Identity.Known() {
				who = ex.Identity.Consumer.Name
			}
			if verdict(ex) != test.verdict || who != test.who {
				t.Fatalf("%s by %q", verdict(ex), who)
			}
			in := &ex.Request
			if test.verdict == "allowed" && (in.Query != test.query || in.Header.Get("Cookie") != test.cookie || in.Header.Get("Authorization") != test.authorization || in.Header.Has("X-One")) {
				t.Errorf("forwarded: query %q, %v", in.Query, in.Header.Fields())
			}
			challenges := 0
			for _, f := range ex.Response.Header.Fields() {
				if f.Name == "WWW-Authenticate" {
					challenges++
				}
			}
			if challenges != test.challenges {
				t.Errorf("%d challenges", challenges)
			}
		})
	}
}
