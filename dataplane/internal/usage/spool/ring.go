package spool

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// order is that of all numbers in the files. Records are words of the machine: a file is read where it was written, and one from
// a machine of another order fails its checksums.
var order = binary.LittleEndian

const (
	// Stripes bounds how many requests can be recorded without meeting each other.
	Stripes = 64
	// slots of a stripe: all stripes together hold more than two seconds of 50,000 requests a second. Power of two.
	slots = 2048

	headerBytes = 64
	nameBytes   = 72
	maxName     = nameBytes - 2*wordBytes
	maxNames    = 512
	recordsAt   = headerBytes + maxNames*nameBytes
	stripeBytes = slots * recordWords * wordBytes
	ringBytes   = recordsAt + Stripes*stripeBytes
	ringMagic   = 0x31676e6972707373 // "ssppring1", shortened
)

// Ring takes a record of every request, in memory that outlives the process. Append is for everybody, Drain and Release for
// one owner.
type Ring struct {
	salt    uint64
	memory  []byte
	names   names
	wake    chan struct{}
	broken  atomic.Bool
	stripes [Stripes]stripe
	copied  [atOnce][recordWords]uint64 // the owner's
}

type stripe struct {
	tail atomic.Uint64 // position of the next record
	head atomic.Uint64 // below it everything is kept elsewhere: room
	_    [48]byte      // of the owner's below
	read uint64        // below it everything was drained
	_    [56]byte
}

// newRing makes the ring's file and maps it. The file is written whole first: storing into a hole of a file on a full disk would
// kill the process.
func newRing(path string) (*Ring, error) {
	r := &Ring{wake: make(chan struct{}, 1)}
	var salt [wordBytes]byte
	_, _ = rand.Read(salt[:]) // never fails
	r.salt = order.Uint64(salt[:])
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the ring: %w", err)
	}
	defer f.Close()
	content := make([]byte, ringBytes)
	order.PutUint64(content, ringMagic)
	order.PutUint64(content[wordBytes:], r.salt)
	order.PutUint64(content[2*wordBytes:], headerSum(r.salt))
	if _, err = f.Write(content); err == nil {
		err = f.Sync() // so that the blocks are the file's
	}
	if err != nil {
		return nil, fmt.Errorf("fill the ring: %w", err)
	}
	r.memory, err = syscall.Mmap(int(f.Fd()), 0, ringBytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the ring: %w", err)
	}
	r.names.place = r.placeName
	return r, nil
}

// Unmap gives a ring's memory back that nobody has been given. Its file is the folder's.
func (r *Ring) Unmap() error {
	if err := syscall.Munmap(r.memory); err != nil {
		return fmt.Errorf("unmap the ring: %w", err)
	}
	r.memory = nil
	return nil
}

func headerSum(salt uint64) uint64 {
	return mix(mix(salt^spread0, ringMagic), Stripes<<32|slots<<8|recordWords) | 1
}

// record is where a position's words lie.
func (r *Ring) record(stripe, position uint64) *[recordWords]uint64 {
	at := recordsAt + stripe*stripeBytes + position%slots*recordWords*wordBytes
	return (*[recordWords]uint64)(unsafe.Pointer(&r.memory[at])) //nolint:gosec // mapped words; recordsAt and records are aligned to them
}

// Append records a request on a stripe, or on another one if that is full: few stripes are in use where few requests are at work
// at once. False: there was no room at all, and it isn't recorded.
func (r *Ring) Append(on uint32, rec *Record) (taken bool) {
	if r.broken.Load() {
		return false
	}
	verdict, ok := r.names.number(rec.Verdict)
	if !ok {
		return false
	}
	for i := range uint64(Stripes) {
		stripe := (uint64(on) + i) % Stripes
		if position, claimed := r.claim(stripe); claimed {
			return r.store(stripe, position, rec, verdict)
		}
	}
	return false
}

