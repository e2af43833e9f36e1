package pipeline

import (
	"iter"
	"math/bits"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/sallyport/sallyport/proto/problem"
)

// Passed is the verdict of a stage that has nothing against the request.
const Passed problem.Code = "passed"

// maxStripes bounds the memory of Metrics: beyond it, exchanges share stripes.
const maxStripes = 64

// Series names one counter of verdicts.
type Series struct {
	// Kind of the policies whose verdicts are counted.
	Kind string
	// Mode is Shadow or Enforce.
	Mode Mode
	// Verdict is Passed, Replied, PassedOver or the code of a rejection.
	Verdict problem.Code
}

// Metrics counts the verdicts of stages by kind, mode and verdict. Counters are laid out once; a stage knows where its
// own begin, and an exchange which stripe of them is its: counting is one atomic add on memory that practically no other
// processor writes.
type Metrics struct {
	kinds    []string
	verdicts []problem.Code // [0] is Passed, [1] is Replied, [2] is PassedOver, the last one stands for codes that nobody defined
	mask     uint32
	stripes  [][]atomic.Uint64
}

// NewMetrics returns the counters of these kinds, all zero.
func NewMetrics(bindings []Binding) *Metrics {
	m := &Metrics{verdicts: []problem.Code{Passed, Replied, PassedOver}}
	for _, b := range bindings {
		m.kinds = append(m.kinds, b.Kind.Name)
	}
	for _, d := range problem.Definitions() {
		m.verdicts = append(m.verdicts, d.Code)
	}
	n := stripeCount(runtime.GOMAXPROCS(0))
	m.mask = uint32(n - 1)
	for range n {
		m.stripes = append(m.stripes, make([]atomic.Uint64, len(m.kinds)*2*len(m.verdicts)))
	}
	return m
}

// All yields every counter that isn't zero, and those of Passed in any case.
func (m *Metrics) All() iter.Seq2[Series, uint64] {
	return func(yield func(Series, uint64) bool) {
		for k, kind := range m.kinds {
			for _, mode := range [...]Mode{Shadow, Enforce} {
				for v, verdict := range m.verdicts {
					n := m.sum(m.base(k, mode) + v)
					if (n > 0 || v == 0) && !yield(Series{Kind: kind, Mode: mode, Verdict: verdict}, n) {
						return
					}
				}
			}
		}
	}
}

// baseOf returns where the counters of a kind in a mode begin; -1: it isn't counted.
func (m *Metrics) baseOf(kind string, mode Mode) int {
	k := slices.Index(m.kinds, kind)
	if k < 0 {
		return -1
	}
	return m.base(k, mode)
}

func (m *Metrics) base(kind int, mode Mode) int {
	return (kind*2 + int(mode-Shadow)) * len(m.verdicts)
}

// passed counts a stage that let pass.
func (m *Metrics) passed(ex *Exchange, base int) { m.add(ex, base) }

// replied counts a stage that answered in the upstream's place.
func (m *Metrics) replied(ex *Exchange, base int) {
	if base >= 0 {
		m.add(ex, base+1)
	}
}

// passedOver counts a stage that found no credential of its own, and wasn't the last to look for one.
func (m *Metrics) passedOver(ex *Exchange, base int) {
	if base >= 0 {
		m.add(ex, base+2)
	}
}

// refused counts a stage that refused. The walk over the codes is only for those who are refused.
func (m *Metrics) refused(ex *Exchange, base int, code problem.Code) {
	if v := slices.Index(m.verdicts, code); v > 0 {
		m.add(ex, base+v)
		return
	}
	m.add(ex, base+slices.Index(m.verdicts, problem.PolicyFailed))
}

func (m *Metrics) add(ex *Exchange, at int) {
	if ex.Dry || at < 0 {
		return
	}
	m.stripes[ex.stripe&m.mask][at].Add(1)
}

func (m *Metrics) sum(at int) (n uint64) {
	for _, stripe := range m.stripes {
		n += stripe[at].Load()
	}
	return n
}

// stripeCount returns the power of two at or above the number of processors.
func stripeCount(processors int) int {
	return min(1<<bits.Len(uint(max(processors, 1)-1)), maxStripes)
}
