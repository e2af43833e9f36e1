package policy

import "iter"

// Level is where a policy is attached, from general to specific.
type Level uint8

// The levels.
const (
	Environment Level = iota
	Service
	Route
	Consumer // known only once a route has authenticated
)

// Levels is how many there are.
const Levels = int(Consumer) + 1

var levelNames = [Levels]string{Environment: "environment", Service: "service", Route: "route", Consumer: "consumer"}

// String returns the level's name as the API shows it; "" for what is no level.
func (l Level) String() string {
	if int(l) >= len(levelNames) {
		return ""
	}
	return levelNames[l]
}

// MayOverlay tells whether a policy that runs in phase p may be attached to a consumer: it must run behind Authenticate,
// since nobody knows before that whose policies they are.
func MayOverlay(p Phase) bool { return p > Authenticate }

// Applies tells whether policies of this kind on a level apply on a route, given all of the kind that are attached to it or
// above it, each by its level and whether it is final:
//
//   - of a kind that merges and decides, all do: each is one more hurdle, and nothing on another level takes it away;
//   - of a kind that merges and only changes, all do down to the most general level that has a final one, since what is more
//     specific could undo what is final;
//   - of any other kind, those on the level of Winner do.
//
// The edge runs policies by this rule, and the control plane asks by it whether a route is protected, so that the two can't
// differ.
func (k Kind) Applies(level Level, policies iter.Seq2[Level, bool]) bool {
	if !k.Merges {
		winner, found := Winner(policies)
		return found && level == winner
	}
	if k.Traits.Decides {
		return true
	}
	for at, isFinal := range policies {
		if isFinal && at < level {
			return false
		}
	}
	return true
}

// Winner returns the level whose policies apply on a route, among the policies of one kind that doesn't merge: the most
// general level that has a final policy, else the most specific one that has any; false when there is none. Each policy
// is given by its level and whether it is final.
//
// Modes play no part: a policy that is off on a route takes the place of the service's.
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
