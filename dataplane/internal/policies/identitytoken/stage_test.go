package identitytoken_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/claims"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	"github.com/sallyport/sallyport/dataplane/internal/policies/identitytoken"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/identitykey"
	"github.com/sallyport/sallyport/proto/jwk"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/resource"
)

// gate is a stage of the kind with a directory of its own.
type gate struct {
	t     testing.TB
	edge  *edgetest.Edge
	parts *pipeline.Parts
	stage pipeline.Stage
	pool  pipeline.Pool
}

func newGate(t testing.TB, config string) *gate {
	t.Helper()
	g := &gate{t: t, edge: edgetest.New(t, identitytoken.Binding), parts: new(pipeline.Parts)}
	g.edge.IdentityKeys(t, newKey(t, 1, edgetest.Epoch))
	g.stage = g.compile(config)
	return g
}

func newKey(t testing.TB, version uint32, from time.Time) *directoryv1.IdentityKey {
	t.Helper()
	key, err := identitykey.New(version, edgetest.Epoch, from)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// compile makes another stage on the same node.
func (g *gate) compile(config string) pipeline.Stage {
	g.t.Helper()
	kind, _ := kinds.ByName("identity-token")
	m := kind.New()
	if violations := resource.Decode([]byte(config), m); len(violations) > 0 {
		g.t.Fatal(violations)
	}
	stage, err := identitytoken.Binding.Compile(pipeline.Env{Directory: g.edge.Directory, Parts: g.parts, PolicyID: id.ID{1}}, resource.Defaulted(m))
	if err != nil {
		g.t.Fatal(err)
	}
	return stage
}

// caller is somebody of whom a token says something, or nothing.
func caller(t testing.TB, name, said string, scopes ...string) pipeline.Identity {
	t.Helper()
	who := pipeline.Identity{Consumer: &directory.Consumer{ID: id.ID{15: name[0]}, Name: name}, Scopes: directory.NewScopeSet(scopes...)}
	if said == "" {
		return who
	}
	var err error
	if who.Claims, err = claims.Parse([]byte(said)); err != nil {
		t.Fatal(err)
	}
	return who
}

// exchange is a request of somebody.
func (g *gate) exchange(who pipeline.Identity, fields ...string) *pipeline.Exchange {
	ex := g.edge.Exchange(edgetest.Get("/", fields...))
	ex.Now, ex.Identity, ex.Route = g.edge.Now, who, &pipeline.RouteInfo{ServiceName: "orders"}
	return ex
}

// ask returns the value of a field behind the stage.
func (g *gate) ask(name string, who pipeline.Identity, fields ...string) string {
	g.t.Helper()
	ex := g.exchange(who, fields...)
	if err := g.stage.Request(ex); err != nil {
		g.t.Fatal(err)
	}
	return ex.Request.Header.Get(name)
}

const field = "X-Identity-Token"

// read checks a token by the keys that the directory publishes, and returns its head and what it says.
func (g *gate) read(text string) (head, said map[string]any) {
	g.t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		g.t.Fatalf("%q is no token", text)
	}
	for i, into := range []*map[string]any{&head, &said} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			g.t.Fatalf("%q: %v", raw, err)
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		g.t.Fatal(err)
	}
	keys, _, err := jwk.ParseSet(g.edge.Directory.IdentityKeys().Set())
	if err != nil {
		g.t.Fatal(err)
	}
	at := slices.IndexFunc(keys, func(k jwk.Key) bool { return k.ID == head["kid"] })
	if at < 0 || keys[at].Algorithm != head["alg"] {
		g.t.Fatalf("no key that is published fits %v", head)
	}
	message := parts[0] + "." + parts[1]
	sum, good := sha256.Sum256([]byte(message)), false
	switch public := keys[at].Public.(type) {
	case ed25519.PublicKey:
		good = ed25519.Verify(public, []byte(message), signature)
	case *ecdsa.PublicKey:
		good = ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	}
	if !good {
		g.t.Fatalf("the signature of %q isn't good", text)
	}
	return head, said
}

const least = `{"token": {"issuer": "https://gateway.example.com"}}`

