package resource

import (
	"google.golang.org/protobuf/proto"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/validate"
)

// Message is a configuration resource.
type Message interface {
	proto.Message
	GetId() string
	GetName() string
	GetLabels() map[string]string
	GetDescription() string
}

// Type is a type of configuration resource.
type Type struct {
	Collection string // as in paths of the API: "services"
	Singular   string // in words: "service"
	Prefix     string // of its ids: "svc"
	Singleton  bool   // there is exactly one in an environment, named like the collection
	New        func() Message

	// Check finds what the rules in the .proto can't say. It gets a message whose defaults are filled in and that may break those
	// rules: what is absent or of the wrong size is told of already. Use Validate, which calls it.
	Check func(Message) []problem.Violation
}

// types is the registry: a new resource is a line here.
var types = []*Type{
	{Collection: "certificates", Singular: "certificate", Prefix: id.Certificate, New: newOf[configv1.Certificate], Check: checked(checkCertificate)},
	{Collection: "issuers", Singular: "issuer", Prefix: id.Issuer, New: newOf[configv1.Issuer], Check: checked(checkIssuer)},
	{Collection: "services", Singular: "service", Prefix: id.Service, New: newOf[configv1.Service], Check: checked(checkService)},
	{Collection: "routes", Singular: "route", Prefix: id.Route, New: newOf[configv1.Route], Check: checked(checkRoute)},
	{Collection: "policies", Singular: "policy", Prefix: id.Policy, New: newOf[configv1.Policy], Check: checked(checkPolicy)},
	{
		Collection: "settings", Singular: "settings", Prefix: id.Settings, Singleton: true,
		New: newOf[configv1.EnvironmentSettings], Check: checked(checkSettings),
	},
	{Collection: "waf-exclusions", Singular: "waf-exclusion", Prefix: id.WafExclusion, New: newOf[configv1.WafExclusion], Check: checked(checkWafExclusion)},
	{Collection: "guardrails", Singular: "guardrail", Prefix: id.Guardrail, New: newOf[configv1.Guardrail], Check: checked(checkGuardrail)},
}

// Types returns every type of configuration resource, those that others refer to first.
func Types() []*Type { return append([]*Type(nil), types...) }

// ByCollection returns the type of a collection ("routes").
func ByCollection(collection string) (*Type, bool) {
	for _, t := range types {
		if t.Collection == collection {
			return t, true
		}
	}
	return nil, false
}

// Validate returns everything that is wrong with an object by itself, all at once: its name and labels, the rules of its
// fields, what only code can check, and a policy's configuration by the rules of its kind. Defaults are filled in first, in a
// copy. What takes other objects to know, such as references, is not looked at.
func (t *Type) Validate(m Message) []problem.Violation {
	full := Defaulted(m)
	violations := t.checkIdentity(m)
	violations = append(violations, validate.Message(full)...)
	return append(violations, t.Check(full)...)
}

// newOf returns a new message as a Message. P is inferred from T.
func newOf[T any, P interface {
	*T
	Message
}]() Message {
	return P(new(T))
}

// checked makes the Check of a Type from one of the message's own type.
func checked[M Message](check func(M) []problem.Violation) func(Message) []problem.Violation {
	return func(m Message) []problem.Violation { return check(m.(M)) }
}
