package resource

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/validate"
)

// Dialect is the JSON Schema dialect of the schemas.
const Dialect = "https://json-schema.org/draft/2020-12/schema"

// Schema returns the JSON Schema (2020-12) of a message by itself: what it holds is in its $defs. Titles, descriptions, defaults,
// limits and units come from the .proto. Our own keywords are
//
//	x-order        place of a property among its siblings, from 0
//	x-unit         unit of a number
//	x-reference    collection of which the text names an object
//	x-permission   permission that a writer needs besides that of the object, to give, change or take away the value
//	x-secret       the value is secret material
//	x-minimum      least duration, x-maximum greatest
//	x-typed-by     sibling that names the policy kind whose schema holds for this object
//	x-placeholder  shown in an empty input
//	x-advanced     folded away until asked for
//	x-multiline    the text has several lines
//	x-entry        what one entry of a list or map is called
//	x-key-title    what the names in a map are
//	x-presence     absent isn't the same as the type's zero: false and 0 are kept when given
//	x-oneofs       sets of properties of which at most one is given: name, title, description, required, members in order
//	x-enum-descriptions  what each value of "enum" means, in the same order
//
// A writer may also give null for a property, which is as good as leaving it out; no schema says so.
func Schema(md protoreflect.MessageDescriptor) map[string]any {
	s := schemas{refPrefix: "#/$defs/", made: map[string]any{}}
	root := s.message(md)
	root["$schema"] = Dialect
	delete(s.made, ComponentName(md))
	if s.refersTo(md) {
		// It holds itself: it must be in its own $defs as well.
		s.made[ComponentName(md)] = s.message(md)
	}
	if len(s.made) > 0 {
		root["$defs"] = s.made
	}
	return root
}

// Schemas returns the schemas of messages and of all that they hold by their component names. They refer to one another by refPrefix and
// that name: "#/components/schemas/" in an OpenAPI document.
func Schemas(refPrefix string, mds ...protoreflect.MessageDescriptor) map[string]any {
	s := schemas{refPrefix: refPrefix, made: map[string]any{}}
	for _, md := range mds {
		s.component(md)
	}
	return s.made
}

// ComponentName returns the name of a message's schema. A kind's configuration has Config behind its name, since a kind and what it is
// about are often called the same.
func ComponentName(md protoreflect.MessageDescriptor) string {
	for _, kind := range kinds.All() {
		if kind.New().ProtoReflect().Descriptor().FullName() == md.FullName() {
			return string(md.Name()) + "Config"
		}
	}
	return string(md.Name())
}

// schemas makes the schemas of messages, each once.
type schemas struct {
	refPrefix string
	made      map[string]any
	self      []protoreflect.FullName // messages that were referred to
}

func (s *schemas) refersTo(md protoreflect.MessageDescriptor) bool {
	return slices.Contains(s.self, md.FullName())
}

// component makes the schema of a message unless it is made already, and returns a reference to it.
func (s *schemas) component(md protoreflect.MessageDescriptor) map[string]any {
	name := ComponentName(md)
	s.self = append(s.self, md.FullName())
	if _, there := s.made[name]; !there {
		s.made[name] = nil // a message that holds itself ends here
		s.made[name] = s.message(md)
	}
	return map[string]any{"$ref": s.refPrefix + name}
}

func (s *schemas) message(md protoreflect.MessageDescriptor) map[string]any {
	schema := map[string]any{
		"type":                 "object",
		"title":                messageTitle(md),
		"additionalProperties": false,
	}
	if comment := Comment(md); comment != "" {
		schema["description"] = comment
	}
	properties := map[string]any{}
	for i := range md.Fields().Len() {
		field := md.Fields().Get(i)
		property := s.property(field)
		property["x-order"] = i
		properties[string(field.Name())] = property
	}
	schema["properties"] = properties
	if required := requiredFields(md); len(required) > 0 {
		schema["required"] = required
	}
	addOneofs(schema, md)
	addIdentity(properties, md)
	return schema
}

// requiredFields returns the fields that an object without any is refused for.
func requiredFields(md protoreflect.MessageDescriptor) []string {
	var names []string
	for _, v := range validate.Message(Defaulted(newMessage(md))) {
		name := strings.TrimPrefix(v.Pointer, "/")
		if md.Fields().ByName(protoreflect.Name(name)) != nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// addOneofs says that the members of a oneof exclude one another.
func addOneofs(schema map[string]any, md protoreflect.MessageDescriptor) {
	var all, described []any
	for i := range md.Oneofs().Len() {
		oneof := md.Oneofs().Get(i)
		if oneof.IsSynthetic() {
			continue
		}
		described = append(described, describeOneof(oneof))
		var choices, given []any
		for i := range oneof.Fields().Len() {
			name := string(oneof.Fields().Get(i).Name())
			choices = append(choices, map[string]any{"title": fieldTitle(oneof.Fields().Get(i)), "required": []string{name}})
			given = append(given, map[string]any{"required": []string{name}})
		}
		if !validate.Required(oneof) {
			choices = append(choices, map[string]any{"title": "None", "not": map[string]any{"anyOf": given}})
		}
		all = append(all, map[string]any{"oneOf": choices})
	}
	if len(described) > 0 {
		schema["x-oneofs"] = described
	}
	switch len(all) {
	case 0:
	case 1:
		schema["oneOf"] = all[0].(map[string]any)["oneOf"]
	default:
		schema["allOf"] = all
	}
}

// describeOneof says of a oneof what JSON Schema's "oneOf" can't: what it is about, and which fields are its members.
func describeOneof(oneof protoreflect.OneofDescriptor) map[string]any {
	described := map[string]any{
		"name": string(oneof.Name()), "title": words(string(oneof.Name())),
		"required": validate.Required(oneof), "members": memberNames(oneof),
	}
	if comment := Comment(oneof); comment != "" {
		described["description"] = comment
	}
	return described
}

// addIdentity adds what the registry says of the fields that every resource has.
func addIdentity(properties map[string]any, md protoreflect.MessageDescriptor) {
	for _, t := range types {
		if t.New().ProtoReflect().Descriptor() != md {
			continue
		}
		properties["id"].(map[string]any)["readOnly"] = true
		name := properties["name"].(map[string]any)
		if t.Singleton {
			name["const"] = t.Collection
		} else {
			name["pattern"] = NamePattern
		}
		properties["labels"].(map[string]any)["maxProperties"] = maxLabels
	}
}

// messageTitle returns "Environment settings" for EnvironmentSettings.
func messageTitle(md protoreflect.MessageDescriptor) string {
	return words(snakeCase(string(md.Name())))
}

// words returns "Response head" for response_head, and "API key" for api_key.
func words(name string) string {
	all := strings.Split(name, "_")
	for i, word := range all {
		if at := slices.IndexFunc(initialisms, func(known string) bool { return strings.EqualFold(known, word) }); at >= 0 {
			all[i] = initialisms[at]
		}
	}
	text := strings.Join(all, " ")
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// initialisms are words that titles have in capitals, or mostly.
var initialisms = []string{"ACL", "API", "CEL", "CIDR", "CORS", "DNS", "HTTP", "ID", "IP", "JSON", "JWT", "OpenAPI", "SQL", "TLS", "TTL", "URI", "URL", "WAF", "XML"}

// KindTitle returns what people call a kind of policies ("API key" for api-key).
func KindTitle(kind string) string { return words(strings.ReplaceAll(kind, "-", "_")) }
