package pipeline

import (
	"net/textproto"
	"strings"
)

// CopyTo adds the fields to m by their canonical names, values in memory of their own. A value may lie in the exchange's
// memory, which another request writes to once this one is finished, while a transport may write the map even later than that.
func (h *Header) CopyTo(m map[string][]string) {
	total := 0
	for i := range h.fields {
		total += len(h.fields[i].Value)
	}
	var text strings.Builder
	text.Grow(total)
	for i := range h.fields {
		text.WriteString(h.fields[i].Value)
	}
	rest := text.String()
	values := make([]string, len(h.fields))
	for i := range h.fields {
		length := len(h.fields[i].Value)
		values[i], rest = rest[:length], rest[length:]
		name := textproto.CanonicalMIMEHeaderKey(h.fields[i].Name)
		if several := m[name]; several != nil {
			m[name] = append(several, values[i])
			continue
		}
		m[name] = values[i : i+1 : i+1]
	}
}
