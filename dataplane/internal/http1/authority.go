package http1

import (
	"net/netip"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// absolute takes a target in absolute form apart (RFC 9112, section 3.2.2). It must name the host that Host does.
func (r *Request) absolute() *Error {
	scheme, rest, ok := strings.Cut(r.Target, "://")
	if !ok || !pipeline.EqualFold(scheme, "http") && !pipeline.EqualFold(scheme, "https") {
		return ErrTarget
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host := rest[:end]
	authority, ok := Authority(host)
	if !ok {
		return ErrTarget
	}
	if r.noted.hosts == 1 && !pipeline.EqualFold(host, r.Host) {
		return ErrHostDisagrees
	}
	r.Host, r.Authority = host, authority
	switch rest = rest[end:]; {
	case rest == "":
		r.Target = "/"
	case rest[0] == '/':
		r.Target = rest
	default:
		r.Target = "/" + rest // "?query"
	}
	return nil
}

// Authority returns the host of a Host field in lower case, without port, brackets and trailing dot. It takes names and addresses, but
// neither user nor escapes nor what stands between labels of a name otherwise.
func Authority(host string) (string, bool) {
	if host != "" && host[0] == '[' {
		end := strings.IndexByte(host, ']')
		if end < 0 || !isPort(host[end+1:]) {
			return "", false
		}
		address, err := netip.ParseAddr(host[1:end])
		if err != nil || !address.Is6() || address.Zone() != "" {
			return "", false
		}
		return address.String(), true
	}
	name, port := host, ""
	if colon := strings.IndexByte(host, ':'); colon >= 0 {
		name, port = host[:colon], host[colon:]
	}
	// A trailing dot names the same host (RFC 1034, section 3.1): one host, one spelling.
	name = strings.TrimSuffix(name, ".")
	if !isHostName(name) || !isPort(port) {
		return "", false
	}
	return strings.ToLower(name), true
}

// isHostName takes labels of letters, digits, "-" and "_", none of them empty.
func isHostName(name string) bool {
	const longest = 253 // RFC 1035, section 2.3.4, as text
	if name == "" || len(name) > longest {
		return false
	}
	before := byte('.')
	for i := range len(name) {
		c := name[i]
		switch {
		case classes[c]&(isAlpha|isDigit) != 0, c == '-', c == '_':
		case c == '.' && before != '.':
		default:
			return false
		}
		before = c
	}
	return before != '.'
}

// isPort takes "", ":" and ":0" to ":65535" (RFC 3986, section 3.2.3).
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
