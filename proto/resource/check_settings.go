package resource

import (
	"slices"
	"time"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/ranges"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// checkSettings checks the address ranges, and what browsers are told.
func checkSettings(settings *configv1.EnvironmentSettings) []problem.Violation {
	return slices.Concat(
		CheckRanges("/trusted_proxies", settings.GetTrustedProxies()),
		CheckRanges("/allowed_target_ranges", settings.GetAllowedTargetRanges()),
		CheckRanges("/proxy_protocol_from", settings.GetProxyProtocolFrom()),
		checkHsts(settings.GetTls().GetHsts()),
	)
}

// leastPreload is how long hosts that browsers build in must keep to https, as those who build them in demand.
const leastPreload = 365 * 24 * time.Hour

func checkHsts(hsts *configv1.Hsts) []problem.Violation {
	if !hsts.GetPreload() || hsts.GetIncludeSubdomains() && hsts.GetMaxAge().AsDuration() >= leastPreload {
		return nil
	}
	return []problem.Violation{{
		Pointer: "/tls/hsts/preload", Code: problem.ViolationInvalidValue, Given: "true",
		Detail: "asks for include_subdomains and a max_age of a year at least: browsers that build a host in keep to it for long",
	}}
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
