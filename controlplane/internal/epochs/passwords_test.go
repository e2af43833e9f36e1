package epochs_test

import (
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
)

func TestAPasswordThatWasRevokedOrReplacedIsDeadAfterAnOlderDumpIsRestored(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.consumer("shop")
	for _, name := range []string{"revoked", "replaced", "kept"} {
		r.apply(publish.Create, directory.Passwords, "", `{"name":"`+name+`","consumer":"shop","username":"`+name+`","password":"password"}`)
	}
	restore := postgrestest.Dump(t, r.url)
	r.apply(publish.Delete, directory.Passwords, "revoked", "")
	r.apply(publish.Patch, directory.Passwords, "replaced", `{"password":"another one"}`)
	n := r.node("node_a")
	restore()
	r = r.another()
	if !r.open(n.evidence(r)) || !r.recall(n) {
		t.Fatal("no epoch, or no recall")
	}
	for name, want := range map[string]bool{"revoked": false, "replaced": false, "kept": true} {
		if _, lives := r.get(directory.Passwords, name); lives != want {
			t.Errorf("%s lives: %v", name, lives)
		}
	}
	r.consistent()
}
