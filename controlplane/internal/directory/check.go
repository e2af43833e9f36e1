package directory

import (
	"slices"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/resource/form"
	"github.com/sallyport/sallyport/proto/validate"
)

// Check returns everything that is wrong with an object as a writer gave it, by itself. stored is the
// object as it is, an empty message when it is new.
func Check(given, stored Message) []problem.Violation {
	violations := outputOnly(given, stored)
	violations = append(violations, resource.CheckName(given.GetName())...)
	violations = append(violations, resource.CheckLabels(given.GetLabels())...)
	violations = append(violations, validate.Message(resource.Defaulted[proto.Message](given))...)
	switch m := given.(type) {
	case *adminv1.ApiKey:
		violations = append(violations, resource.CheckRanges("/addresses", m.GetAddresses())...)
		violations = append(violations, checkKey(m)...)
	case *adminv1.Password:
		violations = append(violations, resource.CheckRanges("/addresses", m.GetAddresses())...)
	case *adminv1.Block:
		violations = append(violations, checkBlock(m)...)
	}
	return violations
}

// checkKey returns what is wrong with a key's routes, and with how long it may be silent.
func checkKey(m *adminv1.ApiKey) []problem.Violation {
	var violations []problem.Violation
	for i, text := range m.GetRoutes() {
		if _, err := parseRoute(text); err != nil {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("routes", i), Code: problem.ViolationInvalidFormat, Given: form.Given(text),
				Detail: "is neither a route's id nor a service's; names aren't taken, since they may become another's", Allowed: "rt_… or svc_…",
			})
		}
	}
	if m.GetRetireAfterSilence().GetNanos() != 0 {
		violations = append(violations, problem.Violation{
			Pointer: "/retire_after_silence", Code: problem.ViolationInvalidValue, Detail: "must be whole seconds", Allowed: "\"2160h\"",
		})
	}
	return violations
}

// outputOnly returns what is wrong with the fields that only the server sets. What is counted all the while is passed over, so that an
// answer can be sent back as it came.
func outputOnly(given, stored proto.Message) []problem.Violation {
	return slices.DeleteFunc(resource.CheckOutputOnly(stored, given), func(v problem.Violation) bool { return v.Pointer == problem.Pointer(string(lastUsed)) })
}

// KeepOutputOnly gives a message the fields that only the server sets, as they are stored.
func KeepOutputOnly(m, stored proto.Message) {
	to, from := m.ProtoReflect(), stored.ProtoReflect()
	fds := to.Descriptor().Fields()
	for i := range fds.Len() {
		fd := fds.Get(i)
		if !resource.Options(fd).GetOutputOnly() {
			continue
		}
		if from.Has(fd) {
			to.Set(fd, from.Get(fd))
		} else {
			to.Clear(fd)
		}
	}
}
