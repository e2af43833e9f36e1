package spool

import (
	"maps"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"unicode/utf8"
	"unsafe"
)

// names are the verdicts that records name by number. They lie in the ring's file: the process that reads it may be of another
// build, with other verdicts.
type names struct {
	known atomic.Pointer[nameTable]
	mu    sync.Mutex
	place func(number int, name string) bool // into the file
}

// nameTable is immutable.
type nameTable struct {
	numbers map[string]uint16
	list    []string
}

// number returns a verdict's number, and gives it one if it has none; false: no more can be told apart.
func (n *names) number(name string) (uint16, bool) {
	if table := n.known.Load(); table != nil {
		if number, ok := table.numbers[name]; ok {
			return number, true
		}
	}
	return n.add(name)
}

func (n *names) add(name string) (uint16, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	table := n.known.Load()
	if table == nil {
		table = &nameTable{}
	}
	if number, ok := table.numbers[name]; ok {
		return number, true
	}
	number := len(table.list)
	if number == maxNames || len(name) > maxName || !n.place(number, name) {
		return 0, false
	}
	more := &nameTable{numbers: maps.Clone(table.numbers), list: append(table.list[:number:number], name)}
	if more.numbers == nil {
		more.numbers = map[string]uint16{}
	}
	more.numbers[name] = uint16(number)
	n.known.Store(more)
	return uint16(number), true
}

// name returns what a number stands for.
func (n *names) name(number uint16) (string, bool) {
	table := n.known.Load()
	if table == nil || int(number) >= len(table.list) {
		return "", false
	}
	return table.list[number], true
}

// A name's place: a word that is stored last, a word with the length, the text.

func (r *Ring) placeName(number int, name string) (placed bool) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if !placed {
			r.giveUp(recover())
		}
	}()
	at := r.memory[headerBytes+number*nameBytes:][:nameBytes]
	order.PutUint64(at[wordBytes:], uint64(len(name)))
	copy(at[2*wordBytes:], name)
	commit := (*uint64)(unsafe.Pointer(&at[0])) //nolint:gosec // mapped words; headerBytes and nameBytes are multiples of them
	atomic.StoreUint64(commit, nameSum(name, number, r.salt))
	return true
}

func nameSum(name string, number int, salt uint64) uint64 {
	sum := mix(salt^spread2, uint64(number)<<32|uint64(len(name)))
	var word [wordBytes]byte
	for rest := []byte(name); len(rest) > 0; {
		word = [wordBytes]byte{}
		rest = rest[copy(word[:], rest):]
		sum = mix(sum^spread3, order.Uint64(word[:])^spread4)
	}
	return sum | 1
}

// readName returns the name at a place of a ring's file; false: there is none.
func readName(content []byte, number int, salt uint64) (string, bool) {
	at := content[headerBytes+number*nameBytes:][:nameBytes]
	length := order.Uint64(at[wordBytes:])
	if length > maxName {
		return "", false
	}
	name := string(at[2*wordBytes:][:length])
	return name, order.Uint64(at) == nameSum(name, number, salt) && utf8.ValidString(name)
}
