package ranges

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// Allowed are examples of what may be written, for violations.
const Allowed = `"10.0.0.0/8", "fd00::/8", "192.0.2.7/32"`

// Flaw says what is wrong with a range; "" when nothing is. A single address is no range.
func Flaw(given string) string {
	prefix, err := netip.ParsePrefix(given)
	if err != nil {
		if address, err := netip.ParseAddr(given); err == nil && address.Zone() == "" {
			return "must be a range; for this one address write " + single(address).String()
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

// Parse reads an address or a range. What isn't in its one form is refused, with the right one where it can be told.
func Parse(given string) (netip.Prefix, error) {
	prefix, flaw := parse(given)
	if flaw != "" {
		return netip.Prefix{}, fmt.Errorf("%w: it %s", errForm, flaw)
	}
	return prefix, nil
}

var errForm = errors.New("not an address or range")

func parse(given string) (prefix netip.Prefix, flaw string) {
	address, err := netip.ParseAddr(given)
	if err != nil {
		if flaw = Flaw(given); flaw == "" {
			prefix, _ = netip.ParsePrefix(given) // Flaw has read it
		}
		return prefix, flaw
	}
	if address.Zone() != "" {
		return prefix, "must be an address without zone"
	}
	if prefix = single(address); prefix.Addr().String() != given {
		return prefix, "must be in its canonical form, " + prefix.Addr().String()
	}
	return prefix, ""
}

// ParseAll reads a list of addresses and ranges into a set.
func ParseAll(given []string) (Set, error) {
	prefixes := make([]netip.Prefix, len(given))
	for i, text := range given {
		prefix, err := Parse(text)
		if err != nil {
			return Set{}, fmt.Errorf("[%d]: %w", i, err)
		}
		prefixes[i] = prefix
	}
	return NewSet(prefixes), nil
}

// Check returns what is wrong with a list of addresses and ranges, each named by at: entries that can't be read, and those that say the same as
// an earlier one. What is empty is left to the field's rules.
func Check(given []string, at func(i int) string) []problem.Violation {
	var violations []problem.Violation
	first := make(map[netip.Prefix]int, len(given))
	for i, text := range given {
		if text == "" {
			continue
		}
		prefix, flaw := parse(text)
		if flaw != "" {
			violations = append(violations, problem.Violation{
				Pointer: at(i), Code: problem.ViolationInvalidFormat, Given: form.Given(text),
				Detail: flaw, Allowed: `"192.0.2.7", ` + Allowed,
			})
			continue
		}
		if j, twice := first[prefix]; twice {
			violations = append(violations, problem.Violation{
				Pointer: at(i), Code: problem.ViolationNotUnique, Given: form.Given(text),
				Detail: fmt.Sprintf("is the same as entry %d; give it once", j),
			})
			continue
		}
		first[prefix] = i
	}
	return violations
}

func single(address netip.Addr) netip.Prefix {
	address = address.Unmap()
	return netip.PrefixFrom(address, address.BitLen())
}
