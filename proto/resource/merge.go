package resource

import (
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// MergePatch applies a JSON merge patch (RFC 7396) to the JSON form of target, which stays as it is, and returns the result.
// It is as strict as [Decode], the patch's own names included: an unknown name is a violation even where the patch removes it.
// Pointers are those of the patched document. Within a oneof, the member that is left must be removed (null).
func MergePatch(target proto.Message, patch []byte) (proto.Message, []problem.Violation) {
	change, violations := parse(patch)
	if change == nil {
		return nil, violations
	}
	if change.Kind != jsontree.Object {
		d := decoder{codec: std, findings: violations}
		d.wrongType(change, nil, "an object", true)
		return nil, d.findings
	}
	document, err := Encode(target)
	if err != nil {
		return nil, []problem.Violation{{Code: problem.ViolationInvalidValue, Detail: "can't be patched as it is stored; put it anew"}}
	}
	root, _ := parse(document)
	patched := merge(root, change)
	result := target.ProtoReflect().New().Interface()
	if violations = std.decodeTree(&patched, result, violations); len(violations) > 0 {
		return nil, violations
	}
	return result, nil
}

// merge is MergePatch of RFC 7396 §2, save that a removed member stays as a null which says so: only who knows the fields
// can tell a removed field from an unknown one.
func merge(target, patch *jsontree.Value) jsontree.Value {
	if patch.Kind != jsontree.Object {
		return *patch
	}
	merged := jsontree.Value{Kind: jsontree.Object}
	if target != nil && target.Kind == jsontree.Object {
		merged.Members = append(merged.Members, target.Members...)
	}
	for i := range patch.Members {
		change := &patch.Members[i]
		value := jsontree.Value{Kind: jsontree.Null, Removed: true}
		was := merged.Member(change.Name)
		if change.Value.Kind != jsontree.Null {
			value = merge(was, &change.Value)
		}
		if was != nil {
			*was = value
		} else {
			merged.Members = append(merged.Members, jsontree.Member{Name: change.Name, Value: value})
		}
	}
	return merged
}
