package corpus

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Request is a request as a client sends it.
type Request struct {
	// Name says where it is from: "crs/942100-3", "benign/17/graphql".
	Name string
	// Method, Target and Proto are the request line's.
	Method, Target, Proto string
	// Header are the fields in order, Host among them.
	Header []Field
	// Body as sent, its content coding applied, without a transfer coding.
	Body []byte
	// Raw are the bytes to send where the parts above can't say them; nil: they can.
	Raw []byte
}

// Field is one header field.
type Field struct{ Name, Value string }

// Get returns the first value of a field, "" if there is none.
func (r *Request) Get(name string) string {
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Path returns the target up to the query.
func (r *Request) Path() string {
	path, _, _ := strings.Cut(r.Target, "?")
	return path
}

// Query returns what stands behind the first question mark of the target.
func (r *Request) Query() string {
	_, query, _ := strings.Cut(r.Target, "?")
	return query
}

// Wire returns the request as bytes for a connection of HTTP/1.
func (r *Request) Wire() []byte {
	if r.Raw != nil {
		return r.Raw
	}
	var wire bytes.Buffer
	fmt.Fprintf(&wire, "%s %s %s\r\n", r.Method, r.Target, r.Proto)
	for _, f := range r.Header {
		fmt.Fprintf(&wire, "%s: %s\r\n", f.Name, f.Value)
	}
	wire.WriteString("\r\n")
	wire.Write(r.Body)
	return wire.Bytes()
}

// complete adds the length of a body that has neither length nor transfer coding.
func (r *Request) complete() {
	if len(r.Body) > 0 && r.Get("Content-Length") == "" && r.Get("Transfer-Encoding") == "" {
		r.Header = append(r.Header, Field{"Content-Length", strconv.Itoa(len(r.Body))})
	}
}
