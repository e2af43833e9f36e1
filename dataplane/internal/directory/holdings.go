package directory

import (
	"net/netip"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
)

// BucketSums returns the sum of every bucket: what the digest of Head is over. It, and what follows, is for the writer: nothing may
// be committed between calls that are to agree.
func (d *Directory) BucketSums() [digest.Buckets]digest.Sum {
	d.writing.Lock()
	defer d.writing.Unlock()
	tree := d.state.Load().tree
	var sums [digest.Buckets]digest.Sum
	for at := range sums {
		sums[at] = tree.Bucket(uint16(at))
	}
	return sums
}

// BucketHashes returns the hashes of a bucket's entries, in the order of their keys. The slice must not be changed.
func (d *Directory) BucketHashes(at uint16) []digest.Hash {
	_, hashes := d.state.Load().buckets[at].Load().content()
	return hashes
}

// Stored returns the bytes of the entries of a bucket that have one of these hashes, as they came. They aren't kept: they are made again
// of what they said, and left out if that doesn't give the hash. Secrets, peppers, ticket keys and the fleet are left out too: nobody asks a node for
// them.
func (d *Directory) Stored(at uint16, wanted map[digest.Hash]bool) [][]byte {
	d.writing.Lock()
	defer d.writing.Unlock()
	s := d.state.Load()
	records, hashes := s.buckets[at].Load().content()
	var entries [][]byte
	for i := range records {
		if !wanted[hashes[i]] {
			continue
		}
		if stored, ok := s.stored(&records[i]); ok && digest.HashOf(stored) == hashes[i] {
			entries = append(entries, stored)
		}
	}
	return entries
}

// stored makes an entry's bytes again, as the control plane marshals them.
func (s *state) stored(r *record) ([]byte, bool) {
	entry := new(directoryv1.Entry)
	switch r.kind() {
	case kindKey:
		entry.Body = &directoryv1.Entry_ApiKey{ApiKey: &directoryv1.ApiKey{
			Digest: r.key[:], Id: r.id[:], Consumer: r.consumer[:], Scopes: s.scopes.texts(r.scopes),
			ExpiresAtMs: r.expires, Addresses: s.addresses.texts(r.addresses()),
		}}
	case kindConsumer:
		c, ok := s.consumers.get(r.id)
		if !ok {
			return nil, false
		}
		entry.Body = &directoryv1.Entry_Consumer{Consumer: &directoryv1.Consumer{
			Id: r.id[:], Name: c.Name, Labels: c.Labels, Metadata: c.Metadata, Suspended: c.Suspended,
		}}
	case kindBlock:
		entry.Body = &directoryv1.Entry_Block{Block: r.block()}
	case kindSecret, kindPepper, kindFleet, kindTicketKeys:
		return nil, false
	}
	stored, err := proto.MarshalOptions{Deterministic: true}.Marshal(entry)
	return stored, err == nil
}

// block makes a block's entry again. Ranges are given in their canonical form alone.
func (r *record) block() *directoryv1.Block {
	block, t := &directoryv1.Block{Id: r.id[:], ExpiresAtMs: r.expires}, r.target()
	switch t.sort {
	case targetConsumer:
		block.Target = &directoryv1.Block_Consumer{Consumer: t.key[:]}
	case targetKey:
		block.Target = &directoryv1.Block_ApiKey{ApiKey: t.key[:]}
	case targetIPv4:
		first, _ := netip.AddrFromSlice(t.key[len(t.key)-bitsOfIPv4/8:])
		block.Target = &directoryv1.Block_AddressRange{AddressRange: netip.PrefixFrom(first, int(t.bits)).String()}
	case targetIPv6:
		block.Target = &directoryv1.Block_AddressRange{AddressRange: netip.PrefixFrom(netip.AddrFrom16(t.key), int(t.bits)).String()}
	}
	return block
}
