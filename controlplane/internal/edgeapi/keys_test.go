package edgeapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/issuers"
	"github.com/sallyport/sallyport/controlplane/internal/outbound"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jwk"
)

// Key sets of one key and of two: that of RFC 8037, and the base point's double.
const (
	oneKey  = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	twoKeys = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},` +
		`{"kty":"OKP","crv":"Ed25519","kid":"b","x":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"}]}`
)

// asking makes the control plane one that asks issuers on this machine.
func (r *restored) asking() *issuers.Keeper {
	r.t.Helper()
	log := slog.New(slog.DiscardHandler)
	network := outbound.NewErrands(outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}), jwk.MaxSet)
	keeper := issuers.New(r.db.Issuers(), catalog.New(r.db, log), r.publisher, network, log, new(issuers.Stats))
	r.issuers = keeper
	r.revive(edgeapi.Times{})
	return keeper
}

// issuer makes one whose key set is at an address, and returns its id.
func (r *restored) issuer(address string) id.ID {
	r.t.Helper()
	made := r.apply(publish.Create, catalog.Issuers, "", fmt.Sprintf(`{"name":"login","issuer":"https://login.test","jwks_url":%q,"audiences":["api"],"consumer":{"name_claim":"sub"}}`, address))
	parsed, err := id.Parse(id.Issuer, made.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return parsed
}

// Nobody asks on the schedule here: what comes, a node has asked for. The time is told, not judged.
func TestAKeyThatANodeAsksForIsOnEveryNodeAtOnce(t *testing.T) {
	r := newRestored(t, edgeapi.Times{})
	r.asking()
	var set atomic.Value
	set.Store(oneKey)
	seen := make(chan time.Time, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, set.Load())
		seen <- time.Now()
	}))
	defer server.Close()
	issuer := r.issuer(server.URL)
	nodes := []*edgetest.Node{r.enrol("edge-1"), r.enrol("edge-2"), r.enrol("edge-3")}
	reached := make(chan uint64, 100)
	for _, node := range nodes {
		following, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- node.Follow(following, node.Replica(directory), func(n uint64) { reached <- n }) }()
		t.Cleanup(func() {
			end()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	for round, keys := range []string{oneKey, twoKeys} {
		set.Store(keys)
		answer, err := nodes[0].Client().RefreshKeys(t.Context(), &edgev1.RefreshKeysRequest{Issuer: issuer[:]})
		if err != nil || !answer.GetFetched() {
			t.Fatalf("round %d: %v %v", round, answer, err)
		}
		for there := 0; there < len(nodes); {
			if n := <-reached; n == answer.GetSequence() {
				there++
			}
		}
		t.Logf("round %d: on %d nodes %v after it was seen", round, len(nodes), time.Since(<-seen))
	}
	fetched := 2
	for range 10 {
		answer, err := nodes[1].Client().RefreshKeys(t.Context(), &edgev1.RefreshKeysRequest{Issuer: issuer[:]})
		if err != nil || answer.GetSequence() == 0 {
			t.Fatalf("asked again at once: %v %v", answer, err)
		}
		if answer.GetFetched() {
			fetched++
		}
	}
	if fetched > 5 {
		t.Errorf("the issuer was asked %d times at once", fetched)
	}
}

func TestOnlyNodesOfItsEnvironmentMakeAnIssuerBeAsked(t *testing.T) {
	r := newRestored(t, edgeapi.Times{})
	r.asking()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = fmt.Fprint(w, oneKey)
	}))
	defer server.Close()
	issuer := r.issuer(server.URL)
	node := r.enrol("edge-1")
	for name, c := range map[string]struct {
		issuer []byte
		want   codes.Code
	}{
		"no id":           {nil, codes.InvalidArgument},
		"half an id":      {issuer[:8], codes.InvalidArgument},
		"another's, none": {make([]byte, 16), codes.NotFound},
	} {
		if _, err := node.Client().RefreshKeys(t.Context(), &edgev1.RefreshKeysRequest{Issuer: c.issuer}); codeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.nodes.SetEnabled(t.Context(), r.environment, node.Identity.GetNode(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Client().RefreshKeys(t.Context(), &edgev1.RefreshKeysRequest{Issuer: issuer[:]}); codeOf(err) != codes.PermissionDenied {
		t.Errorf("a disabled node: %v", err)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the issuer was asked %d times", n)
	}
}
