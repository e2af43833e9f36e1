package policy

import "iter"

// Level is where a policy is attached, from general to specific.
type Level uint8

// The levels.
const (
	Environment Level = iota
	Service
	Route
)

// Winner returns the level whose policies apply on a route, among the policies of one kind that doesn't merge: the most
// general level that has a final policy, else the most specific one that has any; false when there is none. Each policy
// is given by its level and whether it is final.
//
// Modes play no part: a policy that is off on a route takes the place of the service's. The edge runs policies by this
// rule, and the control plane asks by it whether a route is protected, so that the two can't differ.
func Winner(policies iter.Seq2[Level, bool]) (level Level, found bool) {
	final := false
	for at, isFinal := range policies {
		switch {
		case isFinal && (!final || at < level):
			level, final = at, true
		case !final && (!found || at > level):
			level = at
		}
		found = true
	}
	return level, found
}
