package issuers_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/issuers"
	"github.com/sallyport/sallyport/controlplane/internal/outbound"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/jwk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var author = access.Actor{ID: "tok_test", Name: "Ada", Role: "owner", Grants: access.System().Grants}

// replica is one control plane as far as issuers go.
type replica struct {
	t         *testing.T
	url       string
	db        *postgres.DB
	vault     *secrets.Vault
	publisher *publish.Publisher
	keeper    *issuers.Keeper
	stats     *issuers.Stats
	env       string
}

func start(t *testing.T) *replica {
	t.Helper()
	r := join(t, postgrestest.Database(t, postgres.Migrate), "")
	made, err := environments.New(r.db, r.vault).Create(t.Context(), &adminv1.Environment{Name: "production"}, author)
	if err != nil {
		t.Fatal(err)
	}
	r.env = made.GetId()
	return r
}

func join(t *testing.T, url, env string) *replica {
	t.Helper()
	db, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	root, err := secrets.ParseRootKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secrets.Open(t.Context(), root, db)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	c := catalog.New(db, log)
	publisher := publish.New(db, c, vault, log)
	stats := new(issuers.Stats)
	network := outbound.NewErrands(outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}), jwk.MaxSet)
	return &replica{t: t, url: url, db: db, vault: vault, publisher: publisher, stats: stats, env: env, keeper: issuers.New(db.Issuers(), c, publisher, network, log, stats)}
}

// another is a second replica on the same database.
func (r *replica) another() *replica { return join(r.t, r.url, r.env) }

// run lets the keeper run until the test ends.
func (r *replica) run() {
	ctx, end := context.WithCancel(context.WithoutCancel(r.t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.keeper.Run(ctx) }()
	r.t.Cleanup(func() {
		end()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	})
}

func (r *replica) write(verb publish.Verb, key string, body any) publish.Result {
	r.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	if body == nil {
		text = nil
	}
	result, err := r.publisher.Apply(r.t.Context(), publish.Batch{
		Environment: r.env, Author: author, Operations: []publish.Operation{{Verb: verb, Collection: catalog.Issuers, Key: key, Body: text}},
	})
	if err != nil {
		r.t.Fatalf("%s %s: %v", verb, key, err)
	}
	return result
}

type object map[string]any

// issuer is a body whose keys come from somewhere.
func issuer(name, of string, keys object) object {
	body := object{"name": name, "issuer": of, "audiences": []string{"api"}, "consumer": object{"name_claim": "client_id"}}
	for k, v := range keys {
		body[k] = v
	}
	return body
}

// make writes an issuer whose key set is at an address, and returns its id.
func (r *replica) make(name, address string) string {
	r.t.Helper()
	return r.write(publish.Create, "", issuer(name, "https://login.test", object{"jwks_url": address})).Outcomes[0].ID
}

// due makes it every issuer's turn, and lets so much time have gone by since what is remembered of them.
func (r *replica) due(gone time.Duration) {
	r.t.Helper()
	const later = `UPDATE issuer_keys SET next_at = CASE WHEN next_at IS NOT NULL THEN now() END, empty_at = empty_at - $1::interval, moved_at = moved_at - $1::interval, leased_until = leased_until - $1::interval`
	if _, err := r.db.Pool().Exec(r.t.Context(), later, gone); err != nil {
		r.t.Fatal(err)
	}
}

// look makes it every issuer's turn and asks.
func (r *replica) look() {
	r.t.Helper()
	r.due(0)
	if r.keeper.LookNow(r.t.Context()) == 0 {
		r.t.Fatal("it is nobody's turn")
	}
}

// sent is what nodes get of an issuer's keys; nil: nothing.
func (r *replica) sent(issuer string) *directoryv1.KeySet {
	r.t.Helper()
	var found *directoryv1.KeySet
	_, err := r.db.Lanes(r.vault).DirectoryEntries(r.t.Context(), r.env, func(c *edgev1.EntryChange) error {
		var e directoryv1.Entry
		if err := proto.Unmarshal(c.GetEntry(), &e); err != nil {
			return err
		}
		if set := e.GetKeySet(); set != nil {
			found = set
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if found != nil && len(found.GetIssuer()) != 16 {
		r.t.Fatalf("the entry of %s names %x", issuer, found.GetIssuer())
	}
	return found
}

// good and retired are what nodes get: the names of good keys, and how many are retired.
func (r *replica) want(issuer, good string, retired int) {
	r.t.Helper()
	set := r.sent(issuer)
	var names []string
	for _, text := range set.GetKeys() {
		k, err := jwk.Parse(text)
		if err != nil {
			r.t.Fatal(err)
		}
		names = append(names, k.ID)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != good || len(set.GetRetired()) != retired {
		r.t.Errorf("nodes have the keys %q, and %d retired; want %q and %d", got, len(set.GetRetired()), good, retired)
	}
}

func (r *replica) keys(issuer string) *adminv1.IssuerKeys {
	r.t.Helper()
	keys, err := r.keeper.Keys(r.t.Context(), r.env, issuer)
	if err != nil {
		r.t.Fatal(err)
	}
	return keys
}

// until waits for a condition, far longer than it may take.
func until(t *testing.T, what string, holds func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-late.C:
			t.Fatalf("in a minute not: %s", what)
		}
	}
	return time.Since(begun)
}

// key is a new public key as a JWK.
func key(t *testing.T, kid string) object {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return object{"kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": "EdDSA", "use": "sig", "x": base64.RawURLEncoding.EncodeToString(public)}
}

func set(keys ...object) string {
	text, err := json.Marshal(object{"keys": append([]object{}, keys...)})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// provider serves a key set, or whatever else it is told to.
type provider struct {
	*httptest.Server
	asked  atomic.Int64
	lock   sync.Mutex
	answer http.HandlerFunc
}

func serve(t *testing.T, keys ...object) *provider {
	t.Helper()
	p := new(provider)
	p.show(keys...)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		p.lock.Lock()
		answer := p.answer
		p.lock.Unlock()
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) show(keys ...object) { p.say(http.StatusOK, set(keys...)) }

func (p *provider) say(status int, body string) {
	p.do(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	})
}

func (p *provider) do(answer http.HandlerFunc) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.answer = answer
}
