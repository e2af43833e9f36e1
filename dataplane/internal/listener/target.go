package listener

import (
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

// fillTarget takes the request target apart (RFC 9112, section 3.2): origin form, and the absolute form, whose authority is already the
// Host. The path stays as it was sent: how it is read is for the settings to say, which are known with the snapshot alone
// (snapshot.Settings.Locate).
func fillTarget(in *pipeline.Request, target string) *pipeline.Rejection {
	if !strings.HasPrefix(target, "/") {
		scheme, rest, absolute := strings.Cut(target, "://")
		if !absolute || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") || rest == "" || rest[0] == '/' || rest[0] == '?' {
			return &pipeline.Rejection{Code: problem.BadRequest, Detail: "The request target is neither a path nor an http URL.", Reason: "target is neither origin nor absolute form"}
		}
		slash := strings.IndexAny(rest, "/?")
		if slash < 0 {
			rest, slash = "/", 0
		}
		target = rest[slash:]
		if target[0] == '?' {
			target = "/" + target
		}
	}
	raw, query, _ := strings.Cut(target, "?")
	in.RawPath, in.Query = raw, query
	if !printable(query) {
		return &pipeline.Rejection{Code: problem.BadRequest, Detail: "The query has bytes that must be percent-encoded.", Reason: "raw bytes in the query"}
	}
	return nil
}

// printable reports whether a query holds visible ASCII alone, and no fragment (RFC 3986, section 3.4).
func printable(query string) bool {
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}
