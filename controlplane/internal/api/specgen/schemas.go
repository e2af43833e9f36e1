package main

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/resource"
)

// messageSchemas returns the schemas of every body: the messages of the admin API, the resources of the
// configuration, and the configurations of all policy kinds.
func messageSchemas() document {
	var bodies []protoreflect.MessageDescriptor
	for _, file := range []protoreflect.FileDescriptor{adminv1.File_sallyport_admin_v1_admin_proto, adminv1.File_sallyport_admin_v1_epochs_proto} {
		for i := range file.Messages().Len() {
			bodies = append(bodies, file.Messages().Get(i))
		}
	}
	for _, t := range resource.Types() {
		bodies = append(bodies, t.New().ProtoReflect().Descriptor())
	}
	for _, kind := range kinds.All() {
		bodies = append(bodies, kind.New().ProtoReflect().Descriptor())
	}
	return resource.Schemas("#/components/schemas/", bodies...)
}
