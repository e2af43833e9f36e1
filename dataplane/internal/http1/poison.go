//go:build !race

package http1

// poison does nothing: see poison_race.go.
func (r *Reader) poison() {}
