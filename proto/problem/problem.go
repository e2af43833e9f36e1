package problem

import "strconv"

// ContentType is the media type of a Problem (RFC 9457 §6.1).
const ContentType = "application/problem+json"

// Problem is the body of a refusal: RFC 9457's members and our extensions (code, request_id,
// errors, referrers). All of it is shown to whoever asked: nothing internal belongs in it.
type Problem struct {
	Type      string      `json:"type"`                 // address of the page that explains the code
	Title     string      `json:"title"`                // the code's title
	Status    int         `json:"status"`               // HTTP status code
	Code      Code        `json:"code"`                 // what clients switch on
	Detail    string      `json:"detail,omitempty"`     // about this occurrence
	Instance  string      `json:"instance,omitempty"`   // URI reference of this occurrence (RFC 9457 §3.1.5)
	RequestID string      `json:"request_id,omitempty"` // finds the occurrence in logs and traces
	Errors    []Violation `json:"errors,omitempty"`     // every bad field
	Referrers []Reference `json:"referrers,omitempty"`  // who still refers to the object
}

// Reference names an object that refers to the one in question.
type Reference struct {
	Type    string `json:"type"`              // the collection's singular: "route", "policy"
	ID      string `json:"id"`                // prefixed id
	Name    string `json:"name,omitempty"`    // name in its environment
	Pointer string `json:"pointer,omitempty"` // the referring field in it (RFC 6901)
}

// New returns the problem of a code, with the code's type, title and status. A code nobody defined
// gives that of Internal. It doesn't allocate.
func New(code Code, detail string) Problem {
	e := resolve(code)
	return Problem{Type: e.uri, Title: e.Title, Status: e.Status, Code: e.Code, Detail: detail}
}

// Append writes the problem as one JSON object behind dst and returns the longer slice. It
// allocates only when dst's capacity is too small. Text that isn't valid UTF-8 is mended with
// U+FFFD, so the result always is JSON.
func (p Problem) Append(dst []byte) []byte {
	dst = appendMember(dst, `{"type":`, p.Type)
	dst = appendMember(dst, `,"title":`, p.Title)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(p.Status), 10)
	dst = appendMember(dst, `,"code":`, string(p.Code))
	dst = appendOptional(dst, `,"detail":`, p.Detail)
	dst = appendOptional(dst, `,"instance":`, p.Instance)
	dst = appendOptional(dst, `,"request_id":`, p.RequestID)
	dst = appendList(dst, `,"errors":[`, p.Errors)
	dst = appendList(dst, `,"referrers":[`, p.Referrers)
	return append(dst, '}')
}

// MarshalJSON is Append for encoding/json.
func (p Problem) MarshalJSON() ([]byte, error) { return p.Append(nil), nil }

func (r Reference) append(dst []byte) []byte {
	dst = appendMember(dst, `{"type":`, r.Type)
	dst = appendMember(dst, `,"id":`, r.ID)
	dst = appendOptional(dst, `,"name":`, r.Name)
	dst = appendOptional(dst, `,"pointer":`, r.Pointer)
	return append(dst, '}')
}
