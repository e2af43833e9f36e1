package access

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1" // its fields are walked
	"github.com/sallyport/sallyport/proto/resource"
)

// TestFieldsAskForPermissionsThatThereAre: a field that names one that nobody knows is nobody's, and one outside of the configuration is everybody's, since
// only what is written to that is held to it.
func TestFieldsAskForPermissionsThatThereAre(t *testing.T) {
	found := map[protoreflect.FullName]string{}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Messages().Len() {
			eachGuarded(file.Messages().Get(i), func(field protoreflect.FieldDescriptor, permission string) {
				found[field.FullName()] = permission
				if p := Permission(permission); !Known(p) || p == Public || p == SignedIn {
					t.Errorf("%s asks for %q, which nobody can hold", field.FullName(), permission)
				}
				if name := file.Package(); name != "sallyport.config.v1" && name != "sallyport.policy.v1" {
					t.Errorf("%s asks for a permission in %s, whose objects aren't held to it", field.FullName(), name)
				}
			})
		}
		return true
	})
	for _, name := range []protoreflect.FullName{"sallyport.policy.v1.Waf.seclang_before", "sallyport.policy.v1.Waf.seclang_after"} {
		if found[name] != string(WriteRawRules) {
			t.Errorf("%s asks for %q", name, found[name])
		}
	}
}

func eachGuarded(message protoreflect.MessageDescriptor, visit func(protoreflect.FieldDescriptor, string)) {
	for i := range message.Fields().Len() {
		if permission := resource.Options(message.Fields().Get(i)).GetPermission(); permission != "" {
			visit(message.Fields().Get(i), permission)
		}
	}
	for i := range message.Messages().Len() {
		eachGuarded(message.Messages().Get(i), visit)
	}
}