func TestATokenSaysWhoCallsForWhomAndUntilWhen(t *testing.T) {
	g := newGate(t, least)
	head, said := g.read(g.ask(field, caller(t, "shop", "", "b", "a")))
	now := float64(edgetest.Epoch.Unix())
	want := map[string]any{
		"iss": "https://gateway.example.com", "sub": id.Text("con", id.ID{15: 's'}), "aud": "orders", "iat": now, "nbf": now, "exp": now + 300,
		"consumer": map[string]any{"id": id.Text("con", id.ID{15: 's'}), "name": "shop"}, "scope": "a b",
	}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("it says\n%v, not\n%v", said, want)
	}
	if head["alg"] != "ES256" || head["typ"] != "JWT" || len(head) != 3 {
		t.Errorf("its head is %v", head)
	}
}

func TestWhatTheCallersTokenSaysIsSaidAgainByChoice(t *testing.T) {
	g := newGate(t, `{"token": {"issuer": "urn:gw", "audience": "all", "algorithm": "eddsa", "lifetime": "60s", "subject": "token", "claims": [
		{"claim": "realm.roles", "name": "roles"}, {"claim": "email"}, {"claim": "none"}, {"claim": "odd"}, {"claim": "exp", "name": "until"}]}}`)
	who := caller(t, "shop", `{"iss": "https://idp.example", "sub": "a\"lice\u0001", "realm": {"roles": ["x", "y"]}, "email": "ä<b@c>", "odd": {"a": [1.50, true, null, "\\"]}, "exp": 99999999999}`)
	head, said := g.read(g.ask(field, who))
	want := map[string]any{
		"idp": "https://idp.example", "idp_sub": "a\"lice\x01", "sub": "a\"lice\x01", "aud": "all", "roles": []any{"x", "y"}, "email": "ä<b@c>",
		"odd": map[string]any{"a": []any{1.5, true, nil, "\\"}}, "until": float64(99999999999), "exp": float64(edgetest.Epoch.Unix() + 60),
	}
	for name, value := range want {
		if !reflect.DeepEqual(said[name], value) {
			t.Errorf("%s is %v, not %v", name, said[name], value)
		}
	}
	if _, there := said["none"]; there || head["alg"] != "EdDSA" {
		t.Errorf("%v %v", head, said)
	}
	if _, said = g.read(g.ask(field, caller(t, "shop", ""))); said["sub"] != id.Text("con", id.ID{15: 's'}) || said["idp"] != nil {
		t.Errorf("of a caller without a token it says %v", said)
	}
}

func TestOfWhatTheCallersTokenSaysFourKilobytesAreSaidAgain(t *testing.T) {
	g := newGate(t, `{"token": {"issuer": "urn:gw", "claims": [{"claim": "a"}, {"claim": "b"}, {"claim": "c"}]}}`)
	_, said := g.read(g.ask(field, caller(t, "shop", fmt.Sprintf(`{"a": %q, "b": %q, "c": "small"}`, strings.Repeat("a", 3000), strings.Repeat("b", 3000)))))
	if said["a"] == nil || said["b"] != nil || said["c"] != "small" {
		t.Errorf("it says %d claims", len(said))
	}
}

func TestNoFieldOfTheNameEverComesFromAClient(t *testing.T) {
	forged := []string{field + ": forged", "x_identity_token: forged", "X.Identity-TOKEN: forged", "X-Identity_Token: forged", "X-Other: passes"}
	g := newGate(t, least)
	nobody := g.exchange(pipeline.Identity{}, forged...)
	if err := g.stage.Request(nobody); err != nil {
		t.Fatal(err)
	}
	if got := nobody.Request.Header.Fields(); len(got) != 1 || got[0].Name != "X-Other" {
		t.Errorf("of an unknown caller the service gets %v", got)
	}
	known := g.exchange(caller(t, "shop", ""), forged...)
	if err := g.stage.Request(known); err != nil {
		t.Fatal(err)
	}
	if got := known.Request.Header.Fields(); len(got) != 2 || got[1].Name != field || got[1].Value == "forged" {
		t.Errorf("of a known caller the service gets %v", got)
	}
}

