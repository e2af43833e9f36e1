package openapi

import (
	"unsafe"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/proto/openapi"
)

// jsonValue is a value of a parsed body, as descriptions are evaluated over it.
type jsonValue payload.Value

// Kind implements openapi.Value.
func (v jsonValue) Kind() openapi.Kind {
	switch payload.Value(v).Kind() {
	case payload.False, payload.True:
		return openapi.Boolean
	case payload.Number:
		return openapi.Number
	case payload.Text, payload.Key:
		return openapi.String
	case payload.Array:
		return openapi.Array
	case payload.Object:
		return openapi.Object
	case payload.Null:
	}
	return openapi.Null
}

// Truth implements openapi.Value.
func (v jsonValue) Truth() bool { return payload.Value(v).Kind() == payload.True }

// Text implements openapi.Value.
func (v jsonValue) Text() string { return textOf(payload.Value(v)) }

// Len implements openapi.Value.
func (v jsonValue) Len() int { return payload.Value(v).Len() }

// Next implements openapi.Value.
func (v jsonValue) Next(after int) (name string, value jsonValue, next int, ok bool) {
	key, below, behind, ok := payload.Value(v).Next(uint32(after))
	if !ok {
		return "", jsonValue{}, 0, false
	}
	if payload.Value(v).Kind() == payload.Object {
		name = textOf(key)
	}
	return name, jsonValue(below), int(behind), true
}

// textOf returns a text in the body's own memory, which nothing writes to, unless escapes must be undone. Nothing keeps it beyond the evaluation.
func textOf(v payload.Value) string {
	raw := v.Raw()
	if v.Kind() != payload.Number && v.Escaped() {
		return v.Text()
	}
	return unsafe.String(unsafe.SliceData(raw), len(raw)) //nolint:gosec // as above
}
