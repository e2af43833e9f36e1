package router

import (
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// headerHolds tells whether a condition holds: if any field of the name fits, or, for Absent, if there is none.
func headerHolds(h *pipeline.Header, c *Condition) bool {
	fields := h.Fields()
	for i := range fields {
		if !pipeline.EqualFold(fields[i].Name, c.Name) {
			continue
		}
		value := fields[i].Value
		switch {
		case c.By == Absent:
			return false
		case c.By == Present,
			c.By == Exact && value == c.Value,
			c.By == Prefix && strings.HasPrefix(value, c.Value):
			return true
		}
	}
	return c.By == Absent
}

// queryHolds does the same for query parameters, whose names and values are compared decoded.
func queryHolds(query string, c *Condition) bool {
	for more := query != ""; more; {
		var name, value string
		name, value, query, more = pipeline.NextPair(query)
		if !pipeline.DecodedEqual(name, c.Name) {
			continue
		}
		switch {
		case c.By == Absent:
			return false
		case c.By == Present,
			c.By == Exact && pipeline.DecodedEqual(value, c.Value),
			c.By == Prefix && pipeline.DecodedHasPrefix(value, c.Value):
			return true
		}
	}
	return c.By == Absent
}
