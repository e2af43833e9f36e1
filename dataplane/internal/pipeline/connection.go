package pipeline

import "strings"

const (
	connectionField = "Connection"
	teField         = "Te"
)

// DropConnection takes out Connection, and the fields that it names as those of one connection alone (RFC 9110, section 7.6.1). Whoever writes
// fields into what goes on calls it first: else whoever sent the message could name a field that is written, and have it taken out
// again. TE stays, although Connection must name it: it says whether trailers are welcome.
func (h *Header) DropConnection() {
	if !h.Has(connectionField) {
		return
	}
	named := h.connectionOptions()
	h.DeleteFunc(func(f Field) bool {
		if EqualFold(f.Name, connectionField) {
			return true
		}
		for _, option := range named {
			if EqualFold(f.Name, option) {
				return !EqualFold(option, teField)
			}
		}
		return false
	})
}

// connectionOptions returns what Connection lists.
func (h *Header) connectionOptions() (named []string) {
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
