package resource

import (
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/ranges"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// checkSettings checks the address ranges.
func checkSettings(settings *configv1.EnvironmentSettings) []problem.Violation {
	return append(
		CheckRanges("/trusted_proxies", settings.GetTrustedProxies()),
		CheckRanges("/allowed_target_ranges", settings.GetAllowedTargetRanges())...)
}

// CheckRanges returns what is wrong with a list of address ranges (CIDR), pointing at the entries below pointer. A range has one
// form only: the network's first address in its shortest form, a slash, the length.
func CheckRanges(pointer string, texts []string) []problem.Violation {
	var violations []problem.Violation
	for i, given := range texts {
		violations = append(violations, CheckRange(pointer+problem.Pointer(i), given)...)
	}
	return violations
}

// CheckRange is CheckRanges for a single one.
func CheckRange(pointer, given string) []problem.Violation {
	detail := ranges.Flaw(given)
	if detail == "" {
		return nil
	}
	return []problem.Violation{{
		Pointer: pointer, Code: problem.ViolationInvalidFormat, Given: form.Given(given),
		Detail: detail, Allowed: ranges.Allowed,
	}}
}
