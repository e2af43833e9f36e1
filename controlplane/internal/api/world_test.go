package api_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/api"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	routecallers "github.com/sallyport/sallyport/controlplane/internal/callers"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/denials"
	"github.com/sallyport/sallyport/controlplane/internal/descriptions"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	"github.com/sallyport/sallyport/controlplane/internal/events"
	"github.com/sallyport/sallyport/controlplane/internal/exclusions"
	"github.com/sallyport/sallyport/controlplane/internal/explain"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/idempotency"
	"github.com/sallyport/sallyport/controlplane/internal/issuers"
	"github.com/sallyport/sallyport/controlplane/internal/keylife"
	"github.com/sallyport/sallyport/controlplane/internal/limits"
	"github.com/sallyport/sallyport/controlplane/internal/outbound"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/proposals"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/controlplane/internal/signin"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jwk"
)

var errUnready = errors.New("the moon is in the wrong phase")

// world is a control plane without its edges: the API over real domains and a database of its own, with
// an environment "production" and the owner's first token.
type world struct {
	t      *testing.T
	server *api.Server
	db     *postgres.DB
	dsn    string
	tokens *access.Tokens
	epochs *epochs.Epochs
	token  string
	denied *audit.Denied
	stop   func() // ends the recording of what is denied, once all of it is written
	remote string // address that requests come from; "": httptest's
	log    *logBook
	clock  *clock

	*readiness
}

// readiness is what /readyz tells.
type readiness struct{ unready, panicking, environmentsPanic bool }

// fragile is environments that panic when they are told to.
type fragile struct {
	*environments.Environments
	*readiness
}

