package state

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
)

// memory is a folder that forgets, when it crashes, what wasn't synced, and that may fail.
type memory struct {
	mu      sync.Mutex
	names   map[string]*node // as they are
	durable map[string]*node // as a crash leaves them
	fail    func() error
}

type node struct {
	in            *memory
	data, durable []byte
}

func newMemory() *memory {
	return &memory{names: map[string]*node{}, durable: map[string]*node{}, fail: func() error { return nil }}
}

// crash returns what a new process finds: of what wasn't synced a random part.
func (m *memory) crash(r *rand.Rand) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := m.durable
	if r.IntN(2) == 0 {
		names = m.names
	}
	after := newMemory()
	for name, n := range names {
		cut := r.IntN(max(len(n.data), len(n.durable)) + 1)
		body := slices.Clone(n.data[:min(cut, len(n.data))])
		if cut < len(n.durable) && len(body) == cut {
			body = append(body, n.durable[cut:]...)
		}
		after.names[name] = &node{in: after, data: body, durable: slices.Clone(body)}
	}
	after.durable = maps.Clone(after.names)
	return after
}

func (m *memory) open(name string, made bool) (file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, found := m.names[name]
	if !made && !found {
		return nil, fs.ErrNotExist
	}
	if made {
		if err := m.fail(); err != nil {
			return nil, err
		}
	}
	if !found {
		n = &node{in: m}
		m.names[name] = n
	} else if made {
		n.data = nil
	}
	return n, nil
}

func (m *memory) rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fail(); err != nil {
		return err
	}
	n, found := m.names[from]
	if !found {
		return fs.ErrNotExist
	}
	delete(m.names, from)
	m.names[to] = n
	return nil
}

func (m *memory) remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fail(); err != nil {
		return err
	}
	if _, found := m.names[name]; !found {
		return fs.ErrNotExist
	}
	delete(m.names, name)
	return nil
}

func (m *memory) list() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.names)), nil
}

func (m *memory) sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fail(); err != nil {
		return err
	}
	m.durable = maps.Clone(m.names)
	return nil
}

// body is a file's content, to be looked at or changed.
func (m *memory) body(name string) []byte { return m.names[name].data }

// put puts a file back as it was.
func (m *memory) put(name string, body []byte) {
	n := &node{in: m, data: slices.Clone(body), durable: slices.Clone(body)}
	m.names[name], m.durable[name] = n, n
}

// copied returns the folder as it is.
func (m *memory) copied() *memory {
	other := newMemory()
	for name, n := range m.names {
		other.put(name, n.data)
	}
	for name := range other.names {
		other.names[name].in = other
	}
	return other
}

func (n *node) ReadAt(p []byte, at int64) (int, error) {
	n.in.mu.Lock()
	defer n.in.mu.Unlock()
	if at >= int64(len(n.data)) {
		return 0, io.EOF
	}
	read := copy(p, n.data[at:])
	if read < len(p) {
		return read, io.EOF
	}
	return read, nil
}

func (n *node) WriteAt(p []byte, at int64) (int, error) {
	n.in.mu.Lock()
	defer n.in.mu.Unlock()
	err := n.in.fail()
	if err != nil {
		p = p[:len(p)/2] // a full disk takes what fits
	}
	if missing := at + int64(len(p)) - int64(len(n.data)); missing > 0 {
		n.data = append(n.data, make([]byte, missing)...)
	}
	copy(n.data[at:], p)
	return len(p), err
}

func (n *node) Size() (int64, error) {
	n.in.mu.Lock()
	defer n.in.mu.Unlock()
	return int64(len(n.data)), nil
}

func (n *node) Truncate(size int64) error {
	n.in.mu.Lock()
	defer n.in.mu.Unlock()
	if err := n.in.fail(); err != nil {
		return err
	}
	n.data = n.data[:size:size]
	return nil
}

func (n *node) Sync() error {
	n.in.mu.Lock()
	defer n.in.mu.Unlock()
	if err := n.in.fail(); err != nil {
		if rand.IntN(2) == 0 {
			n.durable = slices.Clone(n.data) // it may have reached the disk all the same
		}
		return err
	}
	n.durable = slices.Clone(n.data)
	return nil
}

func (n *node) Close() error { return nil }

var errFull = errors.New("no space left on device")
