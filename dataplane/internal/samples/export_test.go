package samples

import "github.com/sallyport/sallyport/proto/id"

// Sealed returns what lies in memory of a route's samples once keep has run.
func Sealed(r *Ring, keep func(), route id.ID) [][]byte {
	keep()
	r.guarded.Lock()
	defer r.guarded.Unlock()
	var all [][]byte
	for _, e := range r.passed.routes[route].entries {
		all = append(all, e.sealed)
	}
	return all
}

// Parse reads a sample's bytes.
func Parse(b []byte) (Sample, error) { return parse(b) }

// Append returns a sample's bytes.
func Append(s *Sample) []byte { return s.append(nil) }
