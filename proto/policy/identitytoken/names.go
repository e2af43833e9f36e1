package identitytoken

import (
	"slices"

	"github.com/sallyport/sallyport/proto/policy/headers"
)

const authorization = "authorization"

// taken are fields that say something else of a request.
var taken = []string{"accept", "accept-encoding", "content-encoding", "content-type", "cookie", "origin", "range", "traceparent", "tracestate", "user-agent"}

// Refused tells why a field may not speak of callers; "" when it may. Names that a service may read as one are one.
func Refused(name string) string {
	if why := headers.Refused(headers.Request, name); why != "" {
		return why
	}
	if slices.Contains(taken, headers.Fold(name)) {
		return "says something else of a request"
	}
	return ""
}

// IsAuthorization tells whether a field is the one for credentials, in which a token follows the word Bearer.
func IsAuthorization(name string) bool { return headers.Fold(name) == authorization }

// Reads tells whether a service may read one name as the other: X_Identity_Token as X-Identity-Token.
func Reads(name, as string) bool {
	if len(name) != len(as) {
		return false
	}
	for i := range len(name) {
		if headers.FoldByte(name[i]) != headers.FoldByte(as[i]) {
			return false
		}
	}
	return true
}
