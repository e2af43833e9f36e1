package controlplane_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// The steps of KEYS.md, "The root key is lost".
func TestADatabaseWhoseRootKeyIsLostGoesOnUnderAnother(t *testing.T) {
	cfg := configOf(t)
	at, stop := start(t, cfg)
	token, joinToken := operate(t, cfg)
	node, err := edgetest.Enroll(t.Context(), at.Edge, joinToken, "n1")
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	production := "/api/v1/environments/production"
	must := func(at controlplane.Addresses, method, path, body string) string {
		t.Helper()
		response, said := call(t, method, "http://"+at.Admin+production+path, token, body)
		if response.StatusCode >= http.StatusBadRequest {
			t.Fatalf("%s %s: %d %s", method, path, response.StatusCode, said)
		}
		return said
	}
	must(at, http.MethodPost, "/consumers", `{"name":"app"}`)
	next := cfg
	next.RootKey = strings.Repeat("e1", 32)
	eventually(t, func() error { return replicaRuns(t, cfg.DatabaseURL) })
	if _, err := controlplane.ReplaceLostRoot(t.Context(), next); !errors.Is(err, secrets.ErrInUse) {
		t.Fatalf("while a replica runs under the root key: %v", err)
	}
	must(at, http.MethodPost, "/api-keys", `{"name":"old","consumer":"app","scopes":["read"]}`)
	must(at, http.MethodPost, "/secrets", `{"name":"upstream","value":"hidden"}`)
	stop()

	if _, err := controlplane.ReplaceLostRoot(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "nothing is lost") {
		t.Fatalf("with the root key at hand: %v", err)
	}
	eventually(t, func() error { // until the database has noticed that the replica is gone
		_, err := controlplane.ReplaceLostRoot(t.Context(), next)
		return err
	})
	at, _ = start(t, next)
	commands, err := controlplane.Open(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	defer commands.Close()
	again, err := commands.CreateJoinToken(t.Context(), "production", "", 1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := edgetest.Enroll(t.Context(), at.Edge, again, "n1")
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if text := must(at, http.MethodGet, "/api-keys/old", ""); !strings.Contains(text, `"read"`) {
		t.Errorf("the key's name and scopes are lost: %s", text)
	}
	if text := must(at, http.MethodPost, "/api-keys/old/rotate", `{}`); !strings.Contains(text, "spk_") {
		t.Errorf("no new key: %s", text)
	}
	must(at, http.MethodPut, "/secrets/upstream", `{"name":"upstream","value":"hidden again"}`)
	replica := fresh.Replica(edgev1.Lane_LANE_DIRECTORY)
	stream, err := fresh.Open(t.Context(), edgev1.Lane_LANE_DIRECTORY, replica.Hello())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	event, err := stream.NextState()
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Apply(replica, event); err != nil || len(replica.Entries) != 5 { // pepper, consumer, two keys, secret
		t.Errorf("%d entries, %v", len(replica.Entries), err)
	}
}

// replicaRuns fails until a replica has shown the database that it runs.
func replicaRuns(t *testing.T, url string) error {
	t.Helper()
	db, err := postgres.Open(t.Context(), url)
	if err != nil {
		return err
	}
	defer db.Close()
	var shown bool
	err = db.Pool().QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.granted "+
		"AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))").Scan(&shown)
	if err == nil && !shown {
		err = errors.New("no replica has shown itself")
	}
	return err
}
