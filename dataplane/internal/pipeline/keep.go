package pipeline

import "io"

// kept is what a stage keeps of an exchange.
type kept struct {
	by   Stage
	what io.Closer
}

// Keep keeps something of an exchange for a stage's Response, which takes it by Kept. What nobody took is closed when the exchange ends: a request may
// be refused, or its client leave, before there is a Response.
func (ex *Exchange) Keep(by Stage, what io.Closer) {
	ex.kept = append(ex.kept, kept{by, what})
}

// Kept hands over what a stage has kept, to be closed by who asks; nil: nothing.
func (ex *Exchange) Kept(by Stage) io.Closer {
	for i := range ex.kept {
		if k := &ex.kept[i]; k.by == by {
			what := k.what
			*k = kept{}
			return what
		}
	}
	return nil
}

// releaseKept closes what nobody took.
func (ex *Exchange) releaseKept() {
	for i := range ex.kept {
		if what := ex.kept[i].what; what != nil {
			_ = what.Close() // there is nobody to tell
		}
	}
	clear(ex.kept)
	ex.kept = ex.kept[:0]
}
