package headers

import "bytes"

// Side is which message a field is of.
type Side uint8

// The sides.
const (
	Request  Side = iota // from the client to the service
	Response             // from the service to the client
)

// ownPrefixes begin names by which the gateway, and proxies before it, say of a request who makes it.
var ownPrefixes = [...]string{"x-sallyport-", "x-forwarded-"}

// framing are the fields of one connection or of the message's own form, with why they can't be changed.
var framing = names("is of one connection, or says where the message ends",
	"connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authenticate",
	"proxy-authorization", "proxy-authentication-info", "http2-settings", "expect", "content-length")

// ofRequests can't be changed on a request.
var ofRequests = merge(
	names("names the host asked for, by which the service was chosen", "host"),
	names("is said by the gateway alone", "x-request-id", "forwarded", "x-forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip",
		"true-client-ip", "remote-user", "x-remote-user", "proxy"),
	names("makes some services see another path or method than the one that was decided on", "x-original-url", "x-original-uri",
		"x-rewrite-url", "x-http-method", "x-http-method-override", "x-method-override"),
)

// ofResponses can't be changed on an answer.
var ofResponses = names("is said by the gateway alone", "x-request-id")

// Refused tells why a field may not be changed; "" when it may. Names are compared without regard to case, and '_' or '.'
// counts as '-': many services read X_Forwarded_For as X-Forwarded-For.
func Refused(side Side, name string) string {
	var buffer [longestName]byte // so that the edge can ask without allocating
	folded := appendFolded(buffer[:0], name)
	if why := framing[string(folded)]; why != "" {
		return why
	}
	for _, prefix := range ownPrefixes {
		if bytes.HasPrefix(folded, []byte(prefix)) && (side == Request || prefix == ownPrefixes[0]) {
			return "is said by the gateway alone"
		}
	}
	if side == Request {
		return ofRequests[string(folded)]
	}
	return ofResponses[string(folded)]
}

// KeptOnRejections tells whether a refusal of the gateway keeps its own field of this name.
func KeptOnRejections(name string) bool {
	switch Fold(name) {
	case "content-type", "cache-control", "www-authenticate", "retry-after", "allow":
		return true
	}
	return false
}

// FoldByte returns the byte that a reader of names may take c for: lower case, and a hyphen for all that is neither letter nor
// digit.
func FoldByte(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c | 0x20
	case (c < 'a' || c > 'z') && (c < '0' || c > '9'):
		return '-'
	}
	return c
}

// longestName is how long the names of fields mostly are at most.
const longestName = 64

// Fold returns a name as such a reader may take it: names that are folded alike are twins.
func Fold(name string) string { return string(appendFolded(nil, name)) }

func appendFolded(dst []byte, name string) []byte {
	for i := range len(name) {
		dst = append(dst, FoldByte(name[i]))
	}
	return dst
}

func names(why string, all ...string) map[string]string {
	table := make(map[string]string, len(all))
	for _, name := range all {
		table[name] = why
	}
	return table
}

func merge(tables ...map[string]string) map[string]string {
	merged := map[string]string{}
	for _, table := range tables {
		for name, why := range table {
			merged[name] = why
		}
	}
	return merged
}
