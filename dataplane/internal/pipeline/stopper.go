package pipeline

// Stopper is a request's body of which another goroutine can end the reading. A service may answer before it has been sent all: whoever
// still reads what the client uploads, on a goroutine of its own, must be gone before the exchange ends.
type Stopper interface {
	// StopReading makes a Read under way fail soon, and later ones at once. What is written to the client goes on. At the end of the
	// body it does nothing.
	StopReading()
}

// StopReading implements Stopper.
func (b *limitedBody) StopReading() {
	if s, ok := b.body.(Stopper); ok {
		s.StopReading()
	}
}
