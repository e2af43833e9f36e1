package configsync

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
)

// On a full disk the node is a witness for as long as it runs, and afterwards of what it could keep.
func TestAHeadThatCanNotBeKeptIsWitnessedInMemory(t *testing.T) {
	n := newNotary(t)
	w, stop := n.start()
	first, second := n.sign(witnessed, 1, 5, 5, 5), n.sign(witnessed, 1, 6, 6, 6)
	w.take(first)
	files, err := filepath.Glob(filepath.Join(n.dir, "audit-head*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	blocked := files[0] + ".tmp"
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	w.take(second)
	w.take(n.sign(witnessed, 1, 5, 5, 5))
	if !proto.Equal(w.kept(), second) {
		t.Errorf("it shows %v", w.kept())
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	stop()
	w, stop = n.start()
	defer stop()
	if !proto.Equal(w.kept(), first) {
		t.Errorf("after a start it shows %v", w.kept())
	}
	w.take(second)
	if !proto.Equal(w.kept(), second) {
		t.Error("what it couldn't keep before is refused now")
	}
}
