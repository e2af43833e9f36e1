package anonymous_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/policies/anonymous"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// edge has a route on which more policies authenticate besides: the anonymous one has the lowest position, at the most general level.
func edge(t testing.TB, more string) (*edgetest.Edge, id.ID) {
	t.Helper()
	e := edgetest.New(t, policies.All()...)
	guest := e.Consumer(t, "guest", false)
	e.Configure(t, `{
		"services": [{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}],
		"routes": [{"name": "all", "service": "orders", "paths": [{"prefix": "/"}]}],
		"policies": [`+more+`{"name": "anybody", "kind": "anonymous", "position": -100, "config": {"consumer": "`+id.Text(id.Consumer, guest)+`"},
			"attached_to": [{"environment": true}]}]
	}`)
	return e, guest
}

const keys = `{"name": "keys", "kind": "api-key", "position": 100, "config": {"locations": [{"header": "X-Api-Key"}, {"header": "Authorization"}]}, "attached_to": [{"route": "all"}]},`

func said(ex *pipeline.Exchange) string {
	who := "nobody"
	if ex.Identity.Known() {
		who = ex.Identity.Consumer.Name
	}
	return string(ex.Verdict) + " " + who
}

func TestWhoShowsNothingIsTheConsumer(t *testing.T) {
	e, _ := edge(t, "")
	if got := said(e.Do(edgetest.Get("/"))); got != "allowed guest" {
		t.Fatal(got)
	}
	if ex := e.Do(edgetest.Get("/", "Authorization: Bearer theirs")); said(ex) != "allowed guest" || ex.Request.Header.Get("Authorization") != "Bearer theirs" {
		t.Fatalf("%s: where nobody else authenticates, an Authorization is the service's", said(ex))
	}
}

func TestACredentialDecidesFirstWhateverPositionAndLevel(t *testing.T) {
	e, _ := edge(t, keys)
	key := e.Key(t, "alice", edgetest.Key{})
	for want, r := range map[string]edgetest.Request{
		"allowed guest":               edgetest.Get("/"),
		"allowed alice":               edgetest.Get("/", "X-Api-Key: "+key),
		"credential_invalid nobody ":  edgetest.Get("/", "X-Api-Key: wrong"),
		"credential_invalid nobody  ": edgetest.Get("/", "Authorization: Digest wrong"),
	} {
		if got := said(e.Do(r)); got != strings.TrimSpace(want) {
			t.Errorf("%v: %s, want %s", r.Header, got, want)
		}
	}
	refused := e.Do(edgetest.Get("/", "Authorization: Digest wrong"))
	if !strings.Contains(refused.Response.Header.Get("WWW-Authenticate"), "ApiKey") {
		t.Errorf("a 401 without a challenge: %v", refused.Response.Header.Fields())
	}
}

func TestTheConsumersStateHolds(t *testing.T) {
	e, guest := edge(t, keys)
	e.Consumer(t, "guest", true)
	if got := said(e.Do(edgetest.Get("/"))); got != "consumer_suspended nobody" {
		t.Error(got)
	}
	e.Consumer(t, "guest", false)
	e.Block(t, &directoryv1.Block{Target: &directoryv1.Block_Consumer{Consumer: guest[:]}})
	if got := said(e.Do(edgetest.Get("/"))); got != "blocked nobody" {
		t.Error(got)
	}
}

func TestAnUnknownConsumerFailsClosed(t *testing.T) {
	e := edgetest.New(t, policies.All()...)
	e.Configure(t, `{
		"services": [{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}],
		"routes": [{"name": "all", "service": "orders", "paths": [{"prefix": "/"}]}],
		"policies": [{"name": "anybody", "kind": "anonymous", "config": {"consumer": "con_01kas2gz4pe6xb10b0wd3m1gcx"}, "attached_to": [{"environment": true}]}]
	}`)
	if got := said(e.Do(edgetest.Get("/"))); got != "policy_failed nobody" {
		t.Error(got)
	}
}

func TestAConfigurationThatNamesNobodyIsRefused(t *testing.T) {
	for _, config := range []proto.Message{&policyv1.Anonymous{}, &policyv1.Anonymous{Consumer: "guest"}, &policyv1.Basic{}} {
		if _, err := anonymous.Binding.Compile(pipeline.Env{}, config); err == nil {
			t.Errorf("%v compiles", config)
		}
	}
}
