package pipeline

import (
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/policy"
)

// Mode is what happens with a policy's verdict.
type Mode uint8

// The modes.
const (
	Off     Mode = iota // it doesn't run
	Shadow              // it runs and is counted, but refuses nobody
	Enforce             // its verdict holds
)

// String returns the mode as metrics and logs show it.
func (m Mode) String() string {
	switch m {
	case Off:
		return "off"
	case Shadow:
		return "shadow"
	case Enforce:
		return "enforce"
	}
	return ""
}

// Policy is a policy compiled. It is immutable and shared by all routes that it applies to.
type Policy struct {
	ID       id.ID
	Name     string
	Kind     policy.Kind
	Phase    policy.Phase
	Mode     Mode
	Final    bool
	Position int32
	// Stage is nil when the mode is off.
	Stage Stage
}

// Attached is a policy at one level above or on a route.
type Attached struct {
	*Policy
	Level policy.Level
}

// Effective returns those of a route's policies that run, in the order in which they run. The package's documentation
// says how they are merged and ordered. A policy that is attached on several levels of a route runs once, on the most
// general of those that count.
func Effective(all []Attached) []Attached {
	return policy.Once(policy.Running(all), func(a, b Attached) bool { return a.Policy == b.Policy })
}

// Place implements policy.Placed.
func (a Attached) Place() policy.Place {
	return policy.Place{Kind: a.Kind, Phase: a.Phase, Level: a.Level, Position: a.Position, Name: a.Name, Off: a.Mode == Off, Final: a.Final}
}
