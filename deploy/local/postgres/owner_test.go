package postgres

import (
	"os"
	"path/filepath"
	"testing"
)

// stranger is an account that owns nothing here.
var stranger = owner{name: "stranger", uid: 54321, gid: 54321, dropped: true}

func TestClusterMovesWhereItsOwnerCanEnter(t *testing.T) {
	open := folder(t)
	if err := os.MkdirAll(open, 0o755); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(open, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}

	if got, err := stranger.home(filepath.Join(open, "db")); err != nil || got != filepath.Join(open, "db") {
		t.Errorf("home in an open folder: %s, %v; want it there", got, err)
	}
	moved, err := stranger.home(filepath.Join(closed, "db"))
	if err != nil || filepath.Dir(moved) != rootHome {
		t.Errorf("home in a closed folder: %s, %v; want one under %s", moved, err, rootHome)
	}
	if other, _ := stranger.home(filepath.Join(closed, "db2")); other == moved {
		t.Error("two folders share a home")
	}
	own := owner{uid: 54321}
	if got, err := own.home(filepath.Join(closed, "db")); err != nil || got != filepath.Join(closed, "db") {
		t.Errorf("home of one who isn't root's stand-in: %s, %v; want the folder asked for", got, err)
	}
}

func TestClusterThatBecameUnreachableIsNotPassedOver(t *testing.T) {
	closed := folder(t)
	if err := os.MkdirAll(filepath.Join(closed, "db", "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(closed, "db", "data", "PG_VERSION"), []byte("17\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := stranger.home(filepath.Join(closed, "db")); err == nil {
		t.Errorf("home %s: the existing cluster would be forgotten", got)
	}
}

func TestSocketFolderOfSomebodyElseIsRefused(t *testing.T) {
	if err := stranger.owns("/tmp"); err == nil {
		t.Error("/tmp passes as ours")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	me := owner{uid: uint32(os.Geteuid())}
	if err := me.owns(dir); err != nil {
		t.Errorf("our own: %v", err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := me.owns(link); err == nil {
		t.Error("a link passes as a folder")
	}
}
