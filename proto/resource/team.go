package resource

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Teams is the collection that the field "team" refers to.
const Teams = "teams"

const teamField protoreflect.Name = "team"

// HasTeam tells whether objects of a message's type can belong to a team. Those that can't are the environment's own.
func HasTeam(m proto.Message) bool {
	return m.ProtoReflect().Descriptor().Fields().ByName(teamField) != nil
}

// TeamOf returns the team that an object belongs to; "" when it is the environment's own.
func TeamOf(m proto.Message) string {
	r := m.ProtoReflect()
	fd := r.Descriptor().Fields().ByName(teamField)
	if fd == nil {
		return ""
	}
	return r.Get(fd).String()
}

// SetTeam says which team an object belongs to. Its type must have the field.
func SetTeam(m proto.Message, team string) {
	r := m.ProtoReflect()
	r.Set(r.Descriptor().Fields().ByName(teamField), protoreflect.ValueOfString(team))
}
