package callers_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/callers"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/catalog/catalogtest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

var update = flag.Bool("update", false, "write the sentences anew")

// world is one configuration, and consumers who aren't in any database.
type world struct {
	head   *catalog.Head
	people []callers.Consumer // in the order of their names
	bound  []callers.Place    // where the keys may be used; nil: anywhere
}

func (w world) Head(context.Context, string) (*catalog.Head, error) { return w.head, nil }

func (w world) Callers(_ context.Context, _ string, there callers.Place, after string, most int) ([]callers.Consumer, error) {
	if w.bound != nil && !slices.Contains(w.bound, there) {
		return nil, nil
	}
	behind := slices.DeleteFunc(slices.Clone(w.people), func(c callers.Consumer) bool { return c.Name <= after })
	return behind[:min(most, len(behind))], nil
}

func (w world) ConsumerNames(_ context.Context, _ string, ids []string) (map[string]string, error) {
	names := make(map[string]string)
	for _, c := range w.people {
		if slices.Contains(ids, c.ID) {
			names[c.ID] = c.Name
		}
	}
	return names, nil
}

func access(t *testing.T, w world, people bool) *adminv1.RouteAccess {
	t.Helper()
	answer, err := callers.New(w, w).Access(t.Context(), "env", "r", people)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

const (
	shop    = "con_01kas2gz4pe6xb10b0wd3m1gca"
	app     = "con_01kas2gz4pe6xb10b0wd3m1gcb"
	partner = "con_01kas2gz4pe6xb10b0wd3m1gcc"
	gone    = "con_01kas2gz4pe6xb10b0wd3m1gcd"
	keyless = "con_01kas2gz4pe6xb10b0wd3m1gce"
)

func people() []callers.Consumer {
	return []callers.Consumer{
		{ID: app, Name: "app", Labels: map[string]string{"tier": "gold"}, Keys: [][]string{{"read"}, {"read", "write"}}},
		{ID: gone, Name: "gone", Out: true, Keys: [][]string{{"read", "write"}}},
		{ID: keyless, Name: "keyless"},
		{ID: partner, Name: "partner", Keys: [][]string{{"write"}}},
		{ID: shop, Name: "shop", Keys: [][]string{{"read"}}},
	}
}

// configuration puts policies before one route.
func configuration(t *testing.T, route, policies string) *catalog.Head {
	t.Helper()
	return catalogtest.Head(t, catalogtest.Parse(t, `{
		"services": [{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}], "issuers": [`+issuer("login")+`, `+issuer("shop")+`],
		"routes": [{"name": "r", "service": "orders", `+route+`}], "policies": [`+policies+`]}`))
}

func issuer(name string) string {
	return `{"name": "` + name + `", "issuer": "https://` + name + `.test", "jwks_url": "https://` + name + `.test/jwks", "audiences": ["orders"], "consumer": {"name_claim": "sub"}}`
}

const (
	keys   = `{"name": "keys", "kind": "api-key", "config": {"locations": [{"header": "X-Api-Key"}, {"cookie": "key"}], "required_scopes": ["read"]}, "attached_to": [{"environment": true}]}`
	tokens = `{"name": "tokens", "kind": "jwt", "config": {"issuers": ["login", "shop"], "audiences": ["orders"], "required_scopes": ["read"]}, "attached_to": [{"environment": true}]}`
	guests = `{"name": "anybody", "kind": "anonymous", "config": {"consumer": "` + keyless + `"}, "attached_to": [{"environment": true}]}`
	all    = `"paths": [{"prefix": "/orders"}, {"template": "/o/{id}"}, {"exact": "/x"}], "hosts": ["a.test", "b.test"], "methods": ["GET", "POST"], "headers": [{"name": "x-v", "exact": "1"}]`
)

// A golden file has the sentences, and what becomes of consumers.
func TestTheSentencesOfARoute(t *testing.T) {
	for name, head := range map[string]*catalog.Head{
		"public": configuration(t, `"paths": [{"prefix": "/"}], "public": true`, `
			{"name": "pages", "kind": "cors", "config": {"origins": ["https://app.test"]}, "attached_to": [{"environment": true}]},
			{"name": "limit", "kind": "rate-limit", "config": {"by": [{"address": true}], "windows": [{"requests": 10, "window": "1s"}]}, "attached_to": [{"environment": true}]}`),
		"nobody": configuration(t, `"paths": [{"prefix": "/"}], "public": true`,
			`{"name": "members", "kind": "acl", "config": {"allow": [{"every_consumer": true}]}, "attached_to": [{"environment": true}]}`),
		"shadow": configuration(t, `"paths": [{"prefix": "/"}], "public": true`, strings.Replace(keys, `"kind"`, `"mode": "shadow", "kind"`, 1)),
		"keys":   configuration(t, `"paths": [{"prefix": "/"}]`, keys),
		"rules": configuration(t, all, keys+`,
			{"name": "office", "kind": "address-access", "config": {"allow": [{"range": "10.0.0.0/8"}], "deny": [{"range": "10.6.6.0/24"}]}, "attached_to": [{"environment": true}]},
			{"name": "bounds", "kind": "request-limits", "config": {"methods": ["GET", "POST"], "max_body_bytes": 100, "content_types": ["application/json"]}, "attached_to": [{"environment": true}]},
			{"name": "rules", "kind": "acl", "config": {
				"allow": [{"methods": ["GET"], "every_consumer": true}, {"methods": ["POST"], "labels": [{"key": "tier", "values": ["gold"]}], "any_scope": ["write"]}],
				"deny": [{"consumers": ["`+shop+`"], "methods": ["POST"], "paths": ["/o/{id}"]}]}, "attached_to": [{"route": "r"}]},
			{"name": "tenants", "kind": "cel", "config": {"expression": "request.method == 'GET' || 'write' in consumer.scopes", "message": "writers write"}, "attached_to": [{"service": "orders"}]},
			{"name": "tried", "kind": "acl", "mode": "shadow", "config": {}, "attached_to": [{"route": "r"}]},
			{"name": "off", "kind": "acl", "mode": "off", "config": {}, "attached_to": [{"route": "r"}]},
			{"name": "gold", "kind": "rate-limit", "config": {"by": [{"consumer": true}], "windows": [{"requests": 10, "window": "1s"}]}, "attached_to": [{"consumer": "`+app+`"}]},
			{"name": "never", "kind": "acl", "config": {}, "attached_to": [{"consumer": "`+partner+`"}]},
			{"name": "closed", "kind": "respond", "config": {"maintenance": {"exempt": ["10.0.0.0/8"]}}, "attached_to": [{"route": "r"}]}`),
		"tokens": configuration(t, `"paths": [{"prefix": "/"}], "methods": ["GET", "POST"]`, tokens+`,
			{"name": "told", "kind": "identity-token", "config": {"token": {"issuer": "https://gw.test"}}, "attached_to": [{"environment": true}]},
			{"name": "rules", "kind": "acl", "config": {
				"allow": [{"methods": ["GET"], "every_consumer": true}, {"methods": ["POST"], "any_role": ["clerk"]}], "deny": [{"consumers": ["`+partner+`"]}]}, "attached_to": [{"route": "r"}]}`),
		"proofs": configuration(t, `"paths": [{"prefix": "/"}], "methods": ["GET", "POST"]`, keys+`,`+tokens+`,
			{"name": "passwords", "kind": "basic", "config": {"realm": "orders", "required_scopes": ["audit"]}, "attached_to": [{"environment": true}]}`),
		"guests": configuration(t, `"paths": [{"prefix": "/"}], "methods": ["GET", "POST"]`, keys+`,`+guests+`,
			{"name": "rules", "kind": "acl", "config": {"allow": [{"methods": ["GET"], "every_consumer": true}, {"methods": ["POST"], "any_scope": ["write"]}]}, "attached_to": [{"route": "r"}]}`),
		"open": configuration(t, `"paths": [{"prefix": "/"}], "methods": ["GET", "POST"]`, guests),
		"request": configuration(t, `"paths": [{"prefix": "/"}], "methods": ["GET"]`, keys+`,
			{"name": "by-day", "kind": "cel", "config": {"expression": "now.getHours('+01:00') > 6"}, "attached_to": [{"environment": true}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			answer := access(t, world{head: head, people: people()}, true)
			got := strings.Join(answer.GetSentences(), "\n") + "\n"
			for _, c := range answer.GetConsumers().GetData() {
				got += fmt.Sprintf("- %s %s %v %v\n", c.GetName(), c.GetVerdict(), c.GetMethods(), c.GetDepending())
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
			}
		})
	}
}

func TestWithoutPeopleNothingIsSaidOfConsumers(t *testing.T) {
	head := configuration(t, `"paths": [{"prefix": "/"}]`, keys+`,{"name": "rules", "kind": "acl", "config": {"allow": [{"consumers": ["`+shop+`"]}]}, "attached_to": [{"consumer": "`+app+`"}]}`)
	answer := access(t, world{head: head, people: people()}, false)
	if answer.GetConsumers() != nil || answer.GetOverlays()[0].GetName() != "" {
		t.Errorf("%v", answer)
	}
	if text := strings.Join(answer.GetSentences(), "\n"); strings.Contains(text, `"shop"`) || !strings.Contains(text, shop) {
		t.Errorf("%s", text)
	}
}

func TestABoundedNumberOfConsumersIsLookedAtAndListed(t *testing.T) {
	head := configuration(t, `"paths": [{"prefix": "/"}], "methods": ["GET"]`, keys)
	var many []callers.Consumer
	for i := range 10_500 {
		many = append(many, callers.Consumer{ID: fmt.Sprint("con_", i), Name: fmt.Sprintf("c%05d", i), Keys: [][]string{{"read"}}})
	}
	consumers := access(t, world{head: head, people: many}, true).GetConsumers()
	if consumers.GetLookedAt() != 10_000 || consumers.GetComplete() || consumers.GetAdmitted() != 10_000 || len(consumers.GetData()) != 100 {
		t.Errorf("%d of them looked at, complete %v, %d listed", consumers.GetLookedAt(), consumers.GetComplete(), len(consumers.GetData()))
	}
	for _, n := range []int{0, 1000, 1001} {
		if c := access(t, world{head: head, people: many[:n]}, true).GetConsumers(); !c.GetComplete() || int(c.GetLookedAt()) != n || int(c.GetAdmitted()) != n {
			t.Errorf("of %d: %v", n, c.GetLookedAt())
		}
	}
}

func TestKeysAreAskedForThatAreGoodForTheRouteOrItsService(t *testing.T) {
	head := configuration(t, `"paths": [{"prefix": "/"}], "methods": ["GET"]`, keys)
	route, _ := head.Object(catalog.Routes, "r")
	service, _ := head.Object(catalog.Services, "orders")
	w := world{head: head, people: people(), bound: []callers.Place{{Route: route.ID, Service: service.ID}}}
	if n := access(t, w, true).GetConsumers().GetAdmitted(); n != 2 {
		t.Errorf("%d pass", n)
	}
}

func TestThereIsNoAccessToARouteThatIsNone(t *testing.T) {
	w := world{head: catalog.Empty()}
	if _, err := callers.New(w, w).Access(t.Context(), "env", "r", true); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("%v", err)
	}
}
