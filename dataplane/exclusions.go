package dataplane

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/exclusions"
	"github.com/sallyport/sallyport/dataplane/internal/samples"
	"github.com/sallyport/sallyport/dataplane/internal/trial"
)

// exclusionParts are what exclusions of the WAF are counted and tried by.
type exclusionParts struct {
	counters exclusions.Counters
	samples  *samples.Ring
	tester   *trial.Tester
}

// openExclusions makes them. Samples are kept for policies that ask for it alone.
func (n *node) openExclusions() error {
	ring, err := samples.New(samples.Most, time.Now)
	if err != nil {
		return fmt.Errorf("open the samples: %w", err)
	}
	n.exclusions.samples = ring
	n.exclusions.tester = trial.New(trial.Config{Snapshots: &n.snapshots, Samples: ring, Clock: time.Now})
	return nil
}

// exclusionSamples are of exclusions, and of the samples that they are tried on.
func (n *node) exclusionSamples(one func(string, float64, ...string)) {
	one(admin.ExclusionsNoted, float64(n.exclusions.counters.Noted()))
	one(admin.ExclusionsOpened, float64(n.exclusions.counters.Opened()))
	kept := n.exclusions.samples.Stats()
	one(admin.Samples, float64(kept.Samples))
	one(admin.SamplesBytes, float64(kept.Bytes))
	one(admin.SamplesDropped, float64(kept.Dropped))
}
