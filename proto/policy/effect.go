package policy

import "google.golang.org/protobuf/proto"

// Severity is how much a change means for callers.
type Severity uint8

// The severities.
const (
	Info      Severity = iota // nobody has to act
	Attention                 // callers may notice, or have to act
	Danger                    // something is open that wasn't, or requests that were answered no longer are
)

// String returns the severity as the API shows it.
func (s Severity) String() string {
	return [...]string{Info: "info", Attention: "attention", Danger: "danger"}[s]
}

// Effect is what a change of a policy means for callers, in the words of its kind.
type Effect struct {
	Code     string // stable: "scope_required"
	Opposite string // the code of the same change the other way round; "" when it is the same one
	Severity Severity
	Text     string // a sentence without its end, to which "on the route …" is added: `requests need the scope "orders"`
}

// effectsOf makes a Kind's Effects of a contract's.
func effectsOf[M proto.Message](say func(before, after M) []Effect) func(before, after proto.Message) []Effect {
	return func(before, after proto.Message) []Effect {
		if say == nil {
			return nil
		}
		var was, is M // none: the policy wasn't, or isn't, in force
		if before != nil {
			was = before.(M)
		}
		if after != nil {
			is = after.(M)
		}
		return say(was, is)
	}
}
