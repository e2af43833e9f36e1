package http1

import (
	"bytes"
	"net/netip"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

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

// Parse reads a head as ReadHead returns it; fields are added to the header. The strings share the head's memory.
func (r *Request) Parse(head []byte, limits *Limits, into *pipeline.Header) *Error {
	*r = Request{}
	end := bytes.IndexByte(head, '\n')
	if end < 1 || head[end-1] != '\r' {
		return ErrBareLF
	}
	if end > limits.StartLine {
		return ErrTargetLong
	}
	if err := r.startLine(head[:end-1]); err != nil {
		return err
	}
	if err := r.fields(head[end+1:], limits.Fields, into); err != nil {
		return err
	}
	if err := r.settle(); err != nil {
		return err
	}
	r.Expects = r.noted.expects && r.Minor == 1 && r.Framing != None
	return r.settleHost()
}

// startLine reads "GET /path HTTP/1.1": single spaces, nothing else (RFC 9112, section 3).
func (r *Request) startLine(line []byte) *Error {
	first := bytes.IndexByte(line, ' ')
	last := bytes.LastIndexByte(line, ' ')
	if first < 0 || first == last {
		return ErrStartLine // HTTP/0.9 among others
	}
	method, target := line[:first], line[first+1:last]
	minor, ok := version(line[last+1:])
	if !ok {
		return wrongVersion(line[last+1:])
	}
	if first == 0 || !allOf(method, isToken) {
		return ErrMethod
	}
	if len(target) == 0 || !allOf(target, inTarget) {
		return ErrTarget
	}
	r.Minor, r.Method, r.Target = minor, text(method), text(target)
	return nil
}

// wrongVersion tells a version that isn't spoken from what is no version.
func wrongVersion(b []byte) *Error {
	if len(b) == len("HTTP/1.1") && string(b[:5]) == "HTTP/" && classes[b[5]]&isDigit != 0 && b[6] == '.' && classes[b[7]]&isDigit != 0 {
		return ErrVersion
	}
	return ErrStartLine
}

// settleHost judges Host, and takes the authority off a target in absolute form.
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
	if r.Target[0] == '/' || r.Target == "*" || r.Method == "CONNECT" {
		return nil
	}
	return r.absolute()
}

// absolute takes a target in absolute form apart (RFC 9112, section 3.2.2). It must name the host that Host does.
func (r *Request) absolute() *Error {
	scheme, rest, ok := strings.Cut(r.Target, "://")
	if !ok || !pipeline.EqualFold(scheme, "http") && !pipeline.EqualFold(scheme, "https") {
		return ErrTarget
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host := rest[:end]
	if host == "" {
		return ErrTarget
	}
	if r.noted.hosts == 1 && !pipeline.EqualFold(host, r.Host) {
		return ErrHostDisagrees
	}
	authority, ok := Authority(host)
	if !ok {
		return ErrTarget
	}
	r.Host, r.Authority = host, authority
	switch rest = rest[end:]; {
	case rest == "":
		r.Target = "/"
	case rest[0] == '/':
		r.Target = rest
	case rest[0] == '?':
		r.Target = "/" + rest
	default:
		return ErrTarget
	}
	return nil
}

// Authority returns the host of a Host field in lower case, without port, brackets and trailing dot.
func Authority(host string) (string, bool) {
	if host != "" && host[0] == '[' {
		end := strings.IndexByte(host, ']')
		if end < 0 || !isPort(host[end+1:]) {
			return "", false
		}
		address, err := netip.ParseAddr(host[1:end])
		return address.String(), err == nil && address.Is6() && address.Zone() == ""
	}
	name, port := host, ""
	if colon := strings.IndexByte(host, ':'); colon >= 0 {
		name, port = host[:colon], host[colon:]
	}
	const longest = 253 // RFC 1035, section 2.3.4, as text
	if name == "" || name == "." || len(name) > longest || !isPort(port) {
		return "", false
	}
	for i := range len(name) {
		if c := name[i]; c != '-' && c != '.' && c != '_' && !isAlphanumeric(c) {
			return "", false
		}
	}
	// A trailing dot names the same host (RFC 1034, section 3.1): one host, one spelling.
	return strings.ToLower(strings.TrimSuffix(name, ".")), true
}

func isAlphanumeric(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || classes[c]&isDigit != 0
}

// isPort takes "", ":" and ":1" to ":65535" (RFC 3986, section 3.2.3).
func isPort(port string) bool {
	if port == "" {
		return true
	}
	const most, digits = 65535, 5
	if port[0] != ':' || len(port) > 1+digits {
		return false
	}
	n := 0
	for i := 1; i < len(port); i++ {
		if classes[port[i]]&isDigit == 0 {
			return false
		}
		n = 10*n + int(port[i]-'0')
	}
	return n <= most
}
