package waf

import (
	"math"
	"runtime"
	"strings"
)

// loader is the function that all memory of engines is allocated below.
const loader = "internal/waf.load"

// Memory returns about how many bytes all engines hold, those included that are dead and not collected yet; false: nobody knows, since the process doesn't sample its heap.
//
// It is told from the runtime's own profile of the heap: what was allocated while rules were loaded and is still there. So what else goes on on the node, and how much engines share, doesn't matter; that
// one allocation of some 512 KiB is sampled does: of few engines it is right to some MB.
func Memory() (int64, bool) {
	rate := float64(runtime.MemProfileRate)
	if rate <= 0 {
		return 0, false
	}
	records := make([]runtime.MemProfileRecord, 1024)
	n, ok := runtime.MemProfile(records, false)
	for !ok {
		records = make([]runtime.MemProfileRecord, n+n/4)
		n, ok = runtime.MemProfile(records, false)
	}
	var sum float64
	for i := range records[:n] {
		if r := &records[i]; r.InUseObjects() > 0 && loads(r.Stack()) {
			sum += scaled(r, rate)
		}
	}
	return int64(sum), true
}

// scaled is how much there is of what a sample stands for: allocations are sampled the likelier the larger they are (as in runtime/pprof).
func scaled(r *runtime.MemProfileRecord, rate float64) float64 {
	bytes := float64(r.InUseBytes())
	mean := bytes / float64(r.InUseObjects())
	return bytes / (1 - math.Exp(-mean/rate))
}

// loads tells whether something was allocated while rules were loaded.
func loads(stack []uintptr) bool {
	frames := runtime.CallersFrames(stack)
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, loader) {
			return true
		}
		if !more {
			return false
		}
	}
}
