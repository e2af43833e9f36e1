package listener

import (
	"errors"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/path"
	"github.com/sallyport/sallyport/proto/problem"
)

// fillTarget takes the request target apart (RFC 9112, section 3.2). Only what net/http leaves is to be done: origin form and the
// absolute form, whose authority net/http has already made the Host.
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
	in.Query = query
	canonical, err := path.Canonical(raw)
	if err != nil {
		return pathRefused(err)
	}
	if !printable(query) {
		return &pipeline.Rejection{Code: problem.BadRequest, Detail: "The query has bytes that must be percent-encoded.", Reason: "raw bytes in the query"}
	}
	in.Path, in.ForwardPath = canonical, canonical
	return nil
}

func pathRefused(err error) *pipeline.Rejection {
	refused := &pipeline.Rejection{Code: problem.PathRefused, Reason: err.Error()}
	var reason *path.Error
	if errors.As(err, &reason) {
		refused.Detail = "The path can be read in two ways: " + reason.Reason.String() + "."
	}
	return refused
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
