package listener

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

// errReleased is what is read of a body whose request has ended.
var errReleased = errors.New("the request has ended")

// requestBody hands over what the client sends, counts it, and adds the trailers at its end. A transport may go on reading on a
// goroutine of its own while the answer is written, and even after that, when the exchange belongs to another request:
// after release nothing is read, and nothing touches the exchange.
type requestBody struct {
	request  *http.Request
	control  *http.ResponseController
	patience time.Duration // with a client that is silent in the middle

	mu      sync.Mutex
	into    *pipeline.Request // nil: released
	ended   bool
	stopped bool
}

func newRequestBody(w http.ResponseWriter, r *http.Request, into *pipeline.Request, patience time.Duration) *requestBody {
	return &requestBody{
		request: r, control: http.NewResponseController(w), patience: patience,
		into: into, ended: r.ContentLength == 0,
	}
}

// Read implements io.Reader. Its errors but for io.EOF are rejections: they are the client's fault.
func (b *requestBody) Read(p []byte) (int, error) {
	if !b.expect() {
		return 0, errReleased
	}
	n, err := b.request.Body.Read(p)
	b.note(n, err)
	return n, clientsFault(err)
}

// expect bounds how long the next bytes may take; false: nobody waits for them any more.
func (b *requestBody) expect() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.into == nil || b.stopped {
		return false
	}
	if !b.ended {
		b.deadline(time.Now().Add(b.patience))
	}
	return true
}

func (b *requestBody) note(n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.into == nil {
		return
	}
	b.into.BodyBytes += int64(n)
	if !errors.Is(err, io.EOF) || b.ended {
		return
	}
	b.ended = true
	b.deadline(time.Time{}) // from here on net/http waits for the client to go away, which may take its time
	for name, values := range b.request.Trailer {
		for _, value := range values {
			b.into.Trailer.Add(name, value)
		}
	}
}

// StopReading implements pipeline.Stopper.
func (b *requestBody) StopReading() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.stopped = true
	b.deadline(time.Unix(1, 0))
}

// atEnd tells whether the whole body has been read.
func (b *requestBody) atEnd() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

// release lets go of the exchange. What the client still sends is waited for by net/http, but not for long.
func (b *requestBody) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.into = nil
	if !b.ended {
		b.deadline(time.Now().Add(min(b.patience, lingerTimeout)))
	}
}

// Cut implements streams.Wire. Reads and writes under way fail; the stall's own deadline of a later write takes the place of this one.
func (b *requestBody) Cut() {
	past := time.Unix(1, 0)
	b.deadline(past)
	_ = b.control.SetWriteDeadline(past) // of a closed connection there is nothing to cut
}

// deadline fails on closed connections alone, of which the next read tells.
func (b *requestBody) deadline(at time.Time) { _ = b.control.SetReadDeadline(at) }

// clientsFault says why a body can't be read.
func clientsFault(err error) error {
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &pipeline.Rejection{Code: problem.RequestTimeout, Reason: "the client fell silent in the middle of the body"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &pipeline.Rejection{Code: problem.ClientGone, Reason: "the client left in the middle of the body"}
	}
	return &pipeline.Rejection{Code: problem.BadRequest, Detail: "The request body is malformed.", Reason: "read the body: " + err.Error()}
}
