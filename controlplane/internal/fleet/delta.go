package fleet

import (
	"errors"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// maxDeltaSize bounds a delta's bytes; what would be larger travels as a snapshot, in chunks. Nodes
// take messages of up to 4 MiB.
const maxDeltaSize = 3 << 20

var errTooBig = errors.New("the delta is too big for one message")

// Delta leads from one number of a lane to a later one. It is shared by all nodes: never change it.
type Delta struct {
	From    uint64
	Head    LaneHead               // the state it leads to
	Signed  *edgev1.SignedHead     // that state, signed when the delta was read
	Objects []*edgev1.ObjectChange // configuration
	Entries []*edgev1.EntryChange  // directory
}

func newDelta(from uint64, head LaneHead, objects []*edgev1.ObjectChange, entries []*edgev1.EntryChange) (*Delta, error) {
	const perChange = 8 // tag and length, generously
	size := 0
	for _, object := range objects {
		size += proto.Size(object) + perChange
	}
	for _, entry := range entries {
		size += proto.Size(entry) + perChange
	}
	if size > maxDeltaSize {
		return nil, errTooBig
	}
	return &Delta{From: from, Head: head, Objects: objects, Entries: entries}, nil
}
