package respond

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/apikey"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/respond"
)

// redirects are the statuses of one.
var redirects = []uint32{301, 302, 303, 307, 308}

var (
	errParameter = errors.New("the route's path has no parameter of a name that the location uses")
	errCharacter = errors.New("the location would hold a character that none may")
)

// redirect sends everybody elsewhere. It is immutable.
type redirect struct {
	status int
	parts  []contract.Part
	host   string // that it leads to, as a request's Authority is written; "": the one that was asked
}

func newRedirect(config *policyv1.Redirect) (pipeline.Stage, error) {
	if !slices.Contains(redirects, config.GetStatus()) {
		return nil, errStatus
	}
	parts, err := contract.ParseLocation(config.GetLocation())
	if err != nil {
		return nil, fmt.Errorf("location: %w", err)
	}
	host, err := hostOf(config.GetLocation())
	if err != nil {
		return nil, fmt.Errorf("location: %w", err)
	}
	return &redirect{status: int(config.GetStatus()), parts: parts, host: host}, nil
}

// hostOf returns the host that a location names, which is literal; "" when it stays on the one that was asked.
func hostOf(location string) (string, error) {
	if strings.HasPrefix(location, "/") {
		return "", nil
	}
	start := strings.Index(location, "://") + len("://")
	authority := location[start:]
	if end := strings.IndexAny(authority, "/?{"); end >= 0 {
		authority = authority[:end]
	}
	to, err := url.Parse("//" + authority)
	if err != nil {
		return "", fmt.Errorf("its host: %w", err)
	}
	return strings.ToLower(strings.TrimSuffix(to.Hostname(), ".")), nil
}

// Request implements pipeline.Stage.
func (r *redirect) Request(ex *pipeline.Exchange) error {
	location, err := r.location(ex)
	if err != nil {
		return err
	}
	replied := ex.Reply(r.status, nil)
	ex.Response.Header.Add("Location", location)
	return replied
}

// location writes the location of a request into the exchange's memory.
func (r *redirect) location(ex *pipeline.Exchange) (string, error) {
	b := ex.TextBuffer()
	mark := "" // that an empty query in front didn't need
	for i := range r.parts {
		part := &r.parts[i]
		value := part.Text
		switch part.Variable {
		case contract.Literal:
			if strings.HasPrefix(value, "&") && mark != "" {
				b, value = append(b, mark...), value[1:]
			}
			mark = ""
		case contract.Path:
			value = ex.Request.Path
		case contract.Host:
			value = ex.Request.Authority
		case contract.Query:
			before := len(b)
			if b = r.appendQuery(b, ex); len(b) == before {
				b, mark = withoutMark(b)
			}
			continue
		case contract.Param:
			var known bool
			if value, known = ex.Param(part.Text); !known {
				return "", errParameter
			}
		}
		b = appendPart(b, part, value)
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return "", errCharacter // no listener lets one through
		}
	}
	return ex.TextDone(b), nil
}

// appendQuery appends the query as it is. To another host no key of ours goes with it: whoever is asked there could call here in the
// caller's name. Behind Authenticate none is left in it; in front of it, and where Authenticate is in shadow, one may be.
func (r *redirect) appendQuery(b []byte, ex *pipeline.Exchange) []byte {
	query := ex.Request.Query
	if r.host == "" || r.host == ex.Request.Authority {
		return append(b, query...)
	}
	first := true
	for more := query != ""; more; {
		var pair string
		pair, query, more = strings.Cut(query, "&")
		if name, value, _ := strings.Cut(pair, "="); isKey(name) || isKey(value) {
			continue
		}
		if !first {
			b = append(b, '&')
		}
		b, first = append(b, pair...), false
	}
	return b
}

// longestKey bounds how much text can stand for a key, each of its characters escaped.
const longestKey = 3 * apikey.MaxLength

// isKey tells whether text of a query is of a key's form. Keys hold nothing that must be escaped, but anything may be.
func isKey(text string) bool {
	if strings.IndexByte(text, '%') >= 0 && len(text) <= longestKey {
		var plain [longestKey]byte
		text = string(pipeline.AppendDecoded(plain[:0], text))
	}
	return apikey.Check(text)
}

// withoutMark takes off the mark before a query that is empty, and returns it.
func withoutMark(b []byte) (rest []byte, mark string) {
	last := len(b) - 1
	switch {
	case last < 0:
	case b[last] == '?':
		return b[:last], "?"
	case b[last] == '&':
		return b[:last], "&"
	}
	return b, ""
}

// appendPart appends a value. What stands in a query loses what would end its parameter.
func appendPart(b []byte, part *contract.Part, value string) []byte {
	if !part.InQuery || part.Variable == contract.Literal {
		return append(b, value...)
	}
	const hex = "0123456789ABCDEF"
	for i := range len(value) {
		switch c := value[i]; c {
		case '&', '=', '+', '#', '?', ';':
			b = append(b, '%', hex[c>>4], hex[c&0xf])
		default:
			b = append(b, c)
		}
	}
	return b
}
