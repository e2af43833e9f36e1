package configsync

import (
	"fmt"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// showAtOnce bounds what one message shows of the directory, in bytes; the control plane takes 1 MiB. One entry may be bigger.
const showAtOnce = 256 << 10

// handleRecall shows what is asked for of the directory: the database went back, and the control plane asks what it has lost. What is
// shown is of one state, since no other message is handled meanwhile; it proves itself by the digests under the signed head. It tells
// nothing that the control plane didn't send, and no secret.
func (s *session) handleRecall(recall *edgev1.Recall, fault *refusal) error {
	if fault != nil {
		return fault.thenReconnect()
	}
	held, ok := s.lane.content.(entries)
	if !ok || s.lane.held.Load().epoch == 0 {
		return &refusal{code: codeMalformed, reaction: reconnect, detail: "asked for what the node doesn't hold"}
	}
	var err error
	switch {
	case len(recall.GetBuckets()) == 0:
		s.lane.log.Warn("the control plane asks what the node holds: its database went back", "number", s.lane.held.Load().number)
		err = s.showSums(held.directory)
	default:
		err = s.showBuckets(held.directory, recall.GetBuckets())
	}
	if err != nil {
		return fmt.Errorf("show the directory: %w", err)
	}
	return nil
}

func (s *session) showSums(d *directory.Directory) error {
	sums := d.BucketSums()
	flat := make([]byte, 0, len(sums)*len(sums[0]))
	for i := range sums {
		flat = append(flat, sums[i][:]...)
	}
	return s.link.show(&edgev1.Holdings{Head: s.lane.held.Load().signed, Sums: flat, Last: true})
}

func (s *session) showBuckets(d *directory.Directory, buckets []*edgev1.RecalledBucket) error {
	p := &showing{link: s.link}
	for _, asked := range buckets {
		if asked.GetNumber() >= digest.Buckets || len(asked.GetHashes())%len(digest.Hash{}) != 0 {
			return &refusal{code: codeMalformed, reaction: reconnect, detail: fmt.Sprintf("asked for bucket %d", asked.GetNumber())}
		}
		at := uint16(asked.GetNumber())
		if err := p.bucket(d, at, asked.GetHashes()); err != nil {
			return err
		}
	}
	p.next.Last = true
	return p.flush()
}

// showing makes messages that aren't too big.
type showing struct {
	link link
	next edgev1.Holdings
	size int
}

// bucket shows the entries of a bucket that have one of these hashes; without any, the hashes of all.
func (p *showing) bucket(d *directory.Directory, at uint16, hashes []byte) error {
	const size = len(digest.Hash{})
	if len(hashes) == 0 {
		return p.hashes(at, d.BucketHashes(at))
	}
	wanted := make(map[digest.Hash]bool, len(hashes)/size)
	for ; len(hashes) > 0; hashes = hashes[size:] {
		wanted[digest.Hash(hashes)] = true
	}
	for _, stored := range d.Stored(at, wanted) {
		if err := p.room(len(stored)); err != nil {
			return err
		}
		p.next.Entries = append(p.next.Entries, stored)
	}
	return nil
}

func (p *showing) hashes(at uint16, hashes []digest.Hash) error {
	const perMessage = showAtOnce / len(digest.Hash{})
	for first := true; first || len(hashes) > 0; first = false { // an empty bucket is shown as such
		n := min(len(hashes), perMessage)
		flat := make([]byte, 0, n*len(digest.Hash{}))
		for i := range n {
			flat = append(flat, hashes[i][:]...)
		}
		if err := p.room(len(flat)); err != nil {
			return err
		}
		p.next.Buckets = append(p.next.Buckets, &edgev1.RecalledBucket{Number: uint32(at), Hashes: flat})
		hashes = hashes[n:]
	}
	return nil
}

// room sends what there is if n bytes more were too many.
func (p *showing) room(n int) error {
	if p.size > 0 && p.size+n > showAtOnce {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.size += n
	return nil
}

func (p *showing) flush() error {
	err := p.link.show(&edgev1.Holdings{Buckets: p.next.Buckets, Entries: p.next.Entries, Last: p.next.Last})
	p.next.Buckets, p.next.Entries, p.size = nil, nil, 0
	return err
}
