package resource

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// Decode reads a JSON document into a message, whose earlier content is dropped, and returns everything that is wrong with
// the document at once, up to [jsontree.MaxFindings]. An unknown or repeated name, a value of another type, and two members
// of a oneof are wrong; null is as good as absent. The rules of the fields are not looked at: see [Type.Validate]. When
// anything is wrong, the message holds some of the document and is of no use.
//
// A document that is not JSON at all gives one violation, which [AsError] turns into the problem malformed_json.
func Decode(data []byte, m proto.Message) []problem.Violation { return std.decode(data, m) }

// AsError returns the error of the violations that Decode, MergePatch or Validate found; nil when there are none. A
// document that isn't JSON becomes problem.MalformedJSON, everything else problem.InvalidRequest.
func AsError(violations []problem.Violation) error {
	if len(violations) == 1 && violations[0].Code == malformed {
		return problem.Errorf(problem.MalformedJSON, "%s", violations[0].Detail)
	}
	return problem.Invalid(violations...)
}

// malformed is the code of the violation that stands for a document that isn't JSON.
const malformed = string(problem.MalformedJSON)

func (c *codec) decode(data []byte, m proto.Message) []problem.Violation {
	root, violations := parse(data)
	if violations != nil && root == nil {
		return violations
	}
	return c.decodeTree(root, m, violations)
}

// parse reads a document; nil when there is nothing to go on with.
func parse(data []byte) (*jsontree.Value, []problem.Violation) {
	root, violations, err := jsontree.Parse(data)
	if err != nil {
		return nil, []problem.Violation{{Code: malformed, Detail: err.Error()}}
	}
	return &root, violations
}

// decodeTree adds what is wrong with the tree to what was wrong with its document.
func (c *codec) decodeTree(root *jsontree.Value, m proto.Message, violations []problem.Violation) []problem.Violation {
	d := decoder{codec: c, findings: violations}
	proto.Reset(m)
	d.message(root, m.ProtoReflect(), nil)
	return d.findings
}

// decoder reads one document. Its methods return false when the value can't be used; why is in the findings then.
type decoder struct {
	codec    *codec
	findings jsontree.Findings
}

// message reads a value into an empty message.
func (d *decoder) message(v *jsontree.Value, m protoreflect.Message, at *jsontree.Place) bool {
	if isWellKnown(m.Descriptor()) {
		return d.wellKnown(v, m, at)
	}
	if v.Kind != jsontree.Object {
		return d.wrongType(v, at, "an object", false)
	}
	plan := d.codec.plan(m.Descriptor())
	for i := range v.Members {
		member := &v.Members[i]
		place := at.Member(member.Name)
		f, known := plan.byName[member.Name]
		switch {
		case !known:
			d.unknown(plan, member, &place)
		case member.Value.Kind == jsontree.Null: // clears
		default:
			d.field(v, f, &member.Value, m, &place)
		}
	}
	return true
}

// field reads one member of an object into its field.
func (d *decoder) field(object *jsontree.Value, f *field, v *jsontree.Value, m protoreflect.Message, at *jsontree.Place) {
	if other := excludedBy(m, f.desc); other != nil {
		d.findings.Add(problem.Violation{
			Pointer: at.Pointer(), Code: problem.ViolationMutuallyExcluded,
			Detail:  "can't be given together with " + string(other.Name()) + "; give one of them",
			Allowed: strings.Join(memberNames(f.desc.ContainingOneof()), ", "),
		})
	}
	switch {
	case f.typedBy != nil:
		d.config(object, f, v, m, at)
	case f.desc.IsMap():
		d.mapping(f, v, m, at)
	case f.desc.IsList():
		d.list(f, v, m, at)
	default:
		if value, ok := d.value(f, f.desc, v, m.NewField(f.desc), at); ok {
			m.Set(f.desc, value)
		}
	}
}

func (d *decoder) list(f *field, v *jsontree.Value, m protoreflect.Message, at *jsontree.Place) {
	if v.Kind != jsontree.Array {
		d.wrongType(v, at, "a list", f.options.GetSecret())
		return
	}
	if len(v.Items) == 0 {
		return
	}
	entries := m.Mutable(f.desc).List()
	for i := range v.Items {
		place := at.Item(i)
		if value, ok := d.value(f, f.desc, &v.Items[i], entries.NewElement(), &place); ok {
			entries.Append(value)
		}
	}
}

func (d *decoder) mapping(f *field, v *jsontree.Value, m protoreflect.Message, at *jsontree.Place) {
	if v.Kind != jsontree.Object {
		d.wrongType(v, at, "an object", f.options.GetSecret())
		return
	}
	entries := m.NewField(f.desc).Map()
	for i := range v.Members {
		member := &v.Members[i]
		if member.Value.Removed {
			continue
		}
		place := at.Member(member.Name)
		key, ok := d.key(f.desc.MapKey(), member.Name, &place)
		if !ok {
			continue
		}
		if value, ok := d.value(f, f.desc.MapValue(), &member.Value, entries.NewValue(), &place); ok {
			entries.Set(key, value)
		}
	}
	if entries.Len() > 0 {
		m.Set(f.desc, protoreflect.ValueOfMap(entries))
	}
}

// value reads one value: a field's, a list entry's or a map value's. desc is its type; empty is a fresh value of it.
func (d *decoder) value(f *field, desc protoreflect.FieldDescriptor, v *jsontree.Value, empty protoreflect.Value, at *jsontree.Place) (protoreflect.Value, bool) {
	if desc.Message() != nil {
		return empty, d.message(v, empty.Message(), at)
	}
	value, flaw := scalar(desc, v)
	if flaw == nil {
		return value, true
	}
	flaw.Pointer = at.Pointer()
	if !f.options.GetSecret() {
		flaw.Given = form.Given(v.Brief())
	}
	d.findings.Add(*flaw)
	return value, false
}

// unknown tells of a name that no field has, and which one may have been meant.
func (d *decoder) unknown(p *plan, member *jsontree.Member, at *jsontree.Place) {
	if d.findings.Full() {
		return
	}
	detail := "there is no field of this name"
	if near := nearest(member.Name, p.names); near != "" {
		detail += "; did you mean " + near + "?"
	}
	d.findings.Add(problem.Violation{
		Pointer: at.Pointer(), Code: problem.ViolationUnknownField,
		Detail: detail, Given: form.Given(member.Name), Allowed: strings.Join(p.names, ", "),
	})
}

// wrongType tells of a value of another JSON type, and returns false.
func (d *decoder) wrongType(v *jsontree.Value, at *jsontree.Place, want string, secret bool) bool {
	violation := problem.Violation{
		Pointer: at.Pointer(), Code: problem.ViolationWrongType,
		Detail: "must be " + want + ", not " + v.Kind.String(), Allowed: want,
	}
	if !secret {
		violation.Given = form.Given(v.Brief())
	}
	d.findings.Add(violation)
	return false
}

// invalid tells of a text that doesn't have the right form, and returns false.
func (d *decoder) invalid(v *jsontree.Value, at *jsontree.Place, detail string) bool {
	d.findings.Add(problem.Violation{
		Pointer: at.Pointer(), Code: problem.ViolationInvalidFormat, Detail: detail, Given: form.Given(v.Brief()),
	})
	return false
}

func memberNames(oneof protoreflect.OneofDescriptor) []string {
	names := make([]string, oneof.Fields().Len())
	for i := range names {
		names[i] = string(oneof.Fields().Get(i).Name())
	}
	return names
}
