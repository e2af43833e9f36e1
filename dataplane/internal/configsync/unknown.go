package configsync

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// refuseUnknown refuses a message with fields that this build doesn't know, at any depth: skipping
// one could leave out what matters. Objects and entries travel as bytes and are looked into by
// those who decode them.
func refuseUnknown(m protoreflect.Message) *refusal {
	if len(m.GetUnknown()) > 0 {
		return &refusal{code: codeUnknownField, detail: fmt.Sprintf("%s holds a field that this build doesn't know; update the node", m.Descriptor().FullName())}
	}
	var fault *refusal
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for list, i := value.List(), 0; fault == nil && i < list.Len(); i++ {
				fault = refuseUnknown(list.Get(i).Message())
			}
		default:
			fault = refuseUnknown(value.Message())
		}
		return fault == nil
	})
	return fault
}