func (f fragile) Create(ctx context.Context, wanted *adminv1.Environment, author access.Actor) (*adminv1.Environment, error) {
	if f.environmentsPanic {
		panic(errUnready)
	}
	return f.Environments.Create(ctx, wanted, author)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := t.Context()
	dsn := postgrestest.Database(t, postgres.Migrate)
	db, err := postgres.Open(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	root, err := secrets.ParseRootKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secrets.Open(ctx, root, db)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := fleet.LoadAuthority(ctx, vault)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, dsn: dsn, tokens: access.NewTokens(db), log: &logBook{}, clock: &clock{}, readiness: &readiness{}}
	log := slog.New(slog.NewJSONHandler(w.log, nil))
	w.epochs = epochs.New(db.Epochs(), nil, nil, log, new(epochs.Stats))
	w.denied = audit.NewDenied(db.Audit(), log, new(audit.Stats))
	w.stop = w.recordDenials()
	configuration := catalog.New(db, log)
	publisher := publish.New(db, configuration, vault, log)
	keeper, err := idempotency.Load(ctx, db.IdempotencyKeys(), vault, log)
	if err != nil {
		t.Fatal(err)
	}
	all := environments.New(db, vault)
	nodes := fleet.NewNodes(db.Fleet(), fleet.NewRoster(db.Fleet(), log, new(fleet.Stats)))
	asking := fleet.NewInquiries(nodes, db.Fleet(), postgres.NewListener(db, log), log)
	w.server, err = api.New(api.Config{
		Environments: fragile{all, w.readiness},
		Publisher:    publisher,
		Catalog:      configuration,
		Directory:    directory.New(db),
		JoinTokens:   fleet.NewJoinTokens(db.Fleet(), authority),
		Epochs:       w.epochs,
		IdentitySets: directory.NewIdentitySets(db, time.Now),
		Proposals: proposals.New(proposals.Config{
			Store: db.Proposals(), Publisher: publisher, Sealer: vault, Face: api.Face{}, Logger: log, Now: time.Now,
		}),
		Idempotency:  keeper,
		Nodes:        nodes,
		NodeGroups:   fleet.NewGroups(db.Fleet()),
		Inquiries:    asking,
		Explainer:    explain.New(asking, db),
		Callers:      routecallers.New(configuration, db),
		Exclusions:   exclusions.New(usage.NewReports(db.Usage()), configuration, asking, time.Now),
		Denials:      denials.New(db, db.Fleet(), directory.New(db), configuration),
		Usage:        usage.NewReports(db.Usage()),
		Keys:         keylife.New(db, directory.New(db), publisher, usage.NewReports(db.Usage()), vault),
		Limits:       limits.New(db, log, new(limits.Stats)),
		Tokens:       w.tokens,
		Issuers:      issuers.New(db.Issuers(), configuration, publisher, outbound.NewErrands(outbound.NewGuard(nil), jwk.MaxSet), log, new(issuers.Stats)),
		Ready:        w.ready,
		Logger:       log,
		Audit:        audit.NewLog(db.Audit(), audit.NewHeads(db.Audit(), nil, log, new(audit.Stats))),
		Denied:       w.denied,
		Events:       events.NewFeed(db.Events()),
		Webhooks:     events.NewWebhooks(db.Events(), vault, outbound.NewGuard(nil).CheckURL),
		Access:       access.NewBooks(db, db.Shelf()),
		SignIn:       newWays(db, vault, log, w.clock.now),
		Descriptions: descriptions.NewReports(configuration, usage.NewReports(db.Usage())),
	})
	if err != nil {
		t.Fatal(err)
	}
	token, created, err := w.tokens.Bootstrap(ctx)
	if err != nil || !created {
		t.Fatalf("bootstrap: %v, %v", created, err)
	}
	w.token = token
	if _, err := all.Create(ctx, &adminv1.Environment{Name: "production"}, access.Actor{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// newWays is how people are let in. Providers are reached on loopback alone.
func newWays(db *postgres.DB, vault *secrets.Vault, log *slog.Logger, now func() time.Time) api.SignIn {
	store, guard := db.SignIn(), outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	return api.SignIn{
		Accounts: signin.NewAccounts(signin.AccountsConfig{
			Accounts: store, Factors: store, Sessions: store, Settings: store, Grants: db, Sealer: vault, Key: []byte("recovery"), Now: now,
		}),
		Sessions:  signin.NewSessions(store, store, db),
		Settings:  signin.NewSettings(store),
		Providers: signin.NewProviders(store, db, vault, guard.CheckURL),
		Federation: signin.NewFederation(signin.FederationConfig{
			Store: store, Settings: store, Sealer: vault, HTTP: outbound.NewClient(guard).HTTP(signin.MostFetched), CheckURL: guard.CheckURL, Logger: log, Now: now,
		}),
	}
}

// clock is what people's codes are checked by. It can be put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// recordDenials runs the recorder until the returned function is called, or the test ends.
func (w *world) recordDenials() func() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.denied.Run(ctx) // it never fails
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		<-done
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) ready(ctx context.Context) error {
	if w.panicking {
		panic(errUnready)
	}
	if w.unready {
		return errUnready
	}
	return w.db.Ping(ctx)
}

// in is the world as a subtest sees it.
func (w *world) in(t *testing.T) *world {
	t.Helper()
	same := *w
	same.t = t
	return &same
}

// from is the world as seen from an address.
func (w *world) from(remote string) *world {
	same := *w
	same.remote = remote
	return &same
}

// expiredToken returns a token that is past its end.
func (w *world) expiredToken() string {
	w.t.Helper()
	return w.alteredToken("short", "expires_at = now() - interval '1 second'")
}

// alteredToken makes a token and changes its row.
func (w *world) alteredToken(name, change string) string {
	w.t.Helper()
	made, err := w.tokens.CreateOwner(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	conn, err := pgx.Connect(w.t.Context(), w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(w.t.Context()))
	if _, err := conn.Exec(w.t.Context(), "UPDATE access_tokens SET "+change+" WHERE id = $1", made.GetId()); err != nil {
		w.t.Fatal(err)
	}
	return made.GetToken()
}

// enrol adds a node as its enrolment would, with a token of a group ("": none).
func (w *world) enrol(name, group string) string {
	w.t.Helper()
	now := time.Now()
	token := fleet.JoinToken{
		ID: id.Text(id.JoinToken, id.New(now)), Environment: w.make(http.MethodGet, "/api/v1/environments/production", "").text("id"), Name: "for-" + name,
		Lookup: name, Digest: make([]byte, 32), ExpiresAt: now.Add(time.Hour), MaxUses: 1, CreatedAt: now, Group: group,
	}
	if err := w.db.Fleet().InsertJoinToken(w.t.Context(), token); err != nil {
		w.t.Fatal(err)
	}
	node := id.Text(id.Node, id.New(now))
	if err := w.db.Fleet().Enrol(w.t.Context(), fleet.Newcomer{ID: node, Name: name, JoinToken: token.ID, EnrolledAt: now, CertificateExpires: now}); err != nil {
		w.t.Fatal(err)
	}
	return node
}

// breakDatabase makes every query fail.
func (w *world) breakDatabase() { w.db.Close() }

// statusOf serves a request and returns the status alone; safe in other goroutines than the test's.
func statusOf(handler http.Handler, request *http.Request) int {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Code
}

// logBook keeps what was logged.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
