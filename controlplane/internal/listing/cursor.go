package listing

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
)

const (
	cursorVersion   = 1
	fingerprintSize = 6
)

var (
	errCursorForm  = errors.New("is not one that this server made")
	errCursorQuery = errors.New("belongs to another filter or labels selector")
)

// Cursor returns the cursor of the page that begins after name.
func (p Plan) Cursor(name string) string {
	raw := make([]byte, 0, 1+fingerprintSize+len(name))
	raw = append(raw, cursorVersion)
	raw = append(raw, p.fingerprint[:]...)
	raw = append(raw, name...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// decodeCursor returns the name in a cursor that was made under the same filter and selector.
func decodeCursor(cursor string, want [fingerprintSize]byte) (string, error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) <= 1+fingerprintSize || raw[0] != cursorVersion {
		return "", errCursorForm
	}
	if [fingerprintSize]byte(raw[1:]) != want {
		return "", errCursorQuery
	}
	return string(raw[1+fingerprintSize:]), nil
}

// fingerprint tells queries apart whose pages don't follow each other.
func fingerprint(q Query) [fingerprintSize]byte {
	h := sha256.New()
	write := func(s string) { // length first, so that no two lists of texts look alike
		h.Write([]byte{byte(len(s) >> 24), byte(len(s) >> 16), byte(len(s) >> 8), byte(len(s))})
		h.Write([]byte(s))
	}
	write(q.Labels)
	for _, field := range slices.Sorted(maps.Keys(q.Filter)) {
		write(field)
		write(q.Filter[field])
	}
	return [fingerprintSize]byte(h.Sum(nil))
}
