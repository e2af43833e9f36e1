//go:build race

package http1

// poison overwrites what was lent, so that tests, which run with the race detector, see whoever keeps a string beyond its exchange.
func (r *Reader) poison() {
	for _, lent := range [][]byte{r.buf[:r.lent], r.outgrown} {
		for i := range lent {
			lent[i] = 0xdb
		}
	}
}
