package usage

const (
	// leastSlots is the index that a table begins with. Index and table are powers of two.
	leastSlots = 64
	// slotsPerEntry is how sparse an index is at least, and newSlotsPerEntry when it was just made.
	slotsPerEntry    = 2
	newSlotsPerEntry = 4
	// spareSlots is how much larger than its use an index is that an emptied table gives up.
	spareSlots = 64

	tagMask = ^uint64(1<<32 - 1)
)

// table is counts by key, one behind the other in the order in which their keys came, with an index of their hashes. Beside a map of
// the same it is walked, copied, emptied and filled again at a fraction of the price, which is why it is here: where many call each
// request is an entry of its own. The zero value is empty.
type table[K comparable, C any] struct {
	entries []entry[K, C]
	front   int // entries before it were taken out
	// slots are probed one after the other from that of the hash on: the hash's upper half, and the entry's place + 1; 0: free. A slot
	// whose entry was taken out leads nowhere until the index is made anew.
	slots []uint64
}

type entry[K comparable, C any] struct {
	hash   uint64
	key    K
	counts C
}

func (t *table[K, C]) len() int { return len(t.entries) - t.front }

// all are the entries. They are the table's own, until it changes.
func (t *table[K, C]) all() []entry[K, C] { return t.entries[t.front:] }

// at returns the counts of a key, which has this hash. They are the table's own, until it changes.
func (t *table[K, C]) at(hash uint64, key *K) *C {
	if slotsPerEntry*len(t.entries) >= len(t.slots) {
		t.index()
	}
	slot, place := t.find(hash, key)
	if place < 0 {
		t.entries = append(t.entries, entry[K, C]{hash: hash, key: *key})
		place = len(t.entries) - 1
		t.slots[slot] = slotOf(hash, place)
	}
	return &t.entries[place].counts
}

// find returns the slot and the place of a key; place -1: it isn't there, and the slot is free for it.
func (t *table[K, C]) find(hash uint64, key *K) (slot uint64, place int) {
	mask := uint64(len(t.slots) - 1)
	for slot = hash & mask; ; slot = (slot + 1) & mask {
		s := t.slots[slot]
		if s == 0 {
			return slot, -1
		}
		if s&tagMask != hash&tagMask {
			continue
		}
		if place = placeOf(s); place >= t.front && t.entries[place].key == *key {
			return slot, place
		}
	}
}

func slotOf(hash uint64, place int) uint64 { return hash&tagMask | uint64(place+1) }

func placeOf(slot uint64) int { return int(slot&^tagMask) - 1 }

// index makes the index anew, for the entries that are there and as many more.
func (t *table[K, C]) index() {
	t.entries = t.entries[:copy(t.entries, t.all())]
	t.front = 0
	size := leastSlots
	for size < newSlotsPerEntry*len(t.entries) {
		size *= 2
	}
	if size == len(t.slots) {
		clear(t.slots)
	} else {
		t.slots = make([]uint64, size)
	}
	for place := range t.entries {
		t.insert(t.entries[place].hash, place)
	}
}

// insert puts an entry into the index that isn't in it.
func (t *table[K, C]) insert(hash uint64, place int) {
	mask := uint64(len(t.slots) - 1)
	slot := hash & mask
	for t.slots[slot] != 0 {
		slot = (slot + 1) & mask
	}
	t.slots[slot] = slotOf(hash, place)
}

// drop takes the first n out.
func (t *table[K, C]) drop(n int) {
	if t.front += n; t.front == len(t.entries) {
		t.reset()
	}
}

// remove takes a key out that has these counts; false: there is none.
func (t *table[K, C]) remove(hash uint64, key *K, same func(C) bool) bool {
	if t.len() == 0 {
		return false
	}
	slot, place := t.find(hash, key)
	if place < 0 || !same(t.entries[place].counts) {
		return false
	}
	if place != t.front {
		first := t.entries[t.front]
		other, _ := t.find(first.hash, &first.key)
		t.entries[t.front], t.entries[place] = t.entries[place], first
		t.slots[slot], t.slots[other] = slotOf(hash, t.front), slotOf(first.hash, place)
	}
	t.drop(1)
	return true
}

// reset empties the table. Its memory is used again, unless it is far more than was needed this time.
func (t *table[K, C]) reset() {
	if len(t.entries) == 0 {
		return
	}
	if len(t.slots) > max(leastSlots, spareSlots*len(t.entries)) {
		*t = table[K, C]{}
		return
	}
	clear(t.slots)
	t.entries, t.front = t.entries[:0], 0
}

// hashes is a set of hashes that are there for good. It keeps them whole: of half of each, one in twenty thousand would be taken for
// another, and a bound not be kept. The zero value is empty.
type hashes struct {
	slots []uint64 // probed one after the other; 0: free
	count int
}

// has tells whether a hash is there.
func (h *hashes) has(hash uint64) bool { return len(h.slots) > 0 && h.slots[h.find(hash|1)] != 0 }

// add puts a hash into the set.
func (h *hashes) add(hash uint64) {
	if slotsPerEntry*h.count >= len(h.slots) {
		h.grow()
	}
	if slot := h.find(hash | 1); h.slots[slot] == 0 {
		h.slots[slot] = hash | 1 // never 0
		h.count++
	}
}

// find returns the slot in which a hash is, or the free one for it.
func (h *hashes) find(hash uint64) uint64 {
	mask := uint64(len(h.slots) - 1)
	slot := hash >> 32 & mask
	for h.slots[slot] != 0 && h.slots[slot] != hash {
		slot = (slot + 1) & mask
	}
	return slot
}

func (h *hashes) grow() {
	old := h.slots
	h.slots = make([]uint64, max(leastSlots, 2*len(old)))
	for _, hash := range old {
		if hash != 0 {
			h.slots[h.find(hash)] = hash
		}
	}
}

// reset empties the set. Its memory is used again, unless it is far more than was needed this time.
func (h *hashes) reset() {
	if h.count == 0 {
		return
	}
	if len(h.slots) > max(leastSlots, spareSlots*h.count) {
		*h = hashes{}
		return
	}
	clear(h.slots)
	h.count = 0
}
