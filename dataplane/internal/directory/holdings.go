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

// BucketHashes returns the hashes of a bucket's entries, in the order of their keys.
func (d *Directory) BucketHashes(at uint16) []digest.Hash {
	d.writing.Lock()
	defer d.writing.Unlock()
	s := d.state.Load()
	var l lines
	l.open(s.buckets[at].Load(), &s.people)
	hashes := make([]digest.Hash, len(l.all))
	for i := range l.all {
		hashes[i] = l.all[i].hash
	}
	return hashes
}

// Stored returns the bytes of the entries of a bucket that have one of these hashes, as they came. They aren't kept: they are made again
// of what they said, and left out if that doesn't give the hash. Secrets, peppers, keys of the fleet and the fleet are left out too: nobody asks a node for
// them.
func (d *Directory) Stored(at uint16, wanted map[digest.Hash]bool) [][]byte {
	d.writing.Lock()
	defer d.writing.Unlock()
	s := d.state.Load()
	var l lines
	l.open(s.buckets[at].Load(), &s.people)
	var entries [][]byte
	for i := range l.all {
		if !wanted[l.all[i].hash] {
			continue
		}
		if stored, ok := s.stored(&l.all[i], at); ok && digest.HashOf(stored) == l.all[i].hash {
			entries = append(entries, stored)
		}
	}
	return entries
}

// stored makes the bytes of a bucket's entry again, as the control plane marshals them.
func (s *state) stored(l *line, at uint16) ([]byte, bool) {
	entry := new(directoryv1.Entry)
	switch l.kind {
	case kindKey:
		entry.Body = &directoryv1.Entry_ApiKey{ApiKey: s.storedKey(l, at)}
	case kindConsumer:
		c, ok := s.people.at(l.number).present()
		if !ok {
			return nil, false
		}
		entry.Body = &directoryv1.Entry_Consumer{Consumer: &directoryv1.Consumer{
			Id: c.ID[:], Name: c.Name, Labels: c.Labels(), Metadata: c.Metadata(), Suspended: c.Suspended(),
		}}
	case kindBlock:
		entry.Body = &directoryv1.Entry_Block{Block: s.storedBlock(l.odd)}
	case kindKeySet:
		set := (*s.keySets.Load())[l.odd.id]
		entry.Body = &directoryv1.Entry_KeySet{KeySet: set.entry()}
	case kindSecret, kindPepper, kindFleet, kindTicketKeys, kindPassword, kindIdentityKeys:
		return nil, false
	}
	stored, err := proto.MarshalOptions{Deterministic: true}.Marshal(entry)
	return stored, err == nil
}

func (s *state) storedKey(l *line, at uint16) *directoryv1.ApiKey {
	sum, holder := l.key(at), s.people.at(l.number).ID
	k := &directoryv1.ApiKey{Digest: sum[:], Id: l.id[:], Consumer: holder[:], ExpiresAtMs: l.expires}
	a := s.attributes.at(l.attributes)
	k.Scopes, k.Addresses = s.scopes.texts(a.scopeTexts), s.addresses.texts(a.addressTexts)
	k.Watched, k.Imported = a.marks&markWatched != 0, a.marks&markImported != 0
	if a.routeTexts != 0 {
		for _, route := range idsOf([]byte(s.routes.contents[a.routeTexts])) {
			k.Routes = append(k.Routes, route[:])
		}
	}
	return k
}

// storedBlock makes a block's entry again. Ranges are given in their canonical form alone.
func (s *state) storedBlock(r *record) *directoryv1.Block {
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
	case targetToken, targetSubject:
		s.issuedBy(r).nameIssued(block, t.sort)
	}
	return block
}
