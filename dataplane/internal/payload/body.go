package payload

import (
	"errors"
	"io"
)

// ErrNoMemory says that the bodies of the node's other requests leave no room.
var ErrNoMemory = errors.New("bodies in memory are as large as the node lets them be")

// leastRead is what a body of unknown length is read by, in bytes, to begin with.
const leastRead = 4 << 10

// Body is what was read of a request's body. It belongs to the request's goroutine. Its bytes are never written again: a transport may still send them
// when the request is over.
type Body struct {
	share  Share
	rest   io.Reader
	stated int64 // bytes; -1: unknown
	raw    []byte
	whole  bool
	failed error // of the source: it stays
	pace   pace

	plain  plain
	parsed parsed
}

// New returns the body that source holds, of a stated length or -1, nothing of it read.
func New(memory *Memory, source io.Reader, stated int64) *Body {
	return &Body{share: Share{memory: memory}, rest: source, stated: stated, whole: stated == 0}
}

// Read reads on until most bytes are there or the body is at its end: Whole tells which. Of a body whose stated length is beyond most nothing is read. An
// error is the source's, which stays, or ErrNoMemory, in spite of which the body can be forwarded.
func (b *Body) Read(most int64) error { return b.read(most, nil) }

// ReadInTime is Read of a body that mustn't take longer than a body may that is held in memory meanwhile: the error is ErrSlow then. A body that is stopped by it fails for good; of others what
// was read and the rest can still be forwarded.
func (b *Body) ReadInTime(most int64, stops bool) error {
	if b.whole || b.failed != nil || b.stated > most {
		return b.failed
	}
	b.pace.begin(stops)
	err := b.read(most, &b.pace)
	slow := b.pace.end()
	switch {
	case b.whole:
	case slow != nil:
		b.failed = slow // the source was stopped
		return slow
	case errors.Is(err, ErrSlow) && stops:
		b.failed = err
	}
	return err
}

func (b *Body) read(most int64, pace *pace) error {
	if b.stated > most {
		return nil
	}
	for !b.whole && b.failed == nil && int64(len(b.raw)) <= most {
		if !b.more(most) {
			return ErrNoMemory
		}
		if pace != nil && !b.whole && b.failed == nil {
			if err := pace.judge(len(b.raw), b.share.memory, b.rest); err != nil {
				return err
			}
		}
	}
	return b.failed
}

// more reads once, if there is room. One byte more than most is asked for, to know whether there is any.
func (b *Body) more(most int64) bool {
	if len(b.raw) == cap(b.raw) && !b.grow(most) {
		return false
	}
	room := b.raw[len(b.raw):min(int64(cap(b.raw)), most+1)]
	n, err := b.rest.Read(room)
	b.raw = b.raw[:len(b.raw)+n]
	switch {
	case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		b.whole = true
	case err != nil:
		b.failed = err
	}
	return true
}

// grow makes room, in steps: a client that states much and sends little holds little.
func (b *Body) grow(most int64) bool {
	room := max(2*int64(cap(b.raw)), leastRead)
	if b.stated > 0 {
		room = min(room, b.stated+1)
	}
	room = min(room, most+1)
	if !b.share.Take(room) { // beside what is there, until that has moved
		return false
	}
	grown := make([]byte, len(b.raw), room)
	copy(grown, b.raw)
	b.share.Give(int64(cap(b.raw)))
	b.raw = grown
	return true
}

// Limit sees to it that no more than so many bytes of the body are handed on, what was read already among them: the refusal comes in the place of what lies beyond.
func (b *Body) Limit(most int64, limit func(io.Reader, int64) io.Reader, refusal error) {
	beyond := int64(len(b.raw)) > most
	switch {
	case beyond:
		b.raw, b.whole, b.failed = b.raw[:most:most], false, refusal
	case !b.whole && b.failed == nil:
		b.rest = limit(b.rest, most-int64(len(b.raw)))
	}
}

// Raw returns the bytes that were read, as they came.
func (b *Body) Raw() []byte { return b.raw }

// Whole tells whether they are all there are.
func (b *Body) Whole() bool { return b.whole }

// Within tells whether the body is whole and has at most so many bytes.
func (b *Body) Within(most int64) bool { return b.whole && int64(len(b.raw)) <= most }

// Share is what the body holds of the node's memory: whoever makes more of the body books it here, and needn't give it back.
func (b *Body) Share() *Share { return &b.share }

// Trim lets go of all that was made of the body, and keeps what came: an answer of hours must not hold what a policy looked at.
func (b *Body) Trim() {
	b.plain, b.parsed = plain{}, parsed{}
	b.share.Give(b.share.taken - int64(cap(b.raw)))
}

// Release gives the body's memory back to the node's bound. The bytes themselves are the garbage collector's.
func (b *Body) Release() { b.share.Release() }

// Forward returns a reader of the whole body for the service: what was read, then the rest.
func (b *Body) Forward() io.Reader {
	if b.whole {
		return &read{front: b.raw}
	}
	return &unread{front: b.raw, body: b, rest: b.rest}
}

// read is a body that is in memory whole.
type read struct{ front []byte }

// Read implements io.Reader.
func (r *read) Read(p []byte) (int, error) {
	if len(r.front) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.front)
	r.front = r.front[n:]
	return n, nil
}

// Front returns what is left.
func (r *read) Front() []byte { return r.front }

// Discard takes n bytes of Front as read.
func (r *read) Discard(n int) { r.front = r.front[n:] }

// unread is a body of which the end hasn't been read.
type unread struct {
	front []byte
	body  *Body
	rest  io.Reader
}

// Read implements io.Reader.
func (u *unread) Read(p []byte) (int, error) {
	if len(u.front) > 0 {
		n := copy(p, u.front)
		u.front = u.front[n:]
		return n, nil
	}
	if u.body.failed != nil {
		return 0, u.body.failed
	}
	return u.rest.Read(p) //nolint:wrapcheck // io.EOF must stay what it is
}

// stopper is a body of which another goroutine can end the reading (pipeline.Stopper).
type stopper interface{ StopReading() }

// StopReading makes a Read under way fail soon, and later ones at once.
func (u *unread) StopReading() { stop(u.rest) }

func stop(source io.Reader) {
	if s, ok := source.(stopper); ok {
		s.StopReading()
	}
}
