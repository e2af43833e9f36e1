package events_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/events"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/outbound"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = slog.New(slog.DiscardHandler)

// world is an environment whose events are told of, over a real database.
type world struct {
	t         *testing.T
	dsn       string
	db        *postgres.DB
	vault     *secrets.Vault
	publisher *publish.Publisher
	feed      *events.Feed
	webhooks  *events.Webhooks
	guard     outbound.Guard
	env       string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dsn := postgrestest.Database(t, postgres.Migrate)
	db, err := postgres.Open(t.Context(), dsn)
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
	guard := outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
	w := &world{
		t: t, dsn: dsn, db: db, vault: vault, publisher: publish.New(db, catalog.New(db, discard), vault, discard), guard: guard,
		feed: events.NewFeed(db.Events()), webhooks: events.NewWebhooks(db.Events(), vault, guard.CheckURL),
	}
	env, err := environments.New(db, vault).Create(t.Context(), &adminv1.Environment{Name: "production"}, access.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	w.env = env.GetId()
	return w
}

func (w *world) apply(verb publish.Verb, collection, key, body string) error {
	_, err := w.publisher.Apply(w.t.Context(), publish.Batch{
		Environment: w.env, Author: access.System(), Operations: []publish.Operation{{Verb: verb, Collection: collection, Key: key, Body: []byte(body)}},
	})
	return err
}

func (w *world) must(verb publish.Verb, collection, key, body string) {
	w.t.Helper()
	if err := w.apply(verb, collection, key, body); err != nil {
		w.t.Fatal(err)
	}
}

// read returns the feed behind a number.
func (w *world) read(after uint64, types ...string) []*adminv1.Event {
	w.t.Helper()
	page, err := w.feed.Read(w.t.Context(), w.env, after, types, 500)
	if err != nil {
		w.t.Fatal(err)
	}
	return page.GetData()
}

func (w *world) types(after uint64) []string {
	var types []string
	for _, e := range w.read(after) {
		types = append(types, e.GetType())
	}
	return types
}

// due makes everything that waits due now.
func (w *world) due() {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(w.t.Context()))
	if _, err := conn.Exec(w.t.Context(), "UPDATE webhook_deliveries SET due_at = now() WHERE state = 'waiting'"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) courier(guard outbound.Guard) (*events.Courier, *events.Stats) {
	stats := new(events.Stats)
	return events.NewCourier(w.db.Events(), outbound.NewClient(guard), w.vault, discard, stats), stats
}

func (w *world) deliveries(webhook string) []*adminv1.WebhookDelivery {
	w.t.Helper()
	page, err := w.webhooks.Deliveries(w.t.Context(), w.env, webhook, listing.Query{})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Items
}

func (w *world) hook(url string, types ...string) *adminv1.Webhook {
	w.t.Helper()
	made, err := w.webhooks.Create(w.t.Context(), w.env, &adminv1.Webhook{Url: url, Types: types})
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// receiver is what posts come to.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	status int
	posts  []post
}

type post struct {
	header http.Header
	body   string
}

func newReceiver(t *testing.T, status int) *receiver {
	t.Helper()
	r := &receiver{status: status}
	r.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		body, _ := io.ReadAll(in.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.posts = append(r.posts, post{in.Header, string(body)})
		out.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) taken() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.posts)
}

