package resource

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

const addressWords = `a host name or address and a port: "orders.internal:80", "10.0.3.7:8080", "[fd00::7]:8080"`

const (
	maxHost  = 253 // RFC 1035 §2.3.4, as text
	maxLabel = 63
)

var (
	errNoPort        = errors.New("the port is missing")
	errPort          = errors.New("the port must be a number from 1 to 65535")
	errNoHost        = errors.New("the host is missing")
	errBrackets      = errors.New("an IPv6 address stands in brackets")
	errIPv6          = errors.New("what stands in brackets is no IPv6 address in its shortest form, without zone")
	errIPv4          = errors.New("a host that ends in a number must be an IPv4 address of four decimal numbers")
	errHostTooLong   = errors.New("a host name has at most 253 characters")
	errHostLabel     = errors.New("the parts of a host name have 1 to 63 characters, and no hyphen at either end")
	errHostCharacter = errors.New("a host name has lower-case letters, digits, hyphens and underscores (others as xn--…)")
)

// checkAddress checks a target's host:port. An address has one form only, so that two of them are equal when their texts are.
func checkAddress(address string) error {
	colon := strings.LastIndexByte(address, ':')
	if colon < 0 || strings.HasSuffix(address, "]") {
		return errNoPort
	}
	host, port := address[:colon], address[colon+1:]
	if err := checkPort(port); err != nil {
		return err
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return checkIPv6(inner)
	}
	switch {
	case host == "":
		return errNoHost
	case strings.Contains(host, ":"):
		return errBrackets
	}
	return checkHost(strings.TrimSuffix(host, ".")) // absolute names end with a dot
}

func checkPort(port string) error {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '0' || port[0] == '+' {
		return errPort
	}
	return nil
}

func checkIPv6(bracketed string) error {
	text, ok := strings.CutSuffix(bracketed, "]")
	address, err := netip.ParseAddr(text)
	if !ok || err != nil || !address.Is6() || address.Is4In6() || address.Zone() != "" || address.String() != text {
		return errIPv6
	}
	return nil
}

// checkHost checks a host name or IPv4 address. What ends in a number can't be a name: some resolvers would read it as an
// address, in octal or with parts left out.
func checkHost(host string) error {
	if len(host) > maxHost {
		return errHostTooLong
	}
	labels := strings.Split(host, ".")
	if isNumeric(labels[len(labels)-1]) {
		if address, err := netip.ParseAddr(host); err != nil || !address.Is4() {
			return errIPv4
		}
		return nil
	}
	for _, label := range labels {
		if err := checkLabel(label); err != nil {
			return err
		}
	}
	return nil
}

// isNumeric tells whether a label is a number, in decimal or hexadecimal.
func isNumeric(label string) bool {
	if label == "" {
		return false
	}
	if strings.HasPrefix(label, "0x") {
		return strings.Trim(label[2:], "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func checkLabel(label string) error {
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return errHostLabel
	}
	for _, c := range []byte(label) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return errHostCharacter
		}
	}
	return nil
}
