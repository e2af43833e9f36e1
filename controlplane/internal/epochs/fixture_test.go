package epochs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var author = access.Actor{ID: "tok_test", Name: "Ada", Role: "owner", Grants: access.System().Grants}

// replica is a control plane on a database, as far as histories go.
type replica struct {
	t         *testing.T
	url       string
	db        *postgres.DB
	vault     *secrets.Vault
	signer    *fleet.Signer
	directory *directory.Directory
	publisher *publish.Publisher
	stats     *epochs.Stats
	epochs    *epochs.Epochs
	env       string
}

func start(t *testing.T) *replica {
	t.Helper()
	r := join(t, postgrestest.Database(t, postgres.Migrate), "")
	r.env = r.environment("production")
	return r
}

func (r *replica) environment(name string) string {
	r.t.Helper()
	made, err := environments.New(r.db, r.vault).Create(r.t.Context(), &adminv1.Environment{Name: name}, author)
	if err != nil {
		r.t.Fatal(err)
	}
	return made.GetId()
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
	signer, err := fleet.LoadSigner(t.Context(), vault)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	r := &replica{t: t, url: url, db: db, vault: vault, signer: signer, env: env, directory: directory.New(db), stats: new(epochs.Stats)}
	r.publisher = publish.New(db, catalog.New(db, log), vault, log)
	r.epochs = epochs.New(db.Epochs(), r.publisher, signer, log, r.stats)
	return r
}

// another is a second replica on the same database.
func (r *replica) another() *replica { return join(r.t, r.url, r.env) }

func (r *replica) apply(verb publish.Verb, collection, key, body string) publish.Outcome {
	r.t.Helper()
	result, err := r.publisher.Apply(r.t.Context(), publish.Batch{
		Environment: r.env, Author: author, Operations: []publish.Operation{{Verb: verb, Collection: collection, Key: key, Body: []byte(body)}},
	})
	if err != nil {
		r.t.Fatalf("%s %s %s: %v", verb, collection, key, err)
	}
	return result.Outcomes[0]
}

func (r *replica) consumer(name string) {
	r.apply(publish.Create, directory.Consumers, "", `{"name":"`+name+`"}`)
}

func (r *replica) key(name, consumer string) {
	r.apply(publish.Create, directory.APIKeys, "", `{"name":"`+name+`","consumer":"`+consumer+`","scopes":["write","read"],"addresses":["10.0.0.0/8"]}`)
}

func (r *replica) revoke(name string) { r.apply(publish.Delete, directory.APIKeys, name, "") }

func (r *replica) get(collection, name string) (directory.Message, bool) {
	r.t.Helper()
	found, err := r.directory.Get(r.t.Context(), r.env, collection, name)
	if problem.CodeOf(err) == problem.NotFound {
		return nil, false
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return found.Message, true
}

func (r *replica) apiKey(name string) *adminv1.ApiKey {
	r.t.Helper()
	found, ok := r.get(directory.APIKeys, name)
	if !ok {
		r.t.Fatalf("there is no key %q", name)
	}
	return found.(*adminv1.ApiKey)
}

func (r *replica) lives(name string) bool {
	_, ok := r.get(directory.APIKeys, name)
	return ok
}

// node is what a node holds that has taken the directory as it is now.
type node struct {
	*edgetest.Replica
	id     string
	signed *edgev1.SignedHead
}

func (r *replica) node(id string) node {
	r.t.Helper()
	log := slog.New(slog.DiscardHandler)
	held := edgetest.NewReplica(edgev1.Lane_LANE_DIRECTORY, r.env, []*edgev1.SigningKey{r.signer.Key()})
	lanes := fleet.NewLanes(r.db.Lanes(r.vault), r.signer, nil, nil, log, new(fleet.Stats))
	lane, release, err := lanes.Open(r.t.Context(), r.env, edgev1.Lane_LANE_DIRECTORY)
	if err != nil {
		r.t.Fatal(err)
	}
	defer release()
	identity := fleet.Identity{Environment: r.env, Node: id}
	roster := fleet.NewRoster(nil, log, new(fleet.Stats))
	session, err := fleet.Greet(r.t.Context(), lane, identity, roster.Seat(identity, edgev1.Lane_LANE_DIRECTORY, held.Hello()), held.Hello(), log)
	if err != nil {
		r.t.Fatal(err)
	}
	step, err := session.Next(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	var whole []byte
	for _, chunk := range step.Snapshot.Chunks {
		whole = append(whole, chunk...)
	}
	if err := held.ApplySnapshot(step.Signed, whole); err != nil {
		r.t.Fatal(err)
	}
	return node{held, id, step.Signed}
}

// evidence is what the node's Hello proves.
func (n node) evidence(r *replica) epochs.Evidence {
	return epochs.Evidence{Environment: r.env, Lane: edgev1.Lane_LANE_DIRECTORY, Epoch: n.Epoch, Number: n.Number, Digest: n.Digest(), Node: n.id}
}

func (r *replica) open(found epochs.Evidence) bool {
	r.t.Helper()
	opened, err := r.epochs.Open(r.t.Context(), found)
	if err != nil {
		r.t.Fatal(err)
	}
	return opened
}

// recall asks a node for everything; false when there is nothing to ask.
func (r *replica) recall(n node) bool {
	r.t.Helper()
	asked, err := r.recalled(n, func(h *edgev1.Holdings) *edgev1.Holdings { return h })
	if err != nil {
		r.t.Fatal(err)
	}
	return asked
}

// recalled is recall of a node whose answers are bent.
func (r *replica) recalled(n node, bend func(*edgev1.Holdings) *edgev1.Holdings) (bool, error) {
	r.t.Helper()
	recall, err := r.epochs.Recall(r.t.Context(), n.evidence(r))
	if err != nil || recall == nil {
		return false, err
	}
	defer recall.Close()
	for {
		ask := recall.Next()
		if ask == nil {
			return true, errors.New("nothing is asked, and it isn't done")
		}
		done, err := recall.Take(r.t.Context(), bend(n.Holdings(ask)))
		if done || err != nil {
			return true, err
		}
	}
}

func (r *replica) epoch() epochs.Epoch {
	r.t.Helper()
	found, err := r.db.Epochs().Epochs(r.t.Context(), r.env, 1<<40, 1)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(found) == 0 {
		return epochs.Epoch{Number: 1}
	}
	return found[0]
}

// consistent computes the directory's digest anew from what nodes would be told.
func (r *replica) consistent() {
	r.t.Helper()
	var set digest.Set
	head, err := r.db.Lanes(r.vault).DirectoryEntries(r.t.Context(), r.env, func(e *edgev1.EntryChange) error {
		set.Put(digest.Key(e.GetKey()), digest.HashOf(e.GetEntry()))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if sum := set.Head(); !bytes.Equal(sum[:], head.Digest) {
		r.t.Error("the directory's digest isn't that of its entries")
	}
}

func text(v any) string {
	encoded, _ := json.Marshal(v)
	return string(encoded)
}
