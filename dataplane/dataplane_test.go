package dataplane

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/snapshotfile"
)

// numbers is a reader that remembers where the last step led.
type numbers struct{ steps int }

func (n *numbers) Snapshot(_ *edgev1.SignedHead, compressed io.Reader) error {
	_, err := io.Copy(io.Discard, compressed)
	return err
}

func (n *numbers) Delta(*state.Delta) error {
	n.steps++
	return nil
}

func (n *numbers) Done() error { return nil }

// A revision that two crashes in a row followed is refused. A node that can't start hasn't crashed on it.
func TestAStartThatFailsIsBlamedOnNoRevision(t *testing.T) {
	dir, by := t.TempDir(), newSigner(t, "now")
	open := func() *state.Store {
		t.Helper()
		s, err := state.Open(state.Config{Dir: filepath.Join(dir, stateDir), Environment: fileEnvironment, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	kept := open()
	lane := kept.Lane(edgev1.Lane_LANE_CONFIGURATION)
	if err := lane.Load(new(numbers)); err != nil {
		t.Fatal(err)
	}
	if err := lane.Begin(by.empty(t, edgev1.Lane_LANE_CONFIGURATION, 1)).Commit(); err != nil {
		t.Fatal(err)
	}
	if err := lane.Append(&state.Delta{Head: by.empty(t, edgev1.Lane_LANE_CONFIGURATION, 2), From: 1}); err != nil {
		t.Fatal(err)
	}
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}

	// Nobody can be believed by a file without keys.
	key, path := snapshotfile.NewKey(), filepath.Join(t.TempDir(), "file")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := snapshotfile.NewWriter(file, key, &edgev1.SnapshotManifest{Environment: fileEnvironment})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.Directory([]byte("none")), w.Configuration([]byte("none")), w.Close(), file.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		err := Run(t.Context(), Config{
			Control: "127.0.0.1:1", DataDir: dir, Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0",
			Snapshot: path, SnapshotKey: key.Reveal(), Logger: slog.New(slog.DiscardHandler),
		})
		if err == nil || !strings.Contains(err.Error(), "signing key") {
			t.Fatalf("the node starts: %v", err)
		}
	}

	again := open()
	var read numbers
	if err := again.Lane(edgev1.Lane_LANE_CONFIGURATION).Load(&read); err != nil {
		t.Fatal(err)
	}
	if blocked := again.Blocked(); read.steps != 1 || blocked != (state.Position{}) {
		t.Errorf("%d steps are read, %+v is blocked", read.steps, blocked)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
