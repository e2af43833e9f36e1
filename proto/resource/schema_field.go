package resource

import (
	"encoding/json"
	"math"

	rulesv1 "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport/sallyport/proto/resource/form"
	"github.com/sallyport/sallyport/proto/validate"
)

// property returns the schema of a field.
func (s *schemas) property(field protoreflect.FieldDescriptor) map[string]any {
	rules := validate.Rules(field)
	var schema map[string]any
	switch {
	case field.IsMap():
		schema = s.mapping(field, rules.GetMap())
	case field.IsList():
		schema = s.list(field, rules.GetRepeated())
	default:
		schema = s.value(field, rules)
	}
	addOptions(schema, field)
	return schema
}

func (s *schemas) mapping(field protoreflect.FieldDescriptor, rules *rulesv1.MapRules) map[string]any {
	schema := map[string]any{
		"type":                 "object",
		"additionalProperties": s.value(field.MapValue(), rules.GetValues()),
	}
	if names := limitString(map[string]any{}, rules.GetKeys().GetString()); len(names) > 0 {
		schema["propertyNames"] = names
	}
	if rules.HasMinPairs() {
		schema["minProperties"] = rules.GetMinPairs()
	}
	if rules.HasMaxPairs() {
		schema["maxProperties"] = rules.GetMaxPairs()
	}
	return schema
}

func (s *schemas) list(field protoreflect.FieldDescriptor, rules *rulesv1.RepeatedRules) map[string]any {
	schema := map[string]any{"type": "array", "items": s.value(field, rules.GetItems())}
	if rules.HasMinItems() {
		schema["minItems"] = rules.GetMinItems()
	}
	if rules.HasMaxItems() {
		schema["maxItems"] = rules.GetMaxItems()
	}
	if rules.GetUnique() {
		schema["uniqueItems"] = true
	}
	return schema
}

// value returns the schema of a single value: a field's, a list entry's or a map value's.
func (s *schemas) value(field protoreflect.FieldDescriptor, rules *rulesv1.FieldRules) map[string]any {
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return s.held(field, rules)
	case protoreflect.BoolKind:
		schema := map[string]any{"type": "boolean"}
		if rules.GetBool().HasConst() {
			schema["const"] = rules.GetBool().GetConst()
		}
		return schema
	case protoreflect.StringKind:
		return limitString(map[string]any{"type": "string"}, rules.GetString())
	case protoreflect.BytesKind:
		return map[string]any{"type": "string", "contentEncoding": "base64"}
	case protoreflect.EnumKind:
		return enumSchema(field.Enum())
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return limitNumber(map[string]any{"type": "number"}, rules)
	default:
		return limitNumber(integerSchema(field.Kind()), rules)
	}
}

// held returns the schema of a message in a field.
func (s *schemas) held(field protoreflect.FieldDescriptor, rules *rulesv1.FieldRules) map[string]any {
	switch field.Message().FullName() {
	case durationName:
		return durationSchema(rules.GetDuration())
	case timestampName:
		return map[string]any{"type": "string", "format": "date-time"}
	case structName, anyName:
		return map[string]any{"type": "object"}
	case listName:
		return map[string]any{"type": "array"}
	case valueName:
		return map[string]any{}
	}
	return s.component(field.Message())
}

func enumSchema(enum protoreflect.EnumDescriptor) map[string]any {
	var descriptions []string
	for i := range enum.Values().Len() {
		if value := enum.Values().Get(i); value.Number() != 0 {
			descriptions = append(descriptions, Comment(value))
		}
	}
	return map[string]any{"type": "string", "enum": form.EnumNames(enum), "x-enum-descriptions": descriptions}
}

func durationSchema(rules *rulesv1.DurationRules) map[string]any {
	schema := map[string]any{
		"type": "string", "pattern": form.DurationPattern, "x-format": "duration", "examples": []string{"250ms", "1m30s"},
	}
	limit := func(keyword string, set bool, d *durationpb.Duration) {
		if set {
			schema[keyword] = form.Duration(d)
		}
	}
	limit("x-minimum", rules.HasGte(), rules.GetGte())
	limit("x-maximum", rules.HasLte(), rules.GetLte())
	limit("x-exclusive-minimum", rules.HasGt(), rules.GetGt())
	limit("x-exclusive-maximum", rules.HasLt(), rules.GetLt())
	return schema
}

