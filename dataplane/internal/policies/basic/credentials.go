package basic

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

const field = "Authorization"

// maxCredentials bounds username, colon and password: what the control plane takes of both.
const maxCredentials = 128 + 1 + 512

// found is what a request shows.
type found struct {
	any     bool // it shows something of the scheme Basic
	good    bool // and that can be taken apart
	several bool
	both    [maxCredentials]byte
	colon   int
	length  int
}

func (f *found) username() []byte { return f.both[:f.colon] }
func (f *found) password() []byte { return f.both[f.colon+1 : f.length] }

// find takes apart what a request shows. Any other Authorization beside it makes it several: one of them would reach the service.
func (f *found) find(h *pipeline.Header) {
	fields, n := h.Fields(), 0
	for i := range fields {
		if !pipeline.EqualFold(fields[i].Name, field) {
			continue
		}
		n++
		if isBasic(fields[i]) {
			f.any = true
			f.parse(fields[i].Value)
		}
	}
	f.several = n > 1
}

// isBasic tells a field that holds credentials of the scheme Basic.
func isBasic(f pipeline.Field) bool {
	scheme, _, _ := strings.Cut(f.Value, " ")
	return pipeline.EqualFold(f.Name, field) && pipeline.EqualFold(scheme, "Basic")
}

// parse takes credentials apart: base64 of username, colon, password, in UTF-8 and without control characters (RFC 7617, section 2).
func (f *found) parse(value string) {
	_, encoded, _ := strings.Cut(value, " ")
	encoded = strings.Trim(encoded, " ")
	f.good = false
	if len(encoded) == 0 || len(encoded) > base64.StdEncoding.EncodedLen(maxCredentials) {
		return
	}
	var text, decoded [(maxCredentials + 2) / 3 * 4]byte
	n, err := base64.StdEncoding.Strict().Decode(decoded[:], text[:copy(text[:], encoded)])
	if err != nil || n > maxCredentials {
		return
	}
	f.length = copy(f.both[:], decoded[:n])
	f.colon = -1
	for i, c := range f.both[:n] {
		if c < ' ' || c == 0x7F {
			return
		}
		if c == ':' && f.colon < 0 {
			f.colon = i
		}
	}
	f.good = f.colon > 0 && f.colon < n-1 && utf8.Valid(f.both[:n])
}