// claim takes the next position of a stripe; false: the stripe is full.
func (r *Ring) claim(stripe uint64) (position uint64, claimed bool) {
	s := &r.stripes[stripe]
	for {
		position = s.tail.Load()
		used := position - s.head.Load()
		if used >= slots {
			return 0, false
		}
		if s.tail.CompareAndSwap(position, position+1) {
			if used == slots/2 {
				r.hurry()
			}
			return position, true
		}
	}
}

// store writes a record where it was claimed. A file that was cut short under us, or a disk that fails, shows as a fault: the ring is
// given up then, not the process.
func (r *Ring) store(stripe, position uint64, rec *Record, verdict uint16) (stored bool) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if !stored {
			r.giveUp(recover())
		}
	}()
	var words [recordWords]uint64
	rec.pack(&words, verdict)
	at := r.record(stripe, position)
	copy(at[:commitWord], words[:commitWord])
	atomic.StoreUint64(&at[commitWord], commitOf(&words, r.salt, stripe, position))
	return true
}

// giveUp takes a fault of the ring's memory for the end of the ring; anything else goes on as it was.
func (r *Ring) giveUp(v any) {
	fault, ok := v.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok {
		panic(v)
	}
	start := uintptr(unsafe.Pointer(&r.memory[0])) //nolint:gosec // its address is compared, not used
	if at := fault.Addr(); at < start || at >= start+ringBytes {
		panic(v)
	}
	r.broken.Store(true)
	r.hurry()
}

func (r *Ring) hurry() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Wake says that a stripe is half full, or that the ring broke.
func (r *Ring) Wake() <-chan struct{} { return r.wake }

// ErrBroken says that the ring's memory is gone.
var ErrBroken = errors.New("spool: the ring's file was cut, or its disk fails")

// Err is ErrBroken once the ring takes nothing any more.
func (r *Ring) Err() error {
	if r.broken.Load() {
		return ErrBroken
	}
	return nil
}

// Drain passes on what was recorded since it was last called, each stripe in its order, and adds the positions that are reached to
// heads. Their room is used again after Release alone. What is passed on belongs to the ring.
func (r *Ring) Drain(heads []uint64, visit func(*Record)) []uint64 {
	var rec Record
	for i := range r.stripes {
		r.drain(uint64(i), &rec, visit)
		heads = append(heads, r.stripes[i].read)
	}
	return heads
}

func (r *Ring) drain(number uint64, rec *Record, visit func(*Record)) {
	s := &r.stripes[number]
	for tail := s.tail.Load(); s.read < tail; {
		copied := r.copy(number, s.read, min(tail-s.read, atOnce))
		for i := range r.copied[:copied] {
			if r.whole(&r.copied[i], number, s.read, rec) {
				visit(rec)
			} else if !r.broken.Load() {
				return // its writer is at work
			}
			s.read++
		}
		if copied == 0 {
			s.read++ // its memory is gone
		}
	}
}

// atOnce is how many records the owner copies out of the ring at once: being ready for a fault has its price.
const atOnce = 32

// copy copies records to where they can be looked at, and returns how many: at a fault it ends.
func (r *Ring) copy(stripe, position, n uint64) (copied int) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if uint64(copied) < n {
			r.giveUp(recover())
		}
	}()
	for ; uint64(copied) < n; copied++ {
		at := r.record(stripe, position+uint64(copied))
		// The word that commits it first: what it commits is there then.
		commit := atomic.LoadUint64(&at[commitWord])
		r.copied[copied] = *at
		r.copied[copied][commitWord] = commit
	}
	return copied
}

// whole reads a record that was copied; false: it isn't whole.
func (r *Ring) whole(words *[recordWords]uint64, stripe, position uint64, rec *Record) bool {
	if words[commitWord] != commitOf(words, r.salt, stripe, position) {
		return false
	}
	name, ok := r.names.name(rec.unpack(words))
	rec.Verdict = name
	return ok
}

// Release gives the room below these positions back.
func (r *Ring) Release(heads []uint64) {
	for i := range min(len(heads), Stripes) {
		r.stripes[i].head.Store(heads[i])
	}
}
