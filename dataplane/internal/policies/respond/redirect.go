package respond

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
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
}

func newRedirect(config *policyv1.Redirect) (pipeline.Stage, error) {
	if !slices.Contains(redirects, config.GetStatus()) {
		return nil, errStatus
	}
	parts, err := contract.ParseLocation(config.GetLocation())
	if err != nil {
		return nil, fmt.Errorf("location: %w", err)
	}
	return &redirect{status: int(config.GetStatus()), parts: parts}, nil
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
	for i := range r.parts {
		part := &r.parts[i]
		value := part.Text
		switch part.Variable {
		case contract.Literal:
		case contract.Path:
			value = ex.Request.Path
		case contract.Host:
			value = ex.Request.Authority
		case contract.Query:
			value = ex.Request.Query
			if value == "" {
				b = withoutMark(b)
			}
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

// withoutMark takes off the mark before a query that is empty.
func withoutMark(b []byte) []byte {
	if last := len(b) - 1; last >= 0 && (b[last] == '?' || b[last] == '&') {
		return b[:last]
	}
	return b
}

// appendPart appends a value. A query goes as it is behind its question mark; anything else that stands in a query loses what would end its parameter.
func appendPart(b []byte, part *contract.Part, value string) []byte {
	if !part.InQuery || part.Variable == contract.Literal || part.Variable == contract.Query {
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
