package apikey_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	"github.com/sallyport/sallyport/proto/id"
)

// theirs has no form of ours, and no checksum.
const theirs = "a-key-that-kong-made_1234567890"

func TestAKeyThatIsBoundToRoutesIsRefusedOnOthers(t *testing.T) {
	e := edgetest.New(t, apikey.Binding)
	e.Configure(t, `{
		"services": [{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}, {"name": "stock", "upstream": {"targets": [{"address": "stock.test:80"}]}}],
		"routes": [{"name": "orders", "service": "orders", "paths": [{"prefix": "/orders"}]}, {"name": "bulk", "service": "orders", "paths": [{"prefix": "/bulk"}]},
			{"name": "stock", "service": "stock", "paths": [{"prefix": "/stock"}]}],
		"policies": [{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]}]
	}`)
	unbound := e.Key(t, "alice", edgetest.Key{})
	ask := func(path, key string) string { return verdict(e.Do(edgetest.Get(path, "X-Api-Key: "+key))) }
	at := e.Do(edgetest.Get("/orders", "X-Api-Key: "+unbound)).Route
	route, service := at.ID, at.Service
	one := e.Key(t, "alice", edgetest.Key{Routes: []id.ID{route}})
	all := e.Key(t, "alice", edgetest.Key{Routes: []id.ID{service}})
	gone := e.Key(t, "alice", edgetest.Key{Routes: []id.ID{{1, 2, 3}}})
	for _, test := range []struct{ path, key, want string }{
		{"/orders", one, "allowed"},
		{"/bulk", one, "access_denied"},
		{"/stock", one, "access_denied"},
		{"/orders", all, "allowed"},
		{"/bulk", all, "allowed"},
		{"/stock", all, "access_denied"},
		{"/orders", gone, "access_denied"},
		{"/stock", unbound, "allowed"},
	} {
		if got := ask(test.path, test.key); got != test.want {
			t.Errorf("%s: %s, want %s", test.path, got, test.want)
		}
	}
	refused := e.Do(edgetest.Get("/stock", "X-Api-Key: "+one))
	if refused.Response.Status != 403 || !refused.Identity.Known() || !strings.Contains(refused.Rejection.Reason, "other routes") {
		t.Errorf("%d, identified: %v, %q", refused.Response.Status, refused.Identity.Known(), refused.Rejection.Reason)
	}
}

func TestAKeyThatAnotherSystemMadeLetsInWhateverItsForm(t *testing.T) {
	e := edge(t, "enforce", `{"locations": [{"header": "X-Key"}, {"header": "Authorization"}]}`)
	own := e.Key(t, "alice", edgetest.Key{})
	ask := func(fields ...string) string { return verdict(e.Do(edgetest.Get("/", fields...))) }
	if got := ask("X-Key: " + theirs); got != "credential_invalid" {
		t.Fatalf("before there is one: %s", got)
	}
	e.Key(t, "bob", edgetest.Key{Text: theirs})
	longest := strings.Repeat("x1", 64)
	e.Key(t, "bob", edgetest.Key{Text: longest})
	e.Key(t, "bob", edgetest.Key{Text: longest + "x"})
	for name, test := range map[string]struct{ field, want string }{
		"in a header": {"X-Key: " + theirs, "allowed"},
		"as bearer":   {"Authorization: Bearer " + theirs, "allowed"},
		"another":     {"X-Key: " + theirs + "1", "credential_invalid"},
		"ours":        {"X-Key: " + own, "allowed"},
		"nothing":     {"Authorization: Bearer ", "credential_invalid"},
		"longest":     {"X-Key: " + longest, "allowed"},
		"too long":    {"X-Key: " + longest + "x", "credential_invalid"},
	} {
		if got := ask(test.field); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// One that didn't decide is a key none the less, and the service must not see it.
func TestNoKeyThatAnotherSystemMadeReachesTheService(t *testing.T) {
	e := edge(t, "enforce", `{"locations": [{"header": "X-Key"}, {"header": "Authorization"}]}`)
	own := e.Key(t, "alice", edgetest.Key{})
	e.Key(t, "bob", edgetest.Key{Text: theirs})
	for name, test := range map[string]struct {
		fields []string
		want   string // of Authorization
	}{
		"it decided":     {[]string{"Authorization: Bearer " + theirs}, ""},
		"another did":    {[]string{"X-Key: " + own, "Authorization: Bearer " + theirs}, ""},
		"someone else's": {[]string{"X-Key: " + theirs, "Authorization: Bearer for-the-service"}, "Bearer for-the-service"},
	} {
		ex := e.Do(edgetest.Get("/", test.fields...))
		if verdict(ex) != "allowed" || ex.Request.Header.Get("Authorization") != test.want || ex.Request.Header.Get("X-Key") != "" {
			t.Errorf("%s: %s, the service sees %q and %q", name, verdict(ex), ex.Request.Header.Get("Authorization"), ex.Request.Header.Get("X-Key"))
		}
	}
}

func TestOnlyAWatchedKeyMakesItsCallersWatched(t *testing.T) {
	e := edge(t, "enforce", `{}`)
	watched, plain := e.Key(t, "alice", edgetest.Key{Watched: true}), e.Key(t, "alice", edgetest.Key{})
	if !e.Do(edgetest.Get("/", "X-Api-Key: "+watched)).Identity.Watched || e.Do(edgetest.Get("/", "X-Api-Key: "+plain)).Identity.Watched {
		t.Error("the wrong ones are watched")
	}
}
