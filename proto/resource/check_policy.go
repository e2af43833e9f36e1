package resource

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
	"github.com/sallyport/sallyport/proto/validate"
)

// checkPolicy checks a policy's attachments, its kind, and its configuration by the rules of the kind.
func checkPolicy(p *configv1.Policy) []problem.Violation {
	violations := checkAttachments(p.GetAttachedTo())
	if p.GetKind() == "" {
		return violations // required: told of by its rule
	}
	kind, ok := kinds.ByName(p.GetKind())
	if !ok {
		return append(violations, problem.Violation{
			Pointer: "/kind", Code: problem.ViolationUnknownKind, Detail: unknownKind(p.GetKind()),
			Given: form.Given(p.GetKind()), Allowed: strings.Join(kinds.Names(), ", "),
		})
	}
	if p.GetMode() == configv1.Mode_MODE_SHADOW && !kind.Traits.Decides {
		violations = append(violations, problem.Violation{
			Pointer: "/mode", Code: problem.ViolationInvalidValue, Given: "shadow", Allowed: "off, enforce",
			Detail: "a policy of kind " + kind.Name + " only changes or answers, so there is no verdict to try out in shadow",
		})
	}
	return append(violations, checkConfig(kind, p)...)
}

// checkConfig checks the configuration that a policy holds.
func checkConfig(kind policy.Kind, p *configv1.Policy) []problem.Violation {
	if p.GetConfig() == nil {
		return nil // required: told of by its rule
	}
	flaw := problem.Violation{Pointer: "/config", Code: problem.ViolationInvalidValue, Detail: "is no configuration of kind " + kind.Name}
	if p.GetConfig().GetTypeUrl() != kind.TypeURL() {
		return []problem.Violation{flaw}
	}
	_, config, err := kinds.Unpack(p.GetConfig())
	if err != nil {
		return []problem.Violation{flaw}
	}
	if RefuseUnknown(config) != nil {
		flaw.Detail = "holds fields that this version doesn't know"
		return []problem.Violation{flaw}
	}
	violations := append(validate.Message(config), kind.Validate(config)...)
	return append(problem.Prefix(violations, "/config"), checkOverlay(kind, config, p.GetAttachedTo())...)
}

// checkOverlay refuses that a policy is attached to a consumer when it runs before the consumer is known.
func checkOverlay(kind policy.Kind, config proto.Message, attachments []*configv1.Attachment) []problem.Violation {
	phase := kind.Phase(config)
	if policy.MayOverlay(phase) {
		return nil
	}
	var violations []problem.Violation
	for i, attachment := range attachments {
		if attachment.GetConsumer() == "" {
			continue
		}
		violations = append(violations, problem.Violation{
			Pointer: problem.Pointer("attached_to", i, "consumer"), Code: problem.ViolationInvalidValue, Given: form.Given(attachment.GetConsumer()),
			Detail: fmt.Sprintf("the policy runs in the phase %s, before it is known who calls, so that it can't be attached to a consumer; attach it to a route, a service or the environment%s",
				phase, laterPhases(kind)),
			Allowed: "environment, service, route",
		})
	}
	return violations
}

// laterPhases says that another configuration of the kind could be attached to a consumer, if one can.
func laterPhases(kind policy.Kind) string {
	for _, phase := range kind.Phases {
		if policy.MayOverlay(phase) {
			return fmt.Sprintf(", or configure it so that it runs in the phase %s", phase)
		}
	}
	return ""
}

// checkAttachments finds places that a policy is attached to twice.
func checkAttachments(attachments []*configv1.Attachment) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, attachment := range attachments {
		place := attachmentText(attachment)
		if place == "" {
			continue // required: told of by its rule
		}
		if j, twice := first[place]; twice {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("attached_to", i), Code: problem.ViolationNotUnique, Given: form.Given(place),
				Detail: fmt.Sprintf("is the same as attachment %d; give it once", j),
			})
			continue
		}
		first[place] = i
	}
	return violations
}

// attachmentText tells one place from the others; "" when none is given.
func attachmentText(attachment *configv1.Attachment) string {
	switch level := attachment.GetLevel().(type) {
	case *configv1.Attachment_Environment:
		return "environment"
	case *configv1.Attachment_Service:
		return "service " + level.Service
	case *configv1.Attachment_Route:
		return "route " + level.Route
	case *configv1.Attachment_Consumer:
		return "consumer " + level.Consumer
	}
	return ""
}
