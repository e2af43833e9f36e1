package pipeline

import (
	"net/textproto"
	"strings"
)

// CopyTo adds the fields to m by their canonical names, names and values in memory of their own. Both may lie in the exchange's
// memory, which another request writes to once this one is finished, while a transport may write the map even later than that, and
// the encoder of an HTTP/2 connection keeps names for as long as the connection lasts.
func (h *Header) CopyTo(m map[string][]string) {
	total := 0
	for i := range h.fields {
		total += len(h.fields[i].Name) + len(h.fields[i].Value)
	}
	var text strings.Builder
	text.Grow(total)
	for i := range h.fields {
		text.WriteString(h.fields[i].Name)
		text.WriteString(h.fields[i].Value)
	}
	rest := text.String()
	values := make([]string, len(h.fields))
	for i := range h.fields {
		name := rest[:len(h.fields[i].Name)]
		rest = rest[len(name):]
		length := len(h.fields[i].Value)
		values[i], rest = rest[:length], rest[length:]
		name = textproto.CanonicalMIMEHeaderKey(name) // which returns its argument when that is canonical
		if several := m[name]; several != nil {
			m[name] = append(several, values[i])
			continue
		}
		m[name] = values[i : i+1 : i+1]
	}
}
