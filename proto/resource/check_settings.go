package resource

import (
	"net/netip"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
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
func CheckRanges(pointer string, ranges []string) []problem.Violation {
	var violations []problem.Violation
	for i, given := range ranges {
		violations = append(violations, CheckRange(pointer+problem.Pointer(i), given)...)
	}
	return violations
}

// CheckRange is CheckRanges for a single one.
func CheckRange(pointer, given string) []problem.Violation {
	detail := rangeDetail(given)
	if detail == "" {
		return nil
	}
	return []problem.Violation{{
		Pointer: pointer, Code: problem.ViolationInvalidFormat, Given: form.Given(given),
		Detail: detail, Allowed: `"10.0.0.0/8", "fd00::/8", "192.0.2.7/32"`,
	}}
}

// rangeDetail says what is wrong with a range; "" when nothing is.
func rangeDetail(given string) string {
	prefix, err := netip.ParsePrefix(given)
	if err != nil {
		if address, err := netip.ParseAddr(given); err == nil && address.Zone() == "" {
			return "must be a range; for this one address write " + netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()).String()
		}
		return "must be an address range (CIDR)"
	}
	if prefix.Addr().Is4In6() {
		return "must be written as an IPv4 range"
	}
	if canonical := prefix.Masked().String(); canonical != given {
		return "must be in its canonical form, " + canonical
	}
	return ""
}
