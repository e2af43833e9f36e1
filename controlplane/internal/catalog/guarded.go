package catalog

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Guard holds the candidate to what its author may write of the fields that take a permission of their own (the option "permission" in the contract): held
// says for what they hold one. Without it such fields are anybody's who may write the object.
func (c *Candidate) Guard(held func(access.Permission) access.Bounds) { c.held = held }

// forbidsFields refuses an object of which a field is given, changed or taken away by somebody who doesn't hold the field's permission for it, before and after.
// What is compared is what is committed with what the whole batch leaves.
func (c *Candidate) forbidsFields(s *staged) bool {
	if c.held == nil {
		return false
	}
	var before, after proto.Message
	if s.before != nil {
		before = s.before.Message
	}
	if s.message != nil {
		after = s.message
	}
	refused := false
	for _, field := range resource.GuardedChanges(before, after) {
		held := c.held(access.Permission(field.Permission))
		if (before == nil || held.Sees(resource.TeamOf(before))) && (after == nil || held.Sees(resource.TeamOf(after))) {
			continue
		}
		refused = true
		detail := fmt.Sprintf("to give %s, change it or take it away needs the permission %s", field.Pointer, field.Permission)
		if after == nil { // there is no body that the field would be in
			c.refusals.Add(Refusal{Code: problem.Forbidden, Violation: problem.Violation{
				Pointer: s.origin.Operation, Code: string(problem.Forbidden), Detail: detail,
			}})
			continue
		}
		c.refusals.Forbidden(s.origin, field.Pointer, detail)
	}
	return refused
}
