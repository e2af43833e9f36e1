package usage

import "runtime"

// breath is after how many counters whoever keeps usage lets requests go first.
const breath = 64

// pace counts steps of work that no request waits for. On a node with one processor all requests would wait for the end of it: an
// exchange every few microseconds, and tens of milliseconds for a hundred thousand counters.
type pace int

// step lets requests go first every so often.
func (p *pace) step() {
	if *p++; *p%breath == 0 {
		runtime.Gosched()
	}
}
