package limits

import (
	"fmt"
	"strings"
)

// Limit is one bound of an environment, and how near it is.
type Limit struct {
	// Name is a collection, or ConfigurationBytes.
	Name string
	// Used of Most.
	Used, Most uint64
}

// ConfigurationBytes is the limit of what all objects of a configuration take together, as stored.
const ConfigurationBytes = "configuration-bytes"

// mosts is every limit, in the order in which they are shown. Nodes take a snapshot of up to 1 GiB: a configuration that is within its
// limit fits on every node.
var mosts = []struct {
	name string
	most uint64
}{
	{"services", 20_000},
	{"routes", 100_000},
	{"policies", 100_000},
	{"certificates", 1000},
	{"issuers", 200},
	{"waf-exclusions", 5000},
	{"guardrails", 200},
	{ConfigurationBytes, 256 << 20},
	{"consumers", 2_000_000},
	{"api-keys", 5_000_000},
	{"passwords", 200_000},
	{"secrets", 20_000},
	{"blocks", 200_000},
}

// Most returns the most that an environment may hold of a collection, or ConfigurationBytes; false: there is no limit of this name.
func Most(name string) (uint64, bool) {
	for _, l := range mosts {
		if l.name == name {
			return l.most, true
		}
	}
	return 0, false
}

// All returns every limit, as used.
func All(used func(name string) uint64) []Limit {
	all := make([]Limit, len(mosts))
	for i, l := range mosts {
		all[i] = Limit{Name: l.name, Used: used(l.name), Most: l.most}
	}
	return all
}

// Exceeded tells whether more is used than may be.
func (l Limit) Exceeded() bool { return l.Used > l.Most }

// Alarming tells whether half of the limit is used, or more.
func (l Limit) Alarming() bool { return l.Used >= (l.Most+1)/2 }

// String says how near the limit is, for people.
func (l Limit) String() string {
	if l.Name == ConfigurationBytes {
		return fmt.Sprintf("the environment's configuration takes %d of at most %d bytes", l.Used, l.Most)
	}
	return fmt.Sprintf("the environment has %d of at most %d %s", l.Used, l.Most, strings.ReplaceAll(l.Name, "-", " "))
}
