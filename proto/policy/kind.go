package policy

import (
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/problem"
)

// BodyUse is what a kind does with the request's body.
type BodyUse uint8

// What a kind may do with the body.
const (
	BodyNone     BodyUse = iota // doesn't look at it
	BodyStream                  // sees it in pieces as it passes
	BodyBuffered                // needs all of it before the verdict
)

// Traits are the properties of a kind that the pipeline and the API act on.
type Traits struct {
	Decides bool    // it has a verdict that can be tried out in shadow; else it only changes or answers
	Body    BodyUse // what it needs of the body
	Waits   bool    // it may wait, for something outside the node or for its turn at what is costly, under a deadline of its own
	// Preflights says that it answers CORS preflights: on its routes a preflight is matched by the method that it asks for, and it runs first in
	// its phase, so that the refusals of all others are its to mark.
	Preflights bool
	// Fallback says that it decides about whom nobody else knows: it runs last in its phase, whatever its level and position.
	Fallback bool
	// Dear says that it costs much more than others: it runs behind them in its phase, whatever its level and position, so that what they refuse
	// costs nothing.
	Dear bool
}

// Kind is a type of policy: what control plane and edge have to know of it. Make one by Define.
type Kind struct {
	// Name in Policy.kind ("rate-limit"): lower case, words joined by hyphens, never renamed.
	Name string
	// Description in a sentence or two, for the list of kinds.
	Description string
	// New returns an empty configuration.
	New func() proto.Message
	// Phase returns where a policy of this configuration runs: one of Phases.
	Phase func(proto.Message) Phase
	// Phases that the kind may run in, in their order.
	Phases []Phase
	// Validate finds what the field rules can't say; it gets a configuration whose defaults are
	// filled in and that holds to the field rules or not: it must cope with both. Pointers are
	// relative to the configuration.
	Validate func(proto.Message) []problem.Violation
	// Traits the pipeline and the API act on.
	Traits Traits
	// Capability is the least one of a node that knows the kind; 0: every node does.
	Capability uint32
	// Fleet tells whether a policy of this configuration shares something among the nodes of the fleet, who must then know
	// who is in it.
	Fleet func(proto.Message) bool
	// Signs tells whether a policy of this configuration signs with the environment's identity keys, which there must then be.
	Signs func(proto.Message) bool
	// Effects says what it means for callers that a policy in force changes, beyond its fields: nil before, it comes; nil
	// after, it goes. Configurations have their defaults filled in.
	Effects func(before, after proto.Message) []Effect
	// Access says, of a configuration with its defaults filled in, who can call the routes that the policy is in force on, and how;
	// nil: nothing that callers would see.
	Access func(proto.Message, Names) []Statement
	// Admits returns what tells whether a policy of this configuration lets a caller's requests pass, as far as it can be told without
	// one. It is asked of many callers.
	Admits func(proto.Message) func(Caller) Admission
	// Merges says that policies of this kind on several levels all apply (guards, limits);
	// otherwise the one on the most specific level wins.
	Merges bool
}

// Contract is a Kind in terms of its own message type.
type Contract[M proto.Message] struct {
	Name        string
	Description string
	Phases      []Phase                     // at least one
	Phase       func(M) Phase               // nil: always the first of Phases
	Validate    func(M) []problem.Violation // nil: the field rules say everything
	Traits      Traits
	Capability  uint32                         // 0: every node knows the kind
	Fleet       func(M) bool                   // nil: never
	Signs       func(M) bool                   // nil: never
	Effects     func(before, after M) []Effect // nil: the fields that differ say enough
	Access      func(M, Names) []Statement     // nil: callers see nothing of it
	Admits      func(M) func(Caller) Admission // nil: it stands in no caller's way
	Merges      bool
}

// Define makes the Kind of a contract. Handing one kind's functions another kind's message is a
// mistake of the program and panics.
func Define[M proto.Message](c Contract[M]) Kind {
	kind := Kind{
		Name: c.Name, Description: c.Description, Phases: c.Phases, Traits: c.Traits, Capability: c.Capability, Merges: c.Merges,
		New:      newMessage[M],
		Phase:    func(proto.Message) Phase { return c.Phases[0] },
		Validate: func(proto.Message) []problem.Violation { return nil },
		Fleet:    func(proto.Message) bool { return false },
		Signs:    func(proto.Message) bool { return false },
		Effects:  effectsOf(c.Effects),
		Access:   accessOf(c.Access),
		Admits:   admitsOf(c.Admits),
	}
	if c.Fleet != nil {
		kind.Fleet = func(m proto.Message) bool { return c.Fleet(m.(M)) }
	}
	if c.Signs != nil {
		kind.Signs = func(m proto.Message) bool { return c.Signs(m.(M)) }
	}
	if c.Phase != nil {
		kind.Phase = func(m proto.Message) Phase { return c.Phase(m.(M)) }
	}
	if c.Validate != nil {
		kind.Validate = func(m proto.Message) []problem.Violation { return c.Validate(m.(M)) }
	}
	return kind
}

func newMessage[M proto.Message]() proto.Message {
	var none M
	return none.ProtoReflect().Type().New().Interface()
}

// typeURLPrefix stands before a message's full name in an Any.
const typeURLPrefix = "type.googleapis.com/"

// TypeURL returns the type URL that an Any with this kind's configuration has.
func (k Kind) TypeURL() string {
	return typeURLPrefix + string(k.New().ProtoReflect().Descriptor().FullName())
}
