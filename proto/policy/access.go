package policy

import "google.golang.org/protobuf/proto"

// Part is what a statement is about, in the answer to "who can call this, and how".
type Part uint8

// The parts, in the order in which they are told.
const (
	Way    Part = iota + 1 // a proof of who calls that is taken; of several ways any one will do
	Open                   // who shows no proof passes too; its values are the ids of the consumers that they are
	Demand                 // what every request must meet
	Bound                  // how many and how large requests may be
	Answer                 // the gateway answers in the service's place
	Note                   // what else callers or the service see of it
)

var partNames = [...]string{Way: "way", Open: "open", Demand: "demand", Bound: "bound", Answer: "answer", Note: "note"}

// String returns the part as the API shows it; "" for what is none.
func (p Part) String() string {
	if int(p) >= len(partNames) {
		return ""
	}
	return partNames[p]
}

// Statement is one thing that a policy says of who can call a route, and how.
type Statement struct {
	Part   Part
	Code   string   // stable, lower case: "api_key"
	Text   string   // a whole sentence, the same for the same configuration: `An API key is taken from the header "X-Api-Key".`
	Values []string // what the sentence names, for programs: scopes, methods, ranges, claims; nil: nothing
}

// Names returns what people call an object that a configuration names by its id; the id itself when nothing has it.
type Names func(id string) string

// Caller is a consumer with one credential who makes requests of one method, as far as that is known without a request.
type Caller struct {
	Consumer string // id; "": nobody knows who calls
	Labels   map[string]string
	Method   string
	// Scopes of the credential; of one whose scopes are in a token nobody knows them yet: Token is true.
	Scopes []string
	// Token says that the credential is one whose scopes and claims only a request shows.
	Token bool
	// Guest says that there is no credential: the consumer is the one that whoever shows none is taken for.
	Guest bool
}

// Admission is whether a policy lets a caller's requests pass.
type Admission uint8

// The admissions, from none to certain: of several policies the least holds, of several credentials the greatest.
const (
	Never   Admission = iota // no request of the caller passes
	Depends                  // on what only a request shows: the token's claims and scopes, the path, the time
	Admits                   // every request passes
)

// String returns the admission as the API shows it.
func (a Admission) String() string {
	switch a {
	case Never:
		return "never"
	case Depends:
		return "depends"
	case Admits:
		return "admits"
	}
	return ""
}

// accessOf makes a Kind's Access of a contract's.
func accessOf[M proto.Message](say func(M, Names) []Statement) func(proto.Message, Names) []Statement {
	return func(config proto.Message, names Names) []Statement {
		if say == nil {
			return nil
		}
		return say(config.(M), names)
	}
}

// admitsOf makes a Kind's Admits of a contract's.
func admitsOf[M proto.Message](judge func(M) func(Caller) Admission) func(proto.Message) func(Caller) Admission {
	return func(config proto.Message) func(Caller) Admission {
		if judge == nil {
			return func(Caller) Admission { return Admits }
		}
		return judge(config.(M))
	}
}
