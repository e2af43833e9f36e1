package upstream

import (
	"errors"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
	"github.com/sallyport/sallyport/proto/problem"
)

// upload sends what is still to come of a request's body, on a goroutine of its own, while the exchange's reads the answer. It begins
// in send, and has ended when finish has returned.
type upload struct {
	done     chan struct{} // nil: there is none
	timer    sweeper.Timer // its own: the connection's belongs to the other goroutine
	stopping atomic.Bool
	ending   atomic.Bool // nothing is left to be read of the body
	ended    atomic.Bool // all was sent
	answered atomic.Bool // the answer's head has come
	reading  atomic.Bool // the other goroutine waits for the target
	patience time.Duration
	fault    error // of the client; there once done is closed
}

const (
	stallTimeout = 60 * time.Second // that a target may take nothing
	lastMoment   = 100 * time.Millisecond
)

func (c *conn) startUpload() {
	u := &c.upload
	u.stopping.Store(false)
	u.ending.Store(false)
	u.ended.Store(false)
	u.answered.Store(false)
	u.reading.Store(true)
	u.fault, u.patience = nil, c.responseHead
	c.out.taken(&c.ex.Request) // what front holds was sent
	u.done = make(chan struct{})
	c.target.registry.cfg.Sweeper.Add(&u.timer, c.expireUpload)
	c.give(0, lateHead) // the target's time begins when it has all
	go c.uploadBody(c.ex.Request.Body, c.out.left)
}

// expireUpload is called when the target has taken nothing for long, or has all for long, is waited for, and says nothing.
func (c *conn) expireUpload() {
	u := &c.upload
	what := lateWrite
	switch {
	case !u.ended.Load():
	case !u.reading.Load():
		u.timer.Set(stallTimeout)
		return
	case u.answered.Load():
		what = lateBody
	default:
		what = lateHead
	}
	c.late.CompareAndSwap(0, what)
	c.Cut()
}

func (c *conn) uploadBody(body io.Reader, left int64) {
	u := &c.upload
	defer close(u.done)
	b := getBuffer()
	defer bufferPool.Put(b)
	var err error
	if left < 0 {
		err = c.uploadChunks(body, b)
	} else {
		err = c.uploadLength(body, b, left)
	}
	if err == nil {
		u.ended.Store(true)
		if u.answered.Load() {
			u.timer.Set(stallTimeout)
		} else {
			u.timer.Set(u.patience)
		}
		return
	}
	var rejection *pipeline.Rejection
	if !u.stopping.Load() && errors.As(err, &rejection) {
		u.fault = rejection
		c.Cut() // there is no answer to half a request
	}
}

// uploadLength sends a body of known length.
func (c *conn) uploadLength(body io.Reader, b *buffer, left int64) error {
	for left > 0 {
		n, err := body.Read(b[:min(int64(len(b)), left)])
		if left -= int64(n); left == 0 {
			c.upload.ending.Store(true)
		} else if err != nil {
			return bodyFailed(err)
		}
		if err := c.write(b[:n]); err != nil {
			return err
		}
	}
	return nil
}

// Room around the data of a chunk.
const (
	chunkBefore = 8 // "ffff\r\n" and more
	chunkAfter  = 2
)

// uploadChunks sends a body of unknown length: each piece at once, since somebody may wait for it.
func (c *conn) uploadChunks(body io.Reader, b *buffer) error {
	for {
		n, err := body.Read(b[chunkBefore : len(b)-chunkAfter])
		if err != nil && !errors.Is(err, io.EOF) {
			return bodyFailed(err)
		}
		var piece []byte
		if n > 0 {
			piece = chunk(b, n)
		}
		if err != nil {
			c.upload.ending.Store(true)
			return c.write(http1.AppendLastChunk(piece, &c.ex.Request.Trailer, nil))
		}
		if err := c.write(piece); err != nil {
			return err
		}
	}
}

// chunk puts what makes a chunk of it around n bytes of data.
func chunk(b *buffer, n int) []byte {
	var size [chunkBefore]byte
	before := append(strconv.AppendUint(size[:0], uint64(n), 16), http1.ChunkEnd...)
	begin := chunkBefore - len(before)
	copy(b[begin:], before)
	return append(b[begin:chunkBefore+n], http1.ChunkEnd...)
}

// write bounds how long the target may take nothing.
func (c *conn) write(piece []byte) error {
	if len(piece) == 0 {
		return nil
	}
	c.upload.timer.Set(stallTimeout)
	_, err := c.wire.Write(piece)
	c.upload.timer.Stop()
	return err //nolint:wrapcheck // net's own words
}

// uploading tells whether there is an upload whose end isn't known yet; its timer is the one that counts. It notices the end.
func (c *conn) uploading() bool {
	if c.upload.done == nil {
		return false
	}
	select {
	case <-c.upload.done:
		c.upload.timer.Stop()
		return false
	default:
		return true
	}
}

// finishUpload ends the upload and waits for it. whole tells that all was sent, and that the connection is as good as before.
func (c *conn) finishUpload() (whole bool, fault error) {
	u := &c.upload
	if u.done == nil {
		return c.out.left == 0, nil
	}
	select {
	case <-u.done:
		whole = u.ended.Load()
	default:
		whole = c.stopUpload()
	}
	c.target.registry.cfg.Sweeper.Remove(&u.timer)
	u.done = nil
	return whole, u.fault
}

// stopUpload ends an upload that is under way. A target that has answered has mostly got all: what writes the last piece is about to end.
func (c *conn) stopUpload() (whole bool) {
	u := &c.upload
	if u.ending.Load() {
		_ = c.socket.SetWriteDeadline(time.Now().Add(lastMoment))
		<-u.done
		return u.ended.Load() && c.socket.SetWriteDeadline(time.Time{}) == nil && c.late.Load() == 0
	}
	u.stopping.Store(true)
	_ = c.socket.SetWriteDeadline(past)
	if s, ok := c.ex.Request.Body.(pipeline.Stopper); ok {
		s.StopReading()
	}
	<-u.done
	return false
}

// bodyFailed makes what a client's body failed by a rejection; the listener and stages have one already.
func bodyFailed(err error) error {
	var rejection *pipeline.Rejection
	if errors.As(err, &rejection) {
		return rejection
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &pipeline.Rejection{Code: problem.ClientGone, Reason: "read the body: " + err.Error()}
}
