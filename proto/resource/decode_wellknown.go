package resource

import (
	"math/big"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// wellKnown reads a value into a message that has a JSON form of its own.
func (d *decoder) wellKnown(v *jsontree.Value, m protoreflect.Message, at *jsontree.Place) bool {
	switch into := m.Interface().(type) {
	case *durationpb.Duration:
		return d.duration(v, into, at)
	case *timestamppb.Timestamp:
		return d.timestamp(v, into, at)
	case *structpb.Struct:
		return d.structure(v, into, at)
	case *structpb.ListValue:
		return d.listValue(v, into, at)
	case *structpb.Value:
		return d.anyValue(v, into, at)
	}
	d.findings.Add(problem.Violation{
		Pointer: at.Pointer(), Code: problem.ViolationNotSupported, Detail: "a value of this type can't be given as JSON",
	})
	return false
}

func (d *decoder) duration(v *jsontree.Value, into *durationpb.Duration, at *jsontree.Place) bool {
	if v.Kind != jsontree.String {
		return d.wrongType(v, at, "a duration in quotes", false)
	}
	parsed, err := form.ParseDuration(v.Text)
	if err != nil {
		return d.invalid(v, at, "is no duration: "+err.Error())
	}
	proto.Merge(into, parsed)
	return true
}

func (d *decoder) timestamp(v *jsontree.Value, into *timestamppb.Timestamp, at *jsontree.Place) bool {
	if v.Kind != jsontree.String {
		return d.wrongType(v, at, "a time in quotes", false)
	}
	parsed, err := form.ParseTime(v.Text)
	if err != nil {
		return d.invalid(v, at, "is no time: "+err.Error())
	}
	proto.Merge(into, parsed)
	return true
}

func (d *decoder) structure(v *jsontree.Value, into *structpb.Struct, at *jsontree.Place) bool {
	if v.Kind != jsontree.Object {
		return d.wrongType(v, at, "an object", false)
	}
	into.Fields = make(map[string]*structpb.Value, len(v.Members))
	all := true
	for i := range v.Members {
		member := &v.Members[i]
		if member.Value.Removed {
			continue
		}
		place, value := at.Member(member.Name), &structpb.Value{}
		all = d.anyValue(&member.Value, value, &place) && all
		into.Fields[member.Name] = value
	}
	return all
}

func (d *decoder) listValue(v *jsontree.Value, into *structpb.ListValue, at *jsontree.Place) bool {
	if v.Kind != jsontree.Array {
		return d.wrongType(v, at, "a list", false)
	}
	all := true
	for i := range v.Items {
		place, value := at.Item(i), &structpb.Value{}
		all = d.anyValue(&v.Items[i], value, &place) && all
		into.Values = append(into.Values, value)
	}
	return all
}

func (d *decoder) anyValue(v *jsontree.Value, into *structpb.Value, at *jsontree.Place) bool {
	switch v.Kind {
	case jsontree.Null:
		into.Kind = &structpb.Value_NullValue{}
	case jsontree.Bool:
		into.Kind = &structpb.Value_BoolValue{BoolValue: v.True}
	case jsontree.String:
		into.Kind = &structpb.Value_StringValue{StringValue: v.Text}
	case jsontree.Number:
		return d.double(v, into, at)
	case jsontree.Array:
		inner := &structpb.ListValue{}
		into.Kind = &structpb.Value_ListValue{ListValue: inner}
		return d.listValue(v, inner, at)
	case jsontree.Object:
		inner := &structpb.Struct{}
		into.Kind = &structpb.Value_StructValue{StructValue: inner}
		return d.structure(v, inner, at)
	}
	return true
}

// double reads a number of a Struct, all of which are IEEE 754 doubles. An integer that a double can't hold exactly is refused:
// it would come out as another one.
func (d *decoder) double(v *jsontree.Value, into *structpb.Value, at *jsontree.Place) bool {
	f, err := strconv.ParseFloat(v.Text, 64)
	exact := err == nil
	if exact && len(v.Text) > 15 && !strings.ContainsAny(v.Text, ".eE") {
		whole, ok := new(big.Float).SetPrec(0).SetString(v.Text)
		exact = ok && len(v.Text) <= maxExactDigits && whole.Cmp(big.NewFloat(f)) == 0
	}
	if !exact {
		d.findings.Add(problem.Violation{
			Pointer: at.Pointer(), Code: problem.ViolationOutOfRange,
			Detail: "can't be held exactly as a number of 64 bits (IEEE 754)", Given: form.Given(v.Text),
		})
		return false
	}
	into.Kind = &structpb.Value_NumberValue{NumberValue: f}
	return true
}

// maxExactDigits bounds the integers that are compared digit by digit.
const maxExactDigits = 32

// config reads the configuration of the kind that the sibling field names.
func (d *decoder) config(object *jsontree.Value, f *field, v *jsontree.Value, m protoreflect.Message, at *jsontree.Place) {
	sibling := object.Member(f.typedBy.name)
	if sibling == nil || sibling.Kind == jsontree.Null {
		d.kindFlaw(f, at, problem.ViolationRequired, "must be given: it says how "+f.name+" is read", "")
		return
	}
	if sibling.Kind != jsontree.String {
		return // its own violation
	}
	kind, ok := kinds.ByName(sibling.Text)
	if !ok {
		d.kindFlaw(f, at, problem.ViolationUnknownKind, unknownKind(sibling.Text), sibling.Text)
		return
	}
	config := kind.New()
	if !d.message(v, config.ProtoReflect(), at) {
		return
	}
	packed, err := pack(kind.TypeURL(), config)
	if err != nil {
		d.invalid(v, at, "can't be stored as a configuration of kind "+kind.Name)
		return
	}
	m.Set(f.desc, protoreflect.ValueOfMessage(packed.ProtoReflect()))
}

// kindFlaw tells of the sibling that names the kind.
func (d *decoder) kindFlaw(f *field, at *jsontree.Place, code, detail, given string) {
	pointer := strings.TrimSuffix(at.Pointer(), problem.Pointer(f.name)) + problem.Pointer(f.typedBy.name)
	d.findings.Add(problem.Violation{
		Pointer: pointer, Code: code, Detail: detail, Given: form.Given(given), Allowed: strings.Join(kinds.Names(), ", "),
	})
}

// unknownKind says that there is no such kind, and which one may have been meant.
func unknownKind(name string) string {
	if near := nearest(name, kinds.Names()); near != "" {
		return "there is no policy kind of this name; did you mean " + near + "?"
	}
	return "there is no policy kind of this name"
}

// pack puts a configuration into an Any, always with the same bytes.
func pack(typeURL string, config proto.Message) (*anypb.Any, error) {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(config)
	if err != nil {
		return nil, err
	}
	return &anypb.Any{TypeUrl: typeURL, Value: value}, nil
}
