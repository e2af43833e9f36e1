package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const marksFile = "marks"

// Position is a place in a lane's history. Epoch 0: none.
type Position struct {
	Epoch  uint64 `json:"epoch"`
	Number uint64 `json:"number"`
}

// Before tells whether a position lies behind another one.
func (p Position) Before(other Position) bool {
	return p.Epoch < other.Epoch || p.Epoch == other.Epoch && p.Number < other.Number
}

// facts are what must be known beside the lanes.
type facts struct {
	Count uint64 `json:"count"` // of writes: the higher one is the newer
	// The highest position ever held.
	Configuration Position `json:"configuration"`
	Directory     Position `json:"directory"`
	// Running: the process hasn't stopped in good order.
	Running bool `json:"running"`
	// Trial is the revision in force that the process hasn't outlived for long enough yet.
	Trial   Position `json:"trial"`
	Crashes int      `json:"crashes"` // during the trial
	// Blocked is the revision that crashed the process, refused until a newer one comes.
	Blocked Position `json:"blocked"`
	// How fresh the node was (package freshness), in milliseconds since 1970; 0: not known.
	Signed int64 `json:"signed,omitempty"`
	Heard  int64 `json:"heard,omitempty"`
	Seen   int64 `json:"seen,omitempty"`
}

func (f *facts) highest(lane edgev1.Lane) *Position {
	if lane == edgev1.Lane_LANE_CONFIGURATION {
		return &f.Configuration
	}
	return &f.Directory
}

// marks keeps facts in two slots of one file, written in turn and in place: a write costs one sync and no space, and a torn
// one leaves the other slot.
type marks struct {
	mu    sync.Mutex // held over writes
	file  file
	seal  *sealer
	facts facts
	known atomic.Pointer[facts] // the same, for readers: they don't wait for the disk
	// unsure: a write failed, and may have reached the disk all the same.
	unsure bool
	// frozen: another process may read them, or write them.
	frozen bool
}

const (
	slotSize   = 4096
	slotPlain  = 1024
	marksSize  = 3 * slotSize // the first holds the header
	slotSealed = slotPlain + sealOverhead
)

// openMarks reads the marks, and makes them if there are none.
func openMarks(at folder, key []byte, environment string) (m *marks, found bool, err error) {
	m, found, err = readMarksOf(at, key, environment)
	if err == nil && !found {
		m, err = newMarks(at, key, whatMarks(environment))
	}
	return m, found, err
}

// whatMarks names the file for its sealer.
func whatMarks(environment string) string { return marksFile + "\x00" + environment }

// readMarksOf reads the marks, if there are any.
func readMarksOf(at folder, key []byte, environment string) (m *marks, found bool, err error) {
	f, err := at.open(marksFile, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	m, err = readMarks(f, key, whatMarks(environment))
	if err != nil {
		return nil, true, errors.Join(err, f.Close())
	}
	return m, true, nil
}

func newMarks(at folder, key []byte, what string) (*marks, error) {
	header, seal, err := newHeader(key, what)
	if err != nil {
		return nil, err
	}
	body := make([]byte, marksSize)
	copy(body, header)
	m := &marks{seal: seal}
	m.know(facts{})
	slot, err := m.slot(m.facts)
	if err != nil {
		return nil, err
	}
	copy(body[slotSize:], slot)
	if err := place(at, marksFile, body); err != nil {
		return nil, err
	}
	m.file, err = at.open(marksFile, false)
	return m, err
}

func readMarks(f file, key []byte, what string) (*marks, error) {
	body := make([]byte, marksSize)
	if n, err := f.ReadAt(body, 0); n != len(body) {
		if errors.Is(err, io.EOF) {
			err = ErrDamaged
		}
		return nil, err
	}
	seal, err := readHeader(body[:headerSize], key, what)
	if err != nil {
		return nil, err
	}
	m := &marks{file: f, seal: seal}
	found := false
	for n := range uint64(2) {
		if read, ok := m.read(n, body[(n+1)*slotSize:][:slotSize]); ok && (!found || read.Count > m.facts.Count) {
			m.facts, found = read, true
		}
	}
	m.know(m.facts)
	if !found {
		return nil, fmt.Errorf("%w: neither slot opens", ErrDamaged)
	}
	return m, nil
}

// read opens a slot. One that doesn't was torn, or never written.
func (m *marks) read(n uint64, slot []byte) (facts, bool) {
	if binary.LittleEndian.Uint32(slot) != slotSealed {
		return facts{}, false
	}
	plain, err := m.seal.open(n, bytes.Clone(slot[frameHeader:][:slotSealed]))
	if err != nil {
		return facts{}, false
	}
	var read facts
	decoder := json.NewDecoder(bytes.NewReader(plain))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil || read.Count%2 != n {
		return facts{}, false
	}
	return read, true
}

func (m *marks) slot(f facts) ([]byte, error) {
	plain, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	padding := bytes.Repeat([]byte{' '}, slotPlain-len(plain))
	return m.seal.frame(f.Count%2, append(plain, padding...)), nil
}

func (m *marks) get() facts {
	return *m.known.Load()
}

func (m *marks) know(f facts) {
	m.facts = f
	m.known.Store(&f)
}

// change changes the facts, and returns once that lasts; else nothing has changed. Nothing is written when nothing changes.
func (m *marks) change(edit func(*facts)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.facts
	edit(&next)
	if next == m.facts {
		return nil
	}
	return m.write(next)
}

// settle makes sure that the disk says what is true, after a write that failed.
func (m *marks) settle() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.unsure {
		return nil
	}
	return m.write(m.facts)
}

// write writes the slot that doesn't hold the facts in force: the one that a failed write may have reached, too.
func (m *marks) write(next facts) error {
	if m.frozen {
		return ErrFrozen
	}
	next.Count = m.facts.Count + 1
	slot, err := m.slot(next)
	if err != nil {
		return err
	}
	m.unsure = true
	if _, err := m.file.WriteAt(slot, int64(next.Count%2+1)*slotSize); err != nil {
		return fmt.Errorf("write the marks: %w", err)
	}
	if err := m.file.Sync(); err != nil {
		return fmt.Errorf("write the marks: %w", err)
	}
	m.unsure = false
	m.know(next)
	return nil
}
