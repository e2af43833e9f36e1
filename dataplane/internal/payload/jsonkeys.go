package payload

import (
	"bytes"
	"hash/maphash"
)

// fewKeys is up to how many keys of one object are compared each with each.
const fewKeys = 8

// keyTable finds keys that come twice, in time that grows with the number of keys alone: its hash is one that nobody can choose keys for.
type keyTable struct {
	share    *Share
	seed     maphash.Seed
	slots    []uint32 // one more than the key's node; 0: free
	one, two []byte   // keys with their escapes undone
	paid     int64
	noMemory bool
}

// duplicate returns the first key of an object that it has had before.
func (t *keyTable) duplicate(j *JSON, object opened) Place {
	if object.entries <= fewKeys && !object.escaped {
		return fewDuplicate(j, object)
	}
	if !t.prepare(int(object.entries)) {
		return Place{}
	}
	mask := uint64(len(t.slots) - 1)
	end := j.nodes[object.at].next
	for at := object.at + 1; at < end; at = j.nodes[at+1].next {
		t.one = j.plainKey(t.one, at)
		key := j.keyOr(t.one, at)
		slot := maphash.Bytes(t.seed, key) & mask
		for t.slots[slot] != 0 {
			if t.same(j, key, t.slots[slot]-1) {
				return Place{at + 1}
			}
			slot = (slot + 1) & mask
		}
		t.slots[slot] = at + 1
	}
	return Place{}
}

// fewDuplicate compares each with each.
func fewDuplicate(j *JSON, object opened) Place {
	var seen [fewKeys][]byte
	n := 0
	for at, end := object.at+1, j.nodes[object.at].next; at < end; at = j.nodes[at+1].next {
		key := j.text[j.nodes[at].begin:j.nodes[at].end]
		for _, before := range seen[:n] {
			if bytes.Equal(before, key) {
				return Place{at + 1}
			}
		}
		seen[n] = key
		n++
	}
	return Place{}
}

// plainKey undoes the escapes of a key that has any, in memory that is used again.
func (j *JSON) plainKey(into []byte, at uint32) []byte {
	if n := &j.nodes[at]; n.escaped {
		return j.appendText(into[:0], n)
	}
	return into
}

// keyOr returns a key as it is in the text, or what it was made to.
func (j *JSON) keyOr(plain []byte, at uint32) []byte {
	if n := &j.nodes[at]; !n.escaped {
		return j.text[n.begin:n.end]
	}
	return plain
}

func (t *keyTable) same(j *JSON, key []byte, other uint32) bool {
	n := &j.nodes[other]
	if !n.escaped && int(n.end-n.begin) != len(key) {
		return false
	}
	t.two = j.plainKey(t.two, other)
	return bytes.Equal(key, j.keyOr(t.two, other))
}

// prepare empties the table, and sees to it that at most half of it is taken. Each object pays for as much as it has keys.
func (t *keyTable) prepare(keys int) bool {
	if t.seed == (maphash.Seed{}) {
		t.seed = maphash.MakeSeed()
	}
	size := 4 * fewKeys
	for size < 2*keys {
		size *= 2
	}
	if size <= cap(t.slots) {
		t.slots = t.slots[:size]
		clear(t.slots)
		return true
	}
	const slotBytes = 4
	if !t.share.Take(int64(size) * slotBytes) {
		t.noMemory = true
		return false
	}
	t.release()
	t.slots, t.paid = make([]uint32, size), int64(size)*slotBytes
	return true
}

// release gives back what the table was paid with.
func (t *keyTable) release() {
	t.share.Give(t.paid)
	t.slots, t.paid = nil, 0
}
