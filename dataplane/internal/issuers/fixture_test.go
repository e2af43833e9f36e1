package issuers

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jwk"
)

var issuerID = id.ID{1, 2, 3}

func newKey(t testing.TB, name string) jwk.Key {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.New(name, configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_EDDSA, public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// plane is a control plane and an issuer, as a registry meets them.
type plane struct {
	t         testing.TB
	directory *directory.Directory
	registry  *Registry
	keys      *Keys
	set       atomic.Pointer[Set]

	mu       sync.Mutex
	asked    int
	fetched  int
	answer   func() (uint64, error)
	shown    []jwk.Key
	failing  error
	sequence uint64
}

// start makes a registry with one issuer, whose keys these fetch.
func start(t testing.TB, from configv1.FetchFrom) *plane {
	t.Helper()
	p := &plane{t: t, directory: directory.New()}
	p.answer = func() (uint64, error) { return p.sequence, nil }
	p.registry = NewRegistry(Config{
		Directory: p.directory, Logger: slog.New(slog.DiscardHandler),
		InForce: func() (*Set, []netip.Prefix) { return p.set.Load(), nil },
		Guard: func([]netip.Prefix) func(string, string, syscall.RawConn) error {
			return func(string, string, syscall.RawConn) error { return nil }
		},
	})
	p.registry.fetchFrom = func(context.Context, *source, guard) ([]jwk.Key, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.fetched++
		return p.shown, p.failing
	}
	p.registry.Join(func(_ context.Context, issuer id.ID, _ string) (uint64, error) {
		if issuer != issuerID {
			return 0, errors.New("another issuer")
		}
		p.mu.Lock()
		p.asked++
		answer := p.answer
		p.mu.Unlock()
		return answer()
	})
	m := &configv1.Issuer{
		Name: "login", Issuer: "https://login.example", Keys: &configv1.Issuer_JwksUrl{JwksUrl: "https://login.example/jwks"},
		FetchFrom: &from, RefreshInterval: durationpb.New(30 * time.Second), Audiences: []string{"a"},
		Consumer: &configv1.ConsumerMapping{By: &configv1.ConsumerMapping_NameClaim{NameClaim: "sub"}},
	}
	var err error
	if p.keys, err = p.registry.NewKeys(issuerID, m); err != nil {
		t.Fatal(err)
	}
	issuer, err := New(issuerID, m, p.keys)
	if err != nil {
		t.Fatal(err)
	}
	p.set.Store(NewSet([]*Issuer{issuer}))
	return p
}

// tell puts keys into the directory, as the control plane does.
func (p *plane) tell(keys []jwk.Key, retired ...jwk.Key) {
	p.t.Helper()
	set := &directoryv1.KeySet{Issuer: issuerID[:]}
	for _, key := range keys {
		set.Keys = append(set.Keys, key.AppendJSON(nil))
	}
	slices.SortFunc(set.Keys, slices.Compare)
	for i := range retired {
		set.Retired = append(set.Retired, &directoryv1.RetiredKey{Thumbprint: retired[i].Thumbprint[:], RetiredAtMs: 1})
	}
	data, err := proto.Marshal(&directoryv1.Entry{Body: &directoryv1.Entry_KeySet{KeySet: set}})
	if err != nil {
		p.t.Fatal(err)
	}
	key := digest.KeyOf("key-sets", id.Text(id.Issuer, issuerID))
	change, err := p.directory.Prepare([]*edgev1.EntryChange{{Key: key[:], Entry: data}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.sequence++
	if err := p.directory.Commit(change, p.sequence); err != nil {
		p.t.Fatal(err)
	}
}

// show is what the issuer answers from now on.
func (p *plane) show(failing error, keys ...jwk.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown, p.failing = keys, failing
}

func (p *plane) counts() (asked, fetched int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, p.fetched
}

// good holds the keys that are good against those that should be.
func (p *plane) good(when string, want ...jwk.Key) {
	p.t.Helper()
	set := p.keys.Set()
	for i, key := range want {
		if !set.Has(key.Thumbprint) {
			p.t.Errorf("%s: key %d of %d isn't good", when, i, len(want))
		}
	}
	if set.Len() != len(want) {
		p.t.Errorf("%s: %d keys are good, not %d", when, set.Len(), len(want))
	}
}
