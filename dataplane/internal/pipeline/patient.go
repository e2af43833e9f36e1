package pipeline

import (
	"errors"
	"io"
	"time"
)

// errLingers says that nothing came for a while. It doesn't stay: what comes later is read as before.
var errLingers = errors.New("nothing comes for a while")

// errLet is why an answer is aborted that is closed while a read of it is under way.
var errLet = errors.New("nobody wants the rest of the answer")

// patient is an answer that is read with patience: a read that waits for longer goes on by itself, and the next one takes what it brings. It is read by one goroutine
// at a time, besides the one that waits.
type patient struct {
	source io.ReadCloser
	abort  *Abort

	buffer  []byte
	arrived chan piece // one at most
	waiting bool       // a read is under way
	left    []byte     // of what arrived
	ended   error
	resumed bool // it has lingered: from then on it is read without patience
}

// piece is what a read brought.
type piece struct {
	n   int
	err error
}

// pieceBytes is what is read of an answer at a time while it is waited for.
const pieceBytes = 16 << 10

// Read implements io.Reader.
func (p *patient) Read(to []byte) (int, error) {
	for len(p.left) == 0 && p.ended == nil {
		if p.resumed && !p.waiting {
			return p.source.Read(to) //nolint:wrapcheck // io.EOF must stay what it is
		}
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	n := copy(to, p.left)
	p.left = p.left[n:]
	if n == 0 && len(p.left) == 0 {
		return 0, p.ended
	}
	return n, nil
}

// next waits for the next piece, for a while unless it has lingered before.
func (p *patient) next() error {
	p.ask()
	if p.resumed {
		p.take(<-p.arrived)
		return nil
	}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case got := <-p.arrived:
		p.take(got)
		return nil
	case <-timer.C:
		p.resumed = true
		return errLingers
	}
}

// ask has the next piece read, by a goroutine that ends with it.
func (p *patient) ask() {
	if p.waiting {
		return
	}
	if p.buffer == nil {
		p.buffer, p.arrived = make([]byte, pieceBytes), make(chan piece, 1)
	}
	p.waiting = true
	go func() {
		n, err := p.source.Read(p.buffer)
		p.arrived <- piece{n, err}
	}()
}

func (p *patient) take(got piece) {
	p.waiting = false
	p.left, p.ended = p.buffer[:got.n], got.err
}

// Close implements io.Closer. A read that is under way is ended first: a connection has one reader.
func (p *patient) Close() error {
	if p.waiting {
		p.abort.Because(errLet)
		p.take(<-p.arrived)
	}
	return p.source.Close() //nolint:wrapcheck // it is the source's
}
