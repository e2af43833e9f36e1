package pipeline

import (
	"io"

	"github.com/sallyport/sallyport/proto/problem"
)

// Fronted is a body whose beginning may be in memory already, so that it can be sent together with the head. Its length is known.
type Fronted interface {
	io.Reader
	// Front returns what is there, valid until the next Read; none: nothing is.
	Front() []byte
	// Discard takes n bytes of Front as read.
	Discard(n int)
}

// Prompt is a body of unknown length that tells whether its next Read has something to hand over without waiting. Of one that doesn't tell the head is
// sent first: a client may wait for that alone.
type Prompt interface {
	io.Reader
	Prompt() bool
}

// Tunnel is the service's side of a connection that isn't HTTP any more. Reads and writes may go on at the same time.
type Tunnel interface {
	io.ReadWriteCloser
	Cutter
	// CloseWrite tells the service that nothing more comes.
	CloseWrite() error
}

// LimitBody sees to it that the upstream gets no more than so many bytes of the request's body. What states a greater length must be refused by the
// stage; a body of unknown length is counted as it streams, and what is beyond breaks it off with the refusal, by which the request to the upstream
// ends too. A refusal outlives the exchange: it must be the stage's own, and name its policy. Several limits all hold.
//
// The body of a stated length isn't touched: HTTP itself ends it there. In shadow none is: of the strictest bound it is noted at the
// end whether it held (Settle).
func (ex *Exchange) LimitBody(most int64, refusal *Rejection) {
	if ex.Request.ContentLength >= 0 {
		return
	}
	if ex.inShadow {
		if !ex.watch.set || most < ex.watch.most {
			ex.watch = watch{set: true, most: most, code: refusal.Code}
		}
		return
	}
	// Not in the exchange's own memory: a transport may read on while that serves another request already.
	limited := func(body io.Reader, left int64) io.Reader {
		return &limitedBody{body: body, left: left, refusal: refusal}
	}
	if ex.body == nil {
		ex.Request.Body = limited(ex.Request.Body, most)
		return
	}
	ex.body.Limit(most, limited, refusal) // of what was read already nothing more may be handed on either
	ex.Request.Body = ex.body.Forward()
}

// watch is the strictest bound that stages in shadow set on a body of unknown length.
type watch struct {
	set      bool
	most     int64
	code     problem.Code
	metrics  *Metrics // nil: not known yet whose it is
	counters int
}

// Settle brings in the verdict of a stage in shadow on a body of unknown length, once nothing more is read of it.
func (ex *Exchange) Settle() {
	w := &ex.watch
	if w.metrics == nil || ex.Request.BodyBytes <= w.most {
		return
	}
	w.metrics.refused(ex, w.counters, w.code)
	if ex.ShadowVerdict == "" {
		ex.ShadowVerdict = w.code
	}
}

// CutOff counts the refusal of a body that a stage has limited, once the request has failed by it: the stage had let its head pass.
func (s *Stages) CutOff(ex *Exchange) {
	if ex.Rejection == nil || ex.Rejection.PolicyID.IsZero() {
		return
	}
	for i := range s.list {
		if st := &s.list[i]; st.policy.ID == ex.Rejection.PolicyID {
			s.runner.Metrics.refused(ex, st.counters, ex.Rejection.Code)
			return
		}
	}
}

// limitedBody is a body that refuses to be longer than it may be.
type limitedBody struct {
	body    io.Reader
	left    int64
	refusal *Rejection
	over    bool
}

// Read implements io.Reader. It hands out what may pass, and only then asks for one byte more, to know whether there is any.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.over {
		return 0, b.refusal
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.left == 0 {
		return b.end()
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.body.Read(p)
	b.left -= int64(n)
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}

// end finds out whether a body that has all that it may have is at its end.
func (b *limitedBody) end() (int, error) {
	var beyond [1]byte
	for {
		n, err := b.body.Read(beyond[:])
		if n > 0 {
			b.over = true
			return 0, b.refusal
		}
		if err != nil {
			return 0, err //nolint:wrapcheck // io.EOF must stay what it is
		}
	}
}