// genuine tells whether one of a post's signatures is by a secret, as a receiver works it out.
func genuine(t *testing.T, p post, secret string) bool {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s.%s.%s", p.header.Get("Webhook-Id"), p.header.Get("Webhook-Timestamp"), p.body)
	return slices.Contains(strings.Fields(p.header.Get("Webhook-Signature")), "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)))
}

func TestAWriteAndItsEventComeTogether(t *testing.T) {
	w := newWorld(t)
	w.must(publish.Create, "consumers", "", `{"name":"shop"}`)
	w.must(publish.Create, "api-keys", "", `{"name":"web","consumer":"shop"}`)
	if err := w.apply(publish.Create, "api-keys", "", `{"name":"web","consumer":"shop"}`); problem.CodeOf(err) != problem.NameTaken {
		t.Fatalf("a second key of the name: %v", err)
	}
	w.must(publish.Delete, "api-keys", "web", "")
	w.must(publish.Create, "services", "", `{"name":"orders","upstream":{"targets":[{"address":"orders.internal:8080"}]}}`)
	if got := w.types(0); !slices.Equal(got, []string{"api-key.created", "api-key.revoked", "revision.published"}) {
		t.Fatalf("the feed is %q", got)
	}
	revoked := w.read(1)[0]
	if revoked.GetNumber() != 2 || revoked.GetName() != "web" || !strings.HasPrefix(revoked.GetFacts()["consumer"], "con_") || revoked.GetOperation() == "" ||
		revoked.GetEnvironment() != w.env || !strings.HasPrefix(revoked.GetId(), "ev_") || time.Since(revoked.GetTime().AsTime()) > time.Hour {
		t.Errorf("the event is %v", revoked)
	}
	if only := w.read(0, "api-key.revoked"); len(only) != 1 {
		t.Errorf("of one type there are %v", only)
	}
	if _, err := w.feed.Read(t.Context(), w.env, 0, []string{"api-key.gone"}, 10); problem.CodeOf(err) != problem.InvalidRequest {
		t.Errorf("an unknown type: %v", err)
	}
}

// Who asks goes on from what the answer says, also where there is nothing yet.
func TestAnEmptyFeedSaysWhereToGoOn(t *testing.T) {
	w := newWorld(t)
	page, err := w.feed.Read(t.Context(), w.env, 7, nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := resource.Append(nil, page); err != nil || string(text) != `{"next":7,"oldest":0}` {
		t.Errorf("an empty feed is %s, %v", text, err)
	}
}

func TestNumbersAscendWithoutAGapWhoeverWrites(t *testing.T) {
	w := newWorld(t)
	const writers, each = 6, 10
	var writing sync.WaitGroup
	for n := range writers {
		writing.Go(func() {
			for i := range each {
				if err := w.apply(publish.Create, "blocks", "", fmt.Sprintf(`{"address_range":"10.%d.%d.0/24"}`, n, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	// Who reads meanwhile, from where they were, misses nothing.
	var seen []uint64
	for next := uint64(0); len(seen) < writers*each && !t.Failed(); {
		for _, e := range w.read(next) {
			seen = append(seen, e.GetNumber())
			next = e.GetNumber()
		}
	}
	writing.Wait()
	for i, number := range seen {
		if number != uint64(i+1) {
			t.Fatalf("the numbers are %v", seen)
		}
	}
}

func TestEventsArePostedSignedToWhoWantsThem(t *testing.T) {
	w := newWorld(t)
	all, some := newReceiver(t, http.StatusNoContent), newReceiver(t, http.StatusOK)
	first, second := w.hook(all.URL), w.hook(some.URL, "block.*", "node.refused")
	w.must(publish.Create, "consumers", "", `{"name":"shop"}`)
	w.must(publish.Create, "api-keys", "", `{"name":"web","consumer":"shop"}`)
	w.must(publish.Create, "blocks", "", `{"consumer":"shop"}`)
	courier, stats := w.courier(w.guard)
	rival, _ := w.courier(w.guard) // another replica's
	var both sync.WaitGroup
	for _, c := range []*events.Courier{courier, rival} {
		both.Go(func() {
			if err := c.Round(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if len(all.taken()) != 2 || len(some.taken()) != 1 {
		t.Fatalf("%d and %d posts were taken", len(all.taken()), len(some.taken()))
	}
	if p := some.taken()[0]; !genuine(t, p, second.GetSecret()) || genuine(t, p, first.GetSecret()) || !strings.Contains(p.body, `"block.created"`) {
		t.Errorf("posted %s with %v", p.body, p.header)
	}
	for _, d := range w.deliveries(first.GetId()) {
		if d.GetState() != events.Delivered || d.GetAttempts() != 1 || d.GetDeliveredAt() == nil {
			t.Errorf("a delivery is %v", d)
		}
	}
	if found, err := w.webhooks.Get(t.Context(), w.env, first.GetId()); err != nil || found.GetSecret() != "" {
		t.Errorf("read later, it is %v, %v", found, err)
	}
	rotated, err := w.webhooks.Rotate(t.Context(), w.env, second.GetId())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.webhooks.Try(t.Context(), w.env, second.GetId()); err != nil {
		t.Fatal(err)
	}
	if err := courier.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(all.taken()) != 2 {
		t.Error("a trial of one webhook came to another")
	}
	if p := some.taken()[1]; !genuine(t, p, second.GetSecret()) || !genuine(t, p, rotated.GetSecret()) || !strings.Contains(p.body, events.WebhookTest) {
		t.Errorf("after a rotation: %s with %v", p.body, p.header)
	}
	if stats.Failed.Load() != 0 {
		t.Error("an attempt failed")
	}
}

func TestWhatIsNotTakenIsPostedAgainUntilItIsGivenUp(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t, http.StatusServiceUnavailable)
	hook := w.hook(r.URL, "block.created")
	w.must(publish.Create, "blocks", "", `{"address_range":"10.0.0.0/8"}`)
	courier, stats := w.courier(w.guard)
	const attempts = 11
	for range attempts + 2 {
		w.due()
		if err := courier.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	dead := w.deliveries(hook.GetId())[0]
	if dead.GetState() != events.Dead || dead.GetAttempts() != attempts || dead.GetStatus() != http.StatusServiceUnavailable || len(r.taken()) != attempts || stats.GivenUp.Load() != 1 {
		t.Fatalf("after %d posts the delivery is %v", len(r.taken()), dead)
	}
	same := r.taken()[0].header.Get("Webhook-Id")
	for _, p := range r.taken() {
		if p.header.Get("Webhook-Id") != same {
			t.Error("an attempt has another id")
		}
	}
	r.answer(http.StatusOK)
	if again, err := w.webhooks.Retry(t.Context(), w.env, hook.GetId(), dead.GetNumber()); err != nil || again.GetState() != events.Waiting {
		t.Fatalf("begun anew it is %v, %v", again, err)
	}
	if err := courier.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := w.deliveries(hook.GetId())[0]; now.GetState() != events.Delivered || now.GetError() != "" {
		t.Errorf("in the end it is %v", now)
	}
}

func TestADisabledWebhookIsPostedNothing(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t, http.StatusOK)
	hook := w.hook(r.URL)
	w.must(publish.Create, "blocks", "", `{"address_range":"10.0.0.0/8"}`)
	if _, err := w.webhooks.Patch(t.Context(), w.env, hook.GetId(), []byte(`{"disabled":true}`)); err != nil {
		t.Fatal(err)
	}
	w.must(publish.Create, "blocks", "", `{"address_range":"11.0.0.0/8"}`)
	courier, _ := w.courier(w.guard)
	if err := courier.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(r.taken()) != 0 {
		t.Error("a disabled webhook was posted to")
	}
	if _, err := w.webhooks.Try(t.Context(), w.env, hook.GetId()); problem.CodeOf(err) != problem.Conflict {
		t.Errorf("trying it out: %v", err)
	}
	if err := w.webhooks.Delete(t.Context(), w.env, hook.GetId()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.webhooks.Get(t.Context(), w.env, hook.GetId()); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("deleted it is found: %v", err)
	}
}

func TestWebhooksReachNothingInsideTheOperatorsNetwork(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t, http.StatusOK)
	hook := w.hook(r.URL)
	w.must(publish.Create, "blocks", "", `{"address_range":"10.0.0.0/8"}`)
	courier, _ := w.courier(outbound.NewGuard(nil)) // of an operator who allows nothing
	if err := courier.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := w.deliveries(hook.GetId())[0]; len(r.taken()) != 0 || d.GetState() != events.Waiting || d.GetStatus() != 0 || d.GetError() == "" {
		t.Errorf("the delivery is %v", d)
	}
	strict := events.NewWebhooks(w.db.Events(), w.vault, outbound.NewGuard(nil).CheckURL)
	for _, url := range []string{"", r.URL, "http://hooks.example.com/", "https://me:secret@hooks.example.com/", "ftp://hooks.example.com", "https://", "not a URL"} {
		if _, err := strict.Create(t.Context(), w.env, &adminv1.Webhook{Url: url}); problem.CodeOf(err) != problem.InvalidRequest || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestWhatNobodyDidIsToldOfOnce(t *testing.T) {
	w := newWorld(t)
	w.must(publish.Create, "consumers", "", `{"name":"shop"}`)
	w.must(publish.Create, "api-keys", "", fmt.Sprintf(`{"name":"soon","consumer":"shop","expires_at":%q}`, time.Now().Add(72*time.Hour).UTC().Format(time.RFC3339)))
	w.must(publish.Create, "api-keys", "", fmt.Sprintf(`{"name":"late","consumer":"shop","expires_at":%q}`, time.Now().Add(30*24*time.Hour).UTC().Format(time.RFC3339)))
	watcher := events.NewWatcher(w.db.Events(), w.db, discard)
	for range 3 {
		if err := watcher.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	told := w.read(0, events.KeyExpiring, events.KeyExpired)
	if len(told) != 1 || told[0].GetName() != "soon" || told[0].GetFacts()["consumer_name"] != "shop" || told[0].GetFacts()["expires_at"] == "" {
		t.Fatalf("told of %v", told)
	}
	conn, err := pgx.Connect(t.Context(), w.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "UPDATE api_keys SET expires_at = now() - interval '1 minute' WHERE name = 'soon'"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := watcher.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if ended := w.read(0, events.KeyExpired); len(ended) != 1 {
		t.Errorf("of its end %v", ended)
	}
}
