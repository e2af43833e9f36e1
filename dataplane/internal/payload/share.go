package payload

// Share is what one request holds of the node's memory. It belongs to the request's goroutine; the zero value and nil are bound by nothing.
type Share struct {
	memory *Memory
	taken  int64
}

// NewShare returns the share of a request that holds nothing yet.
func NewShare(memory *Memory) *Share { return &Share{memory: memory} }

// Take asks for n bytes more. All are given, or none.
func (s *Share) Take(n int64) bool {
	if s == nil {
		return true
	}
	if !s.memory.Take(n) {
		return false
	}
	s.taken += n
	return true
}

// Give gives n bytes back.
func (s *Share) Give(n int64) {
	if s != nil {
		s.memory.Give(n)
		s.taken -= n
	}
}

// Release gives back all that is held.
func (s *Share) Release() { s.Give(s.taken) }
