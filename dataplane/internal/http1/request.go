package http1

import (
	"bytes"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// connect is the method whose target is an authority (RFC 9112, section 3.2.3).
const connect = "CONNECT"

// Request is the head of a request, but for its fields.
type Request struct {
	Head

	// Method as sent.
	Method string
	// Target is path and query, as sent; of an absolute-form target what follows the authority. "*" and the authority form of CONNECT
	// are kept as they are: whoever takes neither refuses them by it.
	Target string
	// Host is the Host field as sent; "" in HTTP/1.0 only.
	Host string
	// Authority is the host that Host names: lower case, without port, brackets and trailing dot.
	Authority string
	// Expects tells that the client waits for 100 Continue before it sends the body.
	Expects bool
}

// Parse reads a head as ReadHead returns it; fields are added to the header. The strings share the head's memory. What the request and the
// header hold after an error is of no use.
func (r *Request) Parse(head []byte, limits *Limits, into *pipeline.Header) *Error {
	*r = Request{}
	// An empty line before the request is forgiven: old clients send one behind a body (RFC 9112, section 2.2).
	line, rest, err := cutLine(bytes.TrimPrefix(head, []byte("\r\n")), limits)
	if err != nil {
		return err
	}
	if err := r.startLine(line); err != nil {
		return err
	}
	if err := r.fields(rest, limits.Fields, into); err != nil {
		return err
	}
	if err := r.settle(); err != nil {
		return err
	}
	if err := r.settleExpect(); err != nil {
		return err
	}
	if err := r.settleUpgrade(); err != nil {
		return err
	}
	return r.settleHost()
}

// startLine reads "GET /path HTTP/1.1": single spaces, nothing else (RFC 9112, section 3).
func (r *Request) startLine(line []byte) *Error {
	method := span(line, isToken)
	if method == len(line) {
		return ErrStartLine
	}
	if method == 0 || line[method] != ' ' {
		return ErrMethod
	}
	rest := line[method+1:]
	target := span(rest, inTarget)
	if target == len(rest) {
		return ErrStartLine // HTTP/0.9 among others
	}
	if target == 0 || rest[target] != ' ' {
		return ErrTarget
	}
	minor, ok := version(rest[target+1:])
	if !ok {
		return wrongVersion(rest[target+1:])
	}
	r.Minor, r.Method, r.Target = minor, text(line[:method]), text(rest[:target])
	return nil
}

// settleExpect judges Expect (RFC 9110, section 10.1.1). Of an HTTP/1.0 client it is to be ignored.
func (r *Request) settleExpect() *Error {
	n := &r.noted
	if n.odd || n.expects > 1 {
		return ErrExpect
	}
	r.Expects = n.expects == 1 && r.Minor == 1 && r.Framing != None
	return nil
}

// settleUpgrade judges Upgrade (RFC 9110, section 7.8). One to h2c is refused whether Connection names it or not: behind a service that takes it
// nobody would look at requests any more.
func (r *Request) settleUpgrade() *Error {
	n := &r.noted
	if n.upgrades == 0 {
		return nil
	}
	if n.upgrades > 1 {
		return ErrUpgrade
	}
	first, rest, more := cutList(n.upgrade)
	for protocol := first; ; protocol, rest, more = cutList(rest) {
		if pipeline.EqualFold(protocol, "h2c") {
			return ErrUpgradeH2C
		}
		if !more {
			break
		}
	}
	if r.Upgrade != "" {
		r.Upgrade = first
	}
	return nil
}

// settleHost judges Host (RFC 9112, section 3.2), and takes the authority off a target in absolute form.
func (r *Request) settleHost() *Error {
	n := &r.noted
	if n.hosts > 1 || n.hosts == 0 && r.Minor == 1 {
		return ErrHost
	}
	r.Host = n.host
	if n.hosts == 1 {
		authority, ok := Authority(n.host)
		if !ok {
			return ErrHost
		}
		r.Authority = authority
	}
	if r.Target[0] == '/' || r.Target == "*" || r.Method == connect {
		return nil
	}
	return r.absolute()
}
