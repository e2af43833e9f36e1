package pipeline

import "strings"

const (
	connectionField = "Connection"
	teField         = "Te"
	ofProxies       = "X-Forwarded-"
)

// DropConnection takes out Connection, and the fields that it names as those of one connection alone (RFC 9110, section 7.6.1). Of a request
// a listener does so before anybody looks at it: else a client could show a field to a policy that its service never gets, or name
// one that a policy writes, and have it taken out behind it.
//
// TE stays, although Connection must name it: it says whether trailers are welcome. So does what proxies say of the client, by
// which its address is known; no client's word of it goes further.
func (h *Header) DropConnection() {
	if !h.Has(connectionField) {
		return
	}
	var room [8]string
	named := h.connectionOptions(room[:0])
	kept := h.fields[:0]
	for _, f := range h.fields {
		if !EqualFold(f.Name, connectionField) && !isNamed(f.Name, named) {
			kept = append(kept, f)
		}
	}
	clear(h.fields[len(kept):])
	h.fields = kept
}

// isNamed tells whether a field is one of those that Connection lists.
func isNamed(name string, named []string) bool {
	for _, option := range named {
		if EqualFold(name, option) {
			return !EqualFold(option, teField) && !isOfProxies(option)
		}
	}
	return false
}

func isOfProxies(name string) bool {
	return len(name) >= len(ofProxies) && EqualFold(name[:len(ofProxies)], ofProxies)
}

// connectionOptions adds what Connection lists.
func (h *Header) connectionOptions(named []string) []string {
	for _, f := range h.Fields() {
		if !EqualFold(f.Name, connectionField) {
			continue
		}
		for option := range strings.SplitSeq(f.Value, ",") {
			named = append(named, strings.Trim(option, " \t"))
		}
	}
	return named
}
