package shares

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

func put(t *testing.T, d *directory.Directory, nodes ...id.ID) {
	t.Helper()
	fleet := &directoryv1.Fleet{}
	for _, n := range nodes {
		fleet.Nodes = append(fleet.Nodes, n[:])
	}
	entry, err := proto.Marshal(&directoryv1.Entry{Body: &directoryv1.Entry_Fleet{Fleet: fleet}})
	if err != nil {
		t.Fatal(err)
	}
	key := digest.KeyOf("fleets", "fleet")
	change, err := d.Prepare([]*edgev1.EntryChange{{Key: key[:], Entry: entry}})
	if err != nil {
		t.Fatal(err)
	}
	sequence, _ := d.Head()
	if err := d.Commit(change, sequence+1); err != nil {
		t.Fatal(err)
	}
}

func TestAShareIsEvenAmongTheNodesThatTheDirectoryLists(t *testing.T) {
	d, self := directory.New(), id.ID{15: 7}
	shares := NewEven(d)
	shares.Join(self)
	if shares.Share() != nil {
		t.Error("without a fleet there is a share")
	}
	put(t, d, id.ID{15: 1}, self, id.ID{15: 9})
	first := shares.Share()
	if first == nil || first.Nodes != 3 || first.Rank != 1 {
		t.Fatalf("the share is %+v", first)
	}
	if shares.Share() != first {
		t.Error("the same share is another pointer")
	}
	put(t, d, id.ID{15: 1})
	if shares.Share() != nil {
		t.Error("a node that isn't listed has a share")
	}
	put(t, d, self)
	if n := testing.AllocsPerRun(100, func() { shares.Share() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestANodeThatHasNotJoinedHasNoShareAndGetsItByJoining(t *testing.T) {
	d, self := directory.New(), id.ID{15: 7}
	shares := NewEven(d)
	put(t, d, id.ID{}, self)
	if shares.Share() != nil {
		t.Error("a node that is nobody yet has a share")
	}
	shares.Join(self)
	if s := shares.Share(); s == nil || s.Nodes != 2 {
		t.Errorf("once it has joined the share is %+v", s)
	}
}
