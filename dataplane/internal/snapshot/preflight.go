package snapshot

import (
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/router"
)

// match finds the rule of a request, whose parameters it appends to params. A CORS preflight (Fetch standard, section 3.3.2) asks about a request that comes after it: it finds
// the rule of that one's method, if a policy of its route answers preflights; otherwise it is the OPTIONS that it looks like. Every other request costs a look at its method.
// by is the method that counted.
func (s *Snapshot) match(ex *pipeline.Exchange, params []string) (m router.Match, by string) {
	sent := ex.Request.Method
	if announced := ex.Preflight(); announced != "" {
		ex.Request.Method = announced
		m := s.table.Match(&ex.Request, params)
		ex.Request.Method = sent
		if m.Found && s.slots[m.Slot].Preflights {
			return m, announced
		}
	}
	return s.table.Match(&ex.Request, params), sent
}
