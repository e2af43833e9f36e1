package listener

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

// errReleased is what is read of a body whose request has ended.
var errReleased = errors.New("the request has ended")

// noBody is the body of a request that has none.
type noBody struct{}

// Read implements io.Reader.
func (noBody) Read([]byte) (int, error) { return 0, io.EOF }

// requestBody hands over what the client sends, and counts it. An upload may go on reading on a goroutine of its own while the answer is
// written, and even after that, when the exchange, the buffer and the connection serve another request: so each body is a value of its own, and
// after release nothing is read, and nothing touches either.
type requestBody struct {
	conn    *conn
	ended   atomic.Bool // the whole body was read
	stopped atomic.Bool // nobody wants more of it

	mu    sync.Mutex // held while somebody reads
	from  *http1.Body
	into  *pipeline.Request // nil: released
	bytes int64             // since its rate was judged

	turn    sync.Mutex // of what is written before the final answer
	expects bool       // the client waits for 100 Continue
}

// openBody makes the body of the request what comes behind its head.
func (c *conn) openBody(in *pipeline.Request) {
	c.body = &requestBody{
		conn: c, from: c.reader.Body(&c.request.Head, &in.Trailer), into: in, expects: c.request.Expects,
	}
	c.at, c.waited = inBody, 0
	in.Body, in.ContentLength = c.body, c.request.ContentLength
}

// Read implements io.Reader. Its errors but for io.EOF are rejections: they are the client's fault.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.into == nil || b.stopped.Load() {
		return 0, errReleased
	}
	if err := b.invite(); err != nil {
		return 0, b.fault(err)
	}
	n, err := b.from.Read(p)
	b.note(n)
	if err == nil {
		err = b.judgeRate()
	}
	return n, b.fault(err)
}

// Front implements pipeline.Fronted. Of a client that waits for 100 Continue nothing is there.
func (b *requestBody) Front() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.into == nil {
		return nil
	}
	return b.from.Front()
}

// Discard implements pipeline.Fronted.
func (b *requestBody) Discard(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.into == nil || n == 0 {
		return
	}
	b.from.Discard(n)
	b.note(n)
}

func (b *requestBody) note(n int) {
	b.into.BodyBytes += int64(n)
	b.bytes += int64(n)
	if b.from.AtEnd() {
		b.ended.Store(true)
	}
}

// invite tells a client that waits for it that its body is wanted (RFC 9110, section 10.1.1).
func (b *requestBody) invite() error {
	b.turn.Lock()
	defer b.turn.Unlock()
	if !b.expects {
		return nil
	}
	b.expects = false
	return b.conn.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
}

// decided tells that the final answer is about to be written, behind which no interim one may come.
func (b *requestBody) decided() {
	if b == nil {
		return
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	b.expects = false
}

// judgeRate refuses a body that comes too slowly, by the time that was spent on waiting for it.
func (b *requestBody) judgeRate() error {
	c := b.conn
	if c.waited < rateWindow || c.limits.BodyRate <= 0 {
		return nil
	}
	slow := float64(b.bytes) < float64(c.limits.BodyRate)*c.waited.Seconds()
	b.bytes, c.waited = 0, 0
	if slow {
		return errSlowBody
	}
	return nil
}

var errSlowBody = errors.New("the body comes too slowly")

// fault says why a body can't be read.
func (b *requestBody) fault(err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // the readers below return it bare
		return err
	}
	var malformed *http1.Error
	switch counters := b.conn.engine.counters; {
	case errors.As(err, &malformed):
		counters.protocolError(malformed)
		return &pipeline.Rejection{Code: codeOf(malformed), Detail: "The request body is malformed.", Reason: malformed.Reason}
	case err == errSlowBody: //nolint:errorlint,err113 // the very value
		counters.timedOut(inBody)
		return &pipeline.Rejection{Code: problem.RequestTimeout, Reason: err.Error()}
	case errors.Is(err, os.ErrDeadlineExceeded):
		if b.conn.overdue() == inBody {
			counters.timedOut(inBody)
		}
		return &pipeline.Rejection{Code: problem.RequestTimeout, Reason: "the client fell silent in the middle of the body"}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &pipeline.Rejection{Code: problem.ClientGone, Reason: "the client left in the middle of the body"}
	}
	return &pipeline.Rejection{Code: problem.BadRequest, Detail: "The request body can't be read.", Reason: "read the body: " + err.Error()}
}

// atEnd tells whether all that the client sends of the request was read.
func (b *requestBody) atEnd() bool { return b == nil || b.ended.Load() }

// StopReading implements pipeline.Stopper: a Read under way fails soon, and later ones at once.
func (b *requestBody) StopReading() {
	if b.ended.Load() {
		return
	}
	b.stopped.Store(true)
	b.conn.wake()
}

// stop lets go of exchange and buffer. Whoever still reads is woken up first: the connection is of no use any more, since it isn't known
// where in the body he is.
func (b *requestBody) stop() {
	if b == nil {
		return
	}
	if !b.mu.TryLock() {
		b.conn.wake()
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	b.into, b.from = nil, nil
}
