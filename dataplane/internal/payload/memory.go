package payload

import "sync/atomic"

// Memory bounds what the bodies of all requests of a node hold together. It is safe for concurrent use; nil bounds nothing.
type Memory struct {
	limit   int64
	used    atomic.Int64
	refused atomic.Uint64
}

// NewMemory returns a bound in bytes.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit} }

// Take asks for n bytes. All are given, or none.
func (m *Memory) Take(n int64) bool {
	if m == nil {
		return true
	}
	if m.used.Add(n) > m.limit {
		m.used.Add(-n)
		m.refused.Add(1)
		return false
	}
	return true
}

// Give gives bytes back.
func (m *Memory) Give(n int64) {
	if m != nil {
		m.used.Add(-n)
	}
}

// scarce tells whether more than half is taken.
func (m *Memory) scarce() bool { return m != nil && m.used.Load() > m.limit/2 }

// Used returns the bytes that are taken.
func (m *Memory) Used() int64 { return m.used.Load() }

// Limit returns the bytes that there are.
func (m *Memory) Limit() int64 { return m.limit }

// Refused returns how often there wasn't enough.
func (m *Memory) Refused() uint64 { return m.refused.Load() }
