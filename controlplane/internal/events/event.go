package events

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// Type is what happened, as "<what it is about>.<what became of it>". A type that has shipped is never renamed.
type Type struct {
	Name string
	// Meaning is a sentence for EVENTS.md, which a test writes.
	Meaning string
}

// Types that the watcher finds, since nobody does them.
const (
	KeyExpiring  = "api-key.expiring"
	KeyExpired   = "api-key.expired"
	NodeRefused  = "node.refused"
	LimitNear    = "limit.near"
	LimitReached = "limit.reached"
	WebhookTest  = "webhook.test"
	AuditAlarm   = "audit.alarm"
	revisionMade = "revision.published"
)

// done is what an audited change means to those who listen. A change that is in no line is no event.
type done struct {
	collection, action string
	field              string // that must be among those that differ; "": whatever did
	to                 string // what it must be afterwards; "": anything
	kind               Type
}

var doings = []done{
	{"api-keys", "create", "", "", Type{"api-key.created", "An API key was made."}},
	{"api-keys", "delete", "", "", Type{"api-key.revoked", "An API key was revoked: nodes refuse it."}},
	{"api-keys", "revoke", "", "", Type{"api-key.revoked", "An API key was revoked: nodes refuse it."}},
	{"api-keys", "rotate", "", "", Type{"api-key.rotated", "An API key has a successor; the fact `expires_at` says when it ends."}},
	{"api-keys", "retire", "", "", Type{"api-key.retired", "An API key was revoked because nobody had used it for as long as was asked."}},
	{"api-keys", "leak", "", "", Type{"api-key.leaked", "An API key was found where it doesn't belong, and is revoked; the fact `message` says where. Tell its owner."}},
	{"api-keys", "import", "", "", Type{"api-key.created", "An API key was made."}},
	{"passwords", "delete", "", "", Type{"password.revoked", "A password was revoked: nodes refuse it."}},
	{"passwords", "rotate", "", "", Type{"password.rotated", "A password was changed: the one before is refused."}},
	{"consumers", "delete", "", "", Type{"consumer.deleted", "A consumer was deleted, and all its credentials with it."}},
	{"consumers", "update", "/suspended", "true", Type{"consumer.suspended", "A consumer was suspended: all its credentials are refused."}},
	{"consumers", "update", "/suspended", "", Type{"consumer.resumed", "A consumer is suspended no more."}},
	{"blocks", "create", "", "", Type{"block.created", "Somebody is let in no more, whatever they show."}},
	{"blocks", "delete", "", "", Type{"block.lifted", "A block was lifted, or had its time."}},
	{"nodes", "create", "", "", Type{"node.enrolled", "A node has enrolled."}},
	{"nodes", "disable", "", "", Type{"node.disabled", "A node was disabled: it is cut off for good."}},
	{"nodes", "enable", "", "", Type{"node.enabled", "A node was enabled again."}},
	{"issuer-keys", "add-key", "", "", Type{"issuer.key-added", "An issuer signs with one more key; the fact `kid` is its name."}},
	{"issuer-keys", "return-key", "", "", Type{"issuer.key-added", "An issuer signs with one more key; the fact `kid` is its name."}},
	{"issuer-keys", "retire-key", "", "", Type{"issuer.key-retired", "An issuer has taken a key back: its tokens are refused; the fact `kid` is its name."}},
}

// found are the types that no audited change is.
var found = []Type{
	{KeyExpiring, "An API key ends within seven days; the fact `expires_at` says when."},
	{KeyExpired, "An API key has ended: nodes refuse it."},
	{NodeRefused, "A node refused a revision or directory entries and serves what it had; the fact `reason` is the first it gave."},
	{LimitNear, "Half of a limit on what an environment holds is used."},
	{LimitReached, "A limit on what an environment holds is reached: more is refused."},
	{revisionMade, "A revision of the configuration was published; the fact `revision` is its number."},
	{AuditAlarm, "The audit record isn't what it was; see AUDIT.md at once."},
	{WebhookTest, "Somebody tries a webhook out. It comes to that webhook alone."},
}

// Types returns every type that an event can have, in alphabetical order.
func Types() []Type {
	types := slices.Clone(found)
	for i := range doings {
		types = append(types, doings[i].kind)
	}
	slices.SortFunc(types, func(a, b Type) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(types, func(a, b Type) bool { return a.Name == b.Name })
}

// FromAudit returns what an audit event means to those who listen to its environment, without numbers or ids: often nothing. Refused
// operations are none of their business.
func FromAudit(e *adminv1.AuditEvent) []*adminv1.Event {
	environment := e.GetEnvironment()
	if environment == "" || e.GetChain() != environment {
		return nil
	}
	if e.GetOutcome() == audit.OutcomeAlarm {
		return []*adminv1.Event{{Type: AuditAlarm, Environment: environment, Operation: e.GetOperation(), Facts: map[string]string{"message": e.GetMessage()}}}
	}
	if e.GetOutcome() != audit.OutcomeDone {
		return nil
	}
	var events []*adminv1.Event
	for _, c := range e.GetChanges() {
		if d := meaning(c); d != nil {
			events = append(events, &adminv1.Event{
				Type: d.kind.Name, Environment: environment, Collection: c.GetCollection(), Object: c.GetId(), Name: c.GetName(),
				Actor: e.GetActor(), Operation: e.GetOperation(), Facts: factsOf(c, e.GetMessage()),
			})
		}
	}
	if e.GetRevision() > 0 {
		events = append(events, &adminv1.Event{
			Type: revisionMade, Environment: environment, Collection: "revisions", Object: decimal(e.GetRevision()), Actor: e.GetActor(), Operation: e.GetOperation(),
			Facts: map[string]string{"revision": decimal(e.GetRevision()), "message": e.GetMessage()},
		})
	}
	return events
}

// meaning returns the first line that a change is; nil: none.
func meaning(c *adminv1.AuditChange) *done {
	for i := range doings {
		d := &doings[i]
		if d.collection != c.GetCollection() || d.action != c.GetAction() {
			continue
		}
		if d.field == "" || slices.Contains(c.GetFields(), d.field) && (d.to == "" || d.to == textAt(c, d.field)) {
			return d
		}
	}
	return nil
}

// told are the fields of an object that an event repeats: what one needs to know whom to tell.
var told = []string{"consumer", "expires_at", "api_key", "address_range", "rotated_to", "kid", "algorithm"}

// factsOf are what an event says besides what it is about; the message is what its doer gave as the reason.
func factsOf(c *adminv1.AuditChange, message string) map[string]string {
	facts := map[string]string{}
	if message != "" {
		facts["message"] = message
	}
	for _, field := range told {
		if text := textAt(c, "/"+field); text != "" {
			facts[field] = text
		}
	}
	return facts
}

// textAt is what a change leaves in a field, or took away with its object; "": nothing, or no scalar.
func textAt(c *adminv1.AuditChange, pointer string) string {
	object := c.GetAfter()
	if object == nil {
		object = c.GetBefore()
	}
	v := object.GetFields()[strings.TrimPrefix(pointer, "/")]
	switch {
	case v == nil:
		return ""
	case v.GetBoolValue():
		return "true"
	default:
		return v.GetStringValue()
	}
}
