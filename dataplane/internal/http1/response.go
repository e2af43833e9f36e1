package http1

import "github.com/sallyport/sallyport/dataplane/internal/pipeline"

// Response is the head of an answer, but for its fields.
type Response struct {
	Head

	// Status, 100 to 599.
	Status int
}

// Parse reads a head as ReadHead returns it; fields are added to the header. The strings share the head's memory. toHead tells that
// the request was one of HEAD, whose answers have no body. What the answer and the header hold after an error is of no use.
func (r *Response) Parse(head []byte, toHead bool, limits *Limits, into *pipeline.Header) *Error {
	*r = Response{}
	line, rest, err := cutLine(head, limits)
	if err != nil {
		return err
	}
	if err := r.statusLine(line); err != nil {
		return err
	}
	if err := r.fields(rest, limits.Fields, into); err != nil {
		return err
	}
	if err := r.settle(); err != nil {
		return err
	}
	return r.settleBody(toHead)
}

// statusLine reads "HTTP/1.1 200 OK" (RFC 9112, section 4); the space before an absent reason may be missing, as it often is.
func (r *Response) statusLine(line []byte) *Error {
	const beforeStatus, afterStatus = len("HTTP/1.1 "), len("HTTP/1.1 200")
	if len(line) < afterStatus || line[beforeStatus-1] != ' ' {
		return ErrStartLine
	}
	minor, ok := version(line[:beforeStatus-1])
	if !ok {
		return wrongVersion(line[:beforeStatus-1])
	}
	for _, c := range line[beforeStatus:afterStatus] {
		if classes[c]&isDigit == 0 {
			return ErrStatus
		}
		r.Status = 10*r.Status + int(c-'0')
	}
	if r.Status < 100 || r.Status > 599 {
		return ErrStatus
	}
	reason := line[afterStatus:]
	if len(reason) > 0 && (reason[0] != ' ' || valueSpan(reason) < len(reason)) {
		return ErrStartLine
	}
	r.Minor = minor
	return nil
}

// settleBody tells where the body of an answer ends. ContentLength of an answer to HEAD, and of a 304, stays what it would be (RFC 9110,
// section 8.6); -1 where it isn't said.
func (r *Response) settleBody(toHead bool) *Error {
	states := r.Framing != None
	switch {
	case r.Status < 200:
		if states {
			return ErrInterimBody
		}
	case r.Status == 204:
		// No body may come (RFC 9112, section 6.3). One does, from a service that states it: it must not be taken for the next answer.
		r.Framing, r.ContentLength, r.Close = None, 0, r.Close || states
	case toHead || r.Status == 304:
		r.Framing = None
		if !r.noted.hasLength {
			r.ContentLength = -1
		}
	case !states && !r.noted.hasLength:
		r.Framing, r.ContentLength, r.Close = UntilClose, -1, true
	}
	return nil
}
