package e2e

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
	"github.com/sallyport/sallyport/tests/harness/provider"
)

// APIs of a provider, one for each algorithm that its access tokens are signed by.
const (
	ordersAPI  = "https://orders.test"
	billingAPI = "https://billing.test"
	stockAPI   = "https://stock.test"
)

var (
	robot = provider.Robot("robot", "the robot's own secret")
	app   = provider.App("app", "http://127.0.0.1:1/back")
)

func newProvider(t *testing.T) *provider.Provider {
	t.Helper()
	return provider.Start(t, provider.Config{
		Clients:  []provider.Client{robot, app},
		Accounts: map[string]provider.Account{"ada": {Email: "ada@example.test", Access: map[string]any{"tenant": "north"}}},
		Resources: map[string]provider.Resource{
			ordersAPI:  {Scope: "orders:read", Algorithm: "ES256", Seconds: 600},
			billingAPI: {Scope: "bills:read", Algorithm: "EdDSA", Seconds: 600},
			stockAPI:   {Scope: "stock:read", Algorithm: "RS256", Seconds: 600},
		},
	})
}

// behindProvider trusts a provider, whose keys the control plane fetches: no edge asks it anything. Its clients are consumers.
func behindProvider(t *testing.T, s *harness.Story, p *provider.Provider, upstream *harness.Upstream) {
	t.Helper()
	made, err := s.API.CreateIssuerWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateIssuerParams{Wait: s.Wait()}, sallyport.Issuer{
		Name: s.Name("login"), Issuer: p.Issuer, Discovery: &sallyport.Discovery{}, RefreshInterval: pointer("5s"),
		Audiences: []string{ordersAPI, billingAPI, stockAPI}, Profile: pointer(sallyport.IssuerProfileAccessToken), Consumer: sallyport.ConsumerMapping{NameClaim: "client_id"},
	})
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
	service := s.Service("service", upstream.Address)
	s.Policy(sallyport.Policy{
		Name: s.Name("tokens"), Kind: "jwt", AttachedTo: []sallyport.Attachment{{Service: service.Name}},
		Config: map[string]any{"issuers": []string{s.Name("login")}, "unknown_key_wait": "1s"},
	})
	s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/")})
	for _, client := range []provider.Client{robot, app} {
		consumer, err := s.API.CreateConsumerWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateConsumerParams{Wait: s.Wait()}, sallyport.Consumer{Name: client.ID})
		s.Must(consumer, err)
		s.Applied(consumer.HTTPResponse)
	}
}

func TestTokensOfARealProviderPass(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback)
	p := newProvider(t)
	behindProvider(t, s, p, harness.NewUpstream(t, nil))
	for _, api := range []struct{ audience, scope string }{{ordersAPI, "orders:read"}, {billingAPI, "bills:read"}, {stockAPI, "stock:read"}} {
		accepted(t, s, p.Token(t, robot, api.audience, api.scope))        // client credentials
		accepted(t, s, p.TokenOf(t, "ada", app, api.audience, api.scope)) // code with PKCE
	}
}

// The provider signs with new keys from one request to the next, and shows those before on for a while: nobody who has a good token is
// refused. Once it has taken them back their tokens are dead.
func TestAProvidersKeysRotateWhileRequestsGoOn(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback)
	p := newProvider(t)
	behindProvider(t, s, p, harness.NewUpstream(t, nil))
	old := p.Token(t, robot, ordersAPI, "orders:read")
	accepted(t, s, old)

	tokens := &atomic.Pointer[[]string]{}
	tokens.Store(&[]string{old})
	var sent atomic.Int64
	stop := make(chan struct{})
	var traffic sync.WaitGroup
	for n := range 4 {
		traffic.Go(func() {
			for i := n; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				good := *tokens.Load()
				edge := s.Edges()[i%len(s.Edges())]
				answer, err := edge.Do(t.Context(), harness.Request{Method: http.MethodGet, Path: "/", Host: s.Host, Header: withToken(good[i%len(good)])})
				if sent.Add(1); err != nil || answer.Status != http.StatusOK {
					t.Errorf("a good token is answered %s, %v", answer, err)
					return
				}
			}
		})
	}
	for range 2 {
		p.Rotate(t, true)
		renewed := append(slices.Clone(*tokens.Load()), p.Token(t, robot, ordersAPI, "orders:read"))
		tokens.Store(&renewed)
		for before := sent.Load(); sent.Load() < before+200 && !t.Failed(); {
			accepted(t, s, renewed[len(renewed)-1])
		}
	}
	close(stop)
	traffic.Wait()
	t.Logf("%d requests while keys rotated", sent.Load())

	p.Retire(t)
	newest := (*tokens.Load())[2]
	answered(t, s, old, http.StatusUnauthorized, "credential_invalid")
	accepted(t, s, newest)
}

// Nobody asks the provider while requests are answered: with it down, what was known of its keys goes on, over a restart too.
func TestAProviderThatIsDownStopsNobody(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := newProvider(t)
	behindProvider(t, s, p, harness.NewUpstream(t, nil))
	token, other := p.Token(t, robot, ordersAPI, "orders:read"), p.Token(t, robot, stockAPI, "stock:read")
	accepted(t, s, token)
	p.Down(t)
	s.ExpectAll("/", withToken(other), http.StatusOK, "") // never seen before
	for _, edge := range s.Edges() {
		if err := edge.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := edge.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	accepted(t, s, token)
	accepted(t, s, other)
}
