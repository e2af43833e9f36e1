package resource

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Messages that have a JSON form of their own.
const (
	durationName  protoreflect.FullName = "google.protobuf.Duration"
	timestampName protoreflect.FullName = "google.protobuf.Timestamp"
	anyName       protoreflect.FullName = "google.protobuf.Any"
	structName    protoreflect.FullName = "google.protobuf.Struct"
	valueName     protoreflect.FullName = "google.protobuf.Value"
	listName      protoreflect.FullName = "google.protobuf.ListValue"
)

func isWellKnown(md protoreflect.MessageDescriptor) bool {
	switch md.FullName() {
	case durationName, timestampName, anyName, structName, valueName, listName:
		return true
	}
	return false
}

// newMessage returns an empty message of a type: the generated one where there is one.
func newMessage(md protoreflect.MessageDescriptor) proto.Message {
	if mt, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName()); err == nil && mt.Descriptor() == md {
		return mt.New().Interface()
	}
	return dynamicpb.NewMessage(md)
}