func TestTheInboundTokenIsRemovedOrKeptByChoice(t *testing.T) {
	said := `{"iss": "https://idp.example", "sub": "alice"}`
	fields := []string{"Authorization: Bearer theirs", "AUTHORIZATION: again"}
	for config, want := range map[string]string{
		least: "Bearer theirs",
		`{"token": {"issuer": "urn:gw"}, "inbound_token": "remove"}`: "",
	} {
		g := newGate(t, config)
		if got := g.ask("Authorization", caller(t, "shop", said), fields...); got != want {
			t.Errorf("%s: Authorization is %q", config, got)
		}
		// Of a caller who came by an API key the field is the service's own affair.
		if got := g.ask("Authorization", caller(t, "shop", ""), fields...); got != "Bearer theirs" {
			t.Errorf("%s, without a token: Authorization is %q", config, got)
		}
	}
	g := newGate(t, `{"token": {"issuer": "urn:gw", "header": "Authorization"}, "inbound_token": "keep"}`)
	own, bearer := strings.CutPrefix(g.ask("Authorization", caller(t, "shop", said), fields...), "Bearer ")
	if g.read(own); !bearer {
		t.Error("the token isn't behind the word Bearer")
	}
	if got := g.ask("Authorization", pipeline.Identity{}, fields...); got != "" {
		t.Errorf("of nobody Authorization is %q", got)
	}
}

func TestATokenIsUsedAgainUntilHalfOfItsLifeHasPassed(t *testing.T) {
	g := newGate(t, least)
	who := caller(t, "shop", "")
	first := g.ask(field, who)
	g.edge.Advance(149 * time.Second)
	if g.ask(field, who) != first {
		t.Error("another one was signed")
	}
	g.edge.Advance(time.Second)
	second := g.ask(field, who)
	if second == first || g.ask(field, who) != second {
		t.Error("half of its life has passed, and it is still used")
	}
	if _, said := g.read(second); said["iat"] != float64(g.edge.Now.Unix()) {
		t.Errorf("the second says %v", said)
	}
}

// Whatever a token says must be true of whoever gets it.
func TestNoCallerIsGivenAnothersToken(t *testing.T) {
	g := newGate(t, `{"token": {"issuer": "urn:gw", "subject": "token", "claims": [{"claim": "a"}, {"claim": "b"}]}}`)
	seen := map[string]string{}
	for _, who := range []struct {
		name, said string
		scopes     []string
	}{
		{"shop", "", nil},
		{"blog", "", nil},
		{"shop", "", []string{"a"}},
		{"shop", "", []string{"a", "b"}},
		{"shop", "", []string{"a b"}},
		{"shop", `{}`, nil},
		{"shop", `{"sub": "x"}`, nil},
		{"shop", `{"iss": "x"}`, nil},
		{"shop", `{"iss": "x", "sub": "x"}`, nil},
		{"shop", `{"a": "x"}`, nil},
		{"shop", `{"b": "x"}`, nil},
		{"shop", `{"a": ["x"]}`, nil},
		{"shop", `{"a": 1}`, nil},
		{"shop", `{"a": "1"}`, nil},
		{"shop", `{"a": 1.0}`, nil},
		{"shop", `{"a": true}`, nil},
		{"shop", `{"a": "true"}`, nil},
		{"shop", `{"a": null}`, nil},
		{"shop", `{"a": ["x", "y"]}`, nil},
		{"shop", `{"a": ["x"], "b": "y"}`, nil},
		{"shop", `{"a": {"x": "y"}}`, nil},
		{"shop", `{"a": ["xy"]}`, nil},
		{"shop", `{"a": []}`, nil},
		{"shop", `{"a": [[]]}`, nil},
		{"shop", `{"exp": 1767323100}`, nil},
	} {
		text := g.ask(field, caller(t, who.name, who.said, who.scopes...))
		described := fmt.Sprintf("%+v", who)
		if before, twice := seen[text]; twice && who.said != "{}" {
			t.Errorf("%s and %s have one token", before, described)
		}
		seen[text] = described
		if again := g.ask(field, caller(t, who.name, who.said, who.scopes...)); again != text {
			t.Errorf("%s: signed again", described)
		}
	}
	who := caller(t, "shop", "")
	first := g.ask(field, who)
	ex := g.exchange(who)
	ex.Route = &pipeline.RouteInfo{ServiceName: "billing"}
	if err := g.stage.Request(ex); err != nil || ex.Request.Header.Get(field) == first {
		t.Errorf("another service is given the same: %v", err)
	}
	g.stage = g.compile(`{"token": {"issuer": "urn:other", "subject": "token"}}`)
	if g.ask(field, who) == first {
		t.Error("another policy gives the same")
	}
}

