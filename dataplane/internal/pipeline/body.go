package pipeline

import "io"

// LimitBody sees to it that the upstream gets no more than so many bytes of the request's body. What states a greater length must be refused by the
// stage; a body of unknown length is counted as it streams, and what is beyond breaks it off with the refusal, by which the request to the upstream
// ends too. A refusal outlives the exchange: it must be the stage's own, and name its policy. Several limits all hold.
//
// The body of a stated length isn't touched: HTTP itself ends it there.
func (ex *Exchange) LimitBody(most int64, refusal *Rejection) {
	if ex.Request.ContentLength >= 0 || ex.inShadow {
		return
	}
	// Not in the exchange's own memory: a transport may read on while that serves another request already.
	ex.Request.Body = &limitedBody{body: ex.Request.Body, left: most, refusal: refusal}
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