func limitString(schema map[string]any, rules *rulesv1.StringRules) map[string]any {
	if rules.HasMinLen() {
		schema["minLength"] = rules.GetMinLen()
	}
	if rules.HasMaxLen() {
		schema["maxLength"] = rules.GetMaxLen()
	} else if rules.HasMaxBytes() {
		schema["maxLength"] = rules.GetMaxBytes() // no text has more characters than bytes
	}
	if rules.HasPattern() {
		schema["pattern"] = rules.GetPattern()
	}
	if in := rules.GetIn(); len(in) > 0 {
		schema["enum"] = in
	}
	if rules.HasConst() {
		schema["const"] = rules.GetConst()
	}
	return schema
}

// integerSchema returns the schema of an integer, with the bounds of its type where every reader of JSON holds them exactly.
func integerSchema(kind protoreflect.Kind) map[string]any {
	schema := map[string]any{"type": "integer"}
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		schema["minimum"], schema["maximum"] = math.MinInt32, math.MaxInt32
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		schema["minimum"], schema["maximum"] = 0, math.MaxUint32
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		schema["minimum"] = 0
	default:
	}
	return schema
}

// limitNumber adds the limits of whichever numeric rules a field has.
func limitNumber(schema map[string]any, rules *rulesv1.FieldRules) map[string]any {
	if rules == nil {
		return schema
	}
	rules.ProtoReflect().Range(func(of protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if of.Message() == nil || of.IsList() || of.Message().Fields().ByName("gte") == nil {
			return true
		}
		for rule, keyword := range map[protoreflect.Name]string{
			"gte": "minimum", "lte": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum", "const": "const",
		} {
			if limit := of.Message().Fields().ByName(rule); limit != nil && v.Message().Has(limit) {
				schema[keyword] = v.Message().Get(limit).Interface()
			}
		}
		if in := of.Message().Fields().ByName("in"); in != nil && v.Message().Get(in).List().Len() > 0 {
			schema["enum"] = valuesOf(v.Message().Get(in).List())
		}
		return true
	})
	return schema
}

func valuesOf(list protoreflect.List) []any {
	values := make([]any, list.Len())
	for i := range values {
		values[i] = list.Get(i).Interface()
	}
	return values
}

// addOptions adds what the .proto says of a field in words and options.
func addOptions(schema map[string]any, field protoreflect.FieldDescriptor) {
	options := Options(field)
	set := func(keyword string, given bool, value any) {
		if given {
			schema[keyword] = value
		}
	}
	rendered := options.GetForm()
	comment := Comment(field)
	schema["title"] = fieldTitle(field)
	set("description", comment != "", comment)
	set("default", options.GetDefault() != "", json.RawMessage(options.GetDefault()))
	set("x-unit", options.GetUnit() != "", options.GetUnit())
	set("x-reference", options.GetReference() != "", options.GetReference())
	set("x-permission", options.GetPermission() != "", options.GetPermission())
	set("x-secret", options.GetSecret(), true)
	set("writeOnly", options.GetSecret() && !options.GetOutputOnly(), true)
	set("readOnly", options.GetOutputOnly(), true)
	set("x-typed-by", options.GetTypedBy() != "", options.GetTypedBy())
	set("examples", len(options.GetExamples()) > 0, options.GetExamples())
	set("x-placeholder", rendered.GetPlaceholder() != "", rendered.GetPlaceholder())
	set("x-advanced", rendered.GetAdvanced(), true)
	set("x-multiline", rendered.GetMultiline(), true)
	set("x-entry", rendered.GetEntry() != "", rendered.GetEntry())
	set("x-key-title", rendered.GetKeyTitle() != "", rendered.GetKeyTitle())
	set("x-presence", field.HasOptionalKeyword(), true)
}

// fieldTitle is what people call a field.
func fieldTitle(field protoreflect.FieldDescriptor) string {
	if title := Options(field).GetForm().GetTitle(); title != "" {
		return title
	}
	return words(string(field.Name()))
}