func TestATokenEndsNoLaterThanTheCallersOwnButIsGoodForAWhile(t *testing.T) {
	g := newGate(t, least)
	now := edgetest.Epoch.Unix()
	for exp, want := range map[string]int64{
		fmt.Sprint(now + 100): 100, fmt.Sprint(now + 301): 300, fmt.Sprint(now + 10): 30, fmt.Sprint(now - 5): 30, fmt.Sprintf("%d.7", now+100): 100,
		fmt.Sprintf("%de0", now+100): 100, `"soon"`: 300, "-1": 30, "1e400": 300,
	} {
		_, said := g.read(g.ask(field, caller(t, "shop", `{"exp": `+exp+`, "sub": "`+strings.Trim(exp, `"`)+`"}`)))
		if got := int64(said["exp"].(float64)) - now; got != want {
			t.Errorf("of a token until %s ours lasts for %ds, not %ds", exp, got, want)
		}
	}
	// One subject, two tokens of its own: the one that ends sooner gets none that was made by the other.
	g.ask(field, caller(t, "shop", fmt.Sprintf(`{"sub": "same", "exp": %d}`, now+1000)))
	if _, said := g.read(g.ask(field, caller(t, "shop", fmt.Sprintf(`{"sub": "same", "exp": %d}`, now+50)))); said["exp"] != float64(now+50) {
		t.Errorf("it says %v", said)
	}
}

func TestTheKeyThatSignsIsTheNewestThatHasBegunAndOneThatIsGoneSignsNothing(t *testing.T) {
	g := newGate(t, least)
	who := caller(t, "shop", "")
	old, next, leaked := newKey(t, 1, edgetest.Epoch), newKey(t, 2, edgetest.Epoch.Add(time.Minute)), newKey(t, 3, edgetest.Epoch)
	g.edge.IdentityKeys(t, old)
	first := g.ask(field, who)
	g.edge.IdentityKeys(t, next, old)
	if g.ask(field, who) != first {
		t.Error("a key signs before its time")
	}
	g.edge.Advance(time.Minute)
	second := g.ask(field, who)
	if second == first {
		t.Error("the old key still signs")
	}
	g.read(first) // is still good
	g.edge.IdentityKeys(t, leaked)
	third := g.ask(field, who)
	if third == second {
		t.Error("what a key signed that is gone is still used")
	}
	g.read(third)
}

func TestAKnownCallerWithoutAKeyToSignWithIsRefused(t *testing.T) {
	e := edgetest.New(t, apikey.Binding, identitytoken.Binding)
	e.Configure(t, `{"services": [{"name": "orders", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "orders", "paths": [{"prefix": "/"}]}],
		"policies": [{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"route": "r"}]},
			{"name": "who", "kind": "identity-token", "config": `+least+`, "attached_to": [{"service": "orders"}]}]}`)
	key := e.Key(t, "shop", edgetest.Key{})
	if ex := e.Do(edgetest.Get("/", "X-Api-Key: "+key)); ex.Verdict != "policy_failed" || ex.Request.Header.Has(field) {
		t.Errorf("the verdict is %s", ex.Verdict)
	}
	e.IdentityKeys(t, newKey(t, 1, edgetest.Epoch))
	if ex := e.Do(edgetest.Get("/", "X-Api-Key: "+key)); ex.Verdict != pipeline.Allowed || !ex.Request.Header.Has(field) || ex.Request.Header.Has("X-Api-Key") {
		t.Errorf("the verdict is %s", ex.Verdict)
	}
}

// Who may ask what would happen may not be somebody by it.
func TestADryRunSignsNothing(t *testing.T) {
	g := newGate(t, least)
	ex := g.exchange(caller(t, "shop", ""), field+": forged")
	ex.Dry = true
	if err := g.stage.Request(ex); err != nil {
		t.Fatal(err)
	}
	if got := ex.Request.Header.Get(field); !strings.HasPrefix(got, "(") || identitytoken.CountsOf(g.parts).Signed != 0 {
		t.Errorf("the field is %q", got)
	}
}

