package state

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Delta is a lane's step as it came: its head and the changes' bytes as received. A lane fills its own kind of changes.
type Delta struct {
	Head    *edgev1.SignedHead
	From    uint64
	Objects []*edgev1.ObjectChange
	Entries []*edgev1.EntryChange
}

func (d *Delta) marshal(lane edgev1.Lane) ([]byte, error) {
	var m proto.Message = &edgev1.ConfigurationDelta{Head: d.Head, From: d.From, Changes: d.Objects}
	if lane == edgev1.Lane_LANE_DIRECTORY {
		m = &edgev1.DirectoryDelta{Head: d.Head, From: d.From, Changes: d.Entries}
	}
	return proto.Marshal(m)
}

func unmarshalDelta(lane edgev1.Lane, record []byte) (*Delta, error) {
	if lane == edgev1.Lane_LANE_DIRECTORY {
		var m edgev1.DirectoryDelta
		if err := proto.Unmarshal(record, &m); err != nil {
			return nil, fmt.Errorf("%w: a record is no delta", ErrDamaged)
		}
		return &Delta{Head: m.GetHead(), From: m.GetFrom(), Entries: m.GetChanges()}, nil
	}
	var m edgev1.ConfigurationDelta
	if err := proto.Unmarshal(record, &m); err != nil {
		return nil, fmt.Errorf("%w: a record is no delta", ErrDamaged)
	}
	return &Delta{Head: m.GetHead(), From: m.GetFrom(), Objects: m.GetChanges()}, nil
}

// positionOf reads where a head leads. Whether it is the control plane's word is for the reader to verify.
func positionOf(signed *edgev1.SignedHead) (Position, error) {
	var head edgev1.Head
	if err := proto.Unmarshal(signed.GetHead(), &head); err != nil || head.GetEpoch() == 0 {
		return Position{}, fmt.Errorf("%w: a head is none", ErrDamaged)
	}
	return Position{Epoch: head.GetEpoch(), Number: head.GetNumber()}, nil
}
