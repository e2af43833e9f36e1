package cors

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Origins that have no host.
const (
	Any  = "*"    // every origin but Null
	Null = "null" // what documents without an origin send: sandboxed frames, local files
)

// Origin is an origin that has a host, or all of them below a domain.
type Origin struct {
	// Text is the origin as browsers send it; of a wildcard as it was written.
	Text string
	// Prefix and Suffix are what the origins of a wildcard begin and end with ("https://", ".example.com:8443"); "": it is exact.
	Prefix, Suffix string
}

// Wildcard tells whether it stands for all origins below a domain.
func (o Origin) Wildcard() bool { return o.Suffix != "" }

var (
	errNoScheme  = errors.New(`must be scheme and host, like "https://app.example.com", "https://*.example.com", "*" or "null"`)
	errScheme    = errors.New("its scheme must have lower-case letters, digits, and + - . only")
	errPath      = errors.New("has a path or a slash at its end; an origin is scheme, host and port alone")
	errPort      = errors.New("its port must be a number from 1 to 65535, without zeros in front")
	errOriginIP6 = errors.New("an IPv6 address stands in brackets, in its shortest form, without zone")
	errHost      = errors.New("its host must be an address, or a name of lower-case letters, digits, hyphens and underscores (others as xn--…)")
	errWide      = errors.New(`a wildcard stands for the first label alone, before a domain of two or more labels: "https://*.example.com"`)
)

// ParseOrigin reads an origin in the one form in which browsers serialize it (HTML standard, "ASCII serialization of an origin"), or a
// wildcard. It knows neither Any nor Null.
func ParseOrigin(text string) (Origin, error) {
	scheme, authority, found := strings.Cut(text, "://")
	if !found || scheme == "" || authority == "" {
		return Origin{}, errNoScheme
	}
	if strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" || scheme[0] < 'a' {
		return Origin{}, errScheme
	}
	if strings.ContainsAny(authority, "/?#@") {
		return Origin{}, errPath
	}
	host, port, err := splitPort(authority)
	if err != nil {
		return Origin{}, err
	}
	if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		return Origin{}, fmt.Errorf("names its scheme's own port, which browsers leave out: %s://%s", scheme, host) //nolint:err113 // made for the user
	}
	rest, wildcard := strings.CutPrefix(host, "*.")
	if err := checkHost(rest); err != nil {
		return Origin{}, err
	}
	if !wildcard {
		return Origin{Text: text}, nil
	}
	if _, err := netip.ParseAddr(rest); err == nil || !strings.Contains(rest, ".") || rest[0] == '[' {
		return Origin{}, errWide
	}
	return Origin{Text: text, Prefix: scheme + "://", Suffix: authority[len("*"):]}, nil
}

func splitPort(authority string) (host, port string, err error) {
	colon := strings.LastIndexByte(authority, ':')
	if colon < 0 || strings.HasSuffix(authority, "]") {
		return authority, "", nil
	}
	host, port = authority[:colon], authority[colon+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '0' {
		return "", "", errPort
	}
	return host, port, nil
}

// checkHost checks what stands behind the scheme, or behind the wildcard.
func checkHost(host string) error {
	if strings.Contains(host, "*") {
		return errWide
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		inner, closed := strings.CutSuffix(inner, "]")
		address, err := netip.ParseAddr(inner)
		if !closed || err != nil || !address.Is6() || address.Zone() != "" || address.String() != inner {
			return errOriginIP6
		}
		return nil
	}
	if len(host) > 253 {
		return errHost
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return errHost
		}
	}
	return nil
}