func TestTheMemoryIsBoundedInBytesAndSharedByPolicies(t *testing.T) {
	g := newGate(t, `{"token": {"issuer": "urn:gw", "algorithm": "eddsa", "claims": [{"claim": "big"}]}}`)
	other := g.compile(least)
	text := strings.Repeat("x", 60_000)
	for i := range 1500 { // of some 60 KB each
		who := caller(t, "shop", fmt.Sprintf(`{"sub": "%d", "big": %q}`, i, text))
		ex := g.exchange(who)
		if err := g.stage.Request(ex); err != nil {
			t.Fatal(err)
		}
		g.pool.Put(ex)
	}
	if err := other.Request(g.exchange(caller(t, "shop", ""))); err != nil {
		t.Fatal(err)
	}
	counts := identitytoken.CountsOf(g.parts)
	if counts.Signed != 1501 || counts.Evicted == 0 || counts.Bytes > 64<<20 || counts.Tokens+int(counts.Evicted) != 1501 {
		t.Errorf("%+v", counts)
	}
}

func TestPlainFieldsSayWhatIsKnown(t *testing.T) {
	g := newGate(t, `{"headers": {"fields": [{"name": "X-Consumer", "fact": "consumer_name"}, {"name": "X-Consumer-Id", "fact": "consumer_id"},
		{"name": "X-User", "fact": "subject"}, {"name": "X-Idp", "fact": "issuer"}, {"name": "X-Scopes", "fact": "scopes"},
		{"name": "X-Roles", "claim": "realm.roles"}, {"name": "X-Level", "claim": "level"}, {"name": "X-Staff", "claim": "staff"}]}}`)
	who := caller(t, "shop", `{"iss": "https://idp.example", "sub": "alice", "realm": {"roles": ["x", "y"]}, "level": 7, "staff": true}`, "write", "read")
	for name, want := range map[string]string{
		"X-Consumer": "shop", "X-Consumer-Id": id.Text("con", id.ID{15: 's'}), "X-User": "alice", "X-Idp": "https://idp.example", "X-Scopes": "read write",
		"X-Roles": "x,y", "X-Level": "7", "X-Staff": "true",
	} {
		if got := g.ask(name, who, name+": forged", strings.ReplaceAll(name, "-", "_")+": forged"); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
		if got := g.ask(name, pipeline.Identity{}, name+": forged", strings.ReplaceAll(name, "-", "_")+": forged"); got != "" {
			t.Errorf("of nobody %s is %q", name, got)
		}
	}
	if got := g.ask("X-User", caller(t, "shop", "")); got != id.Text("con", id.ID{15: 's'}) {
		t.Errorf("without a token the subject is %q", got)
	}
}

func TestAValueThatNoFieldCanHoldIsLeftOut(t *testing.T) {
	g := newGate(t, `{"headers": {"fields": [{"name": "X-A", "claim": "a"}]}}`)
	for _, value := range []string{
		`"a\r\nX-Evil: 1"`, `"a\u0000"`, `"a\u007f"`, `"\u001b[31m"`, `""`, `" \t"`, `null`, `{"x": 1}`, `["x", "y,z"]`, `["x", {"y": 1}]`, `["x", ["y"]]`, `["x", ""]`, `[]`,
		`["x", null]`, `["x\ny"]`, `"` + strings.Repeat("x", 8193) + `"`,
	} {
		ex := g.exchange(caller(t, "shop", `{"a": `+value+`}`), "X-A: forged")
		if err := g.stage.Request(ex); err != nil || ex.Request.Header.Len() != 0 {
			t.Errorf("%s: %v %v", value, ex.Request.Header.Fields(), err)
		}
	}
	if got := g.ask("X-A", caller(t, "shop", `{"a": " ümläut "}`)); got != "ümläut" {
		t.Errorf("got %q", got)
	}
}

func TestWhatCantBeEnforcedIsRefused(t *testing.T) {
	for name, config := range map[string]*policyv1.IdentityToken{
		"nothing":     {},
		"no issuer":   {Form: &policyv1.IdentityToken_Token{Token: &policyv1.SignedIdentity{}}},
		"no lifetime": {Form: &policyv1.IdentityToken_Token{Token: &policyv1.SignedIdentity{Issuer: "urn:x"}}},
		"host": {Form: &policyv1.IdentityToken_Headers{Headers: &policyv1.IdentityHeaders{Fields: []*policyv1.IdentityHeader{{
			Name: "Host", Value: &policyv1.IdentityHeader_Fact{Fact: policyv1.IdentityFact_IDENTITY_FACT_SUBJECT},
		}}}}},
	} {
		if _, err := identitytoken.Binding.Compile(pipeline.Env{Directory: directory.New(), Parts: new(pipeline.Parts)}, config); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
