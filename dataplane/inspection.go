package dataplane

import (
	"errors"
	"runtime"

	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/effort"
	"github.com/sallyport/sallyport/dataplane/internal/rates"
)

// Inspection bounds what inspecting requests may cost a node.
type Inspection struct {
	// AtOnce is how many are at work at a time, at least 2: half of them may be such that look dear. 0: as many as the node has processors, and at least 2.
	AtOnce int
	// Queue is how many wait for their turn; 0: 256.
	Queue int
	// Share of the node's processors that they may take in the long run, above 0 and up to 1; 0: 0.8.
	Share float64
}

// DefaultInspectionShare and DefaultInspectionQueue are what holds where nothing is said.
const (
	DefaultInspectionShare = effort.DefaultShare
	DefaultInspectionQueue = effort.DefaultQueue
)

const mostInspections = 1024 // at once, each on a thread of its own

func (i Inspection) check() error {
	var wrong []error
	if i.AtOnce < 0 || i.AtOnce == 1 || i.AtOnce > mostInspections {
		wrong = append(wrong, errors.New("inspections is 2 to 1024: one that looks cheap beside one that looks dear; 0: as many as there are processors"))
	}
	if i.Queue < 0 {
		wrong = append(wrong, errors.New("inspection-queue can't be negative; 0: 256"))
	}
	if !(i.Share >= 0 && i.Share <= 1) {
		wrong = append(wrong, errors.New("inspection-share is a number above 0 and up to 1, a part of the node's processors; 0: 0.8"))
	}
	return errors.Join(wrong...)
}

// newMeter makes what bounds inspections.
func newMeter(cfg Config) *effort.Meter {
	return effort.New(effort.Config{
		Turns: cfg.Inspection.AtOnce, Queue: cfg.Inspection.Queue, Share: cfg.Inspection.Share,
		Widen: func(by int) {
			threads := runtime.GOMAXPROCS(0)
			runtime.GOMAXPROCS(threads + by)
			cfg.Logger.Info("the first request is inspected: inspections get threads of their own", "threads", threads, "more", by)
		},
	})
}

// inspectionSamples are of what inspections cost, and of who was refused for it.
func (n *node) inspectionSamples(yield func(admin.Sample)) {
	one := func(metric string, value float64, labels ...string) {
		yield(admin.Sample{Metric: metric, Labels: labels, Value: value})
	}
	s := n.effort.Stats()
	for _, c := range s.Classes {
		one(admin.Inspections, float64(c.Done), c.Class)
		one(admin.InspectionSeconds, c.Spent.Seconds(), c.Class)
		one(admin.InspectionsAtWork, float64(c.AtWork), c.Class)
		one(admin.InspectionsWaiting, float64(c.Waiting), c.Class)
	}
	one(admin.InspectionTurns, float64(s.Turns))
	for reason, count := range s.Refused {
		one(admin.InspectionsRefused, float64(count), reason)
	}
	waits := rates.Histogram{Buckets: s.Waits, Count: s.Waited, Sum: s.WaitedIn.Seconds()}
	yield(admin.Sample{Metric: admin.InspectionWaits, Histogram: &waits})
	one(admin.InspectionCallers, float64(s.Callers))
	one(admin.InspectionCallersForgotten, float64(s.Forgotten))
}
