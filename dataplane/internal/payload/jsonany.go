package payload

import "encoding/json"

// anyBytes is about what a value takes in Go's own types, beside its text.
const anyBytes = 96

// Any returns the document in Go's own types, as encoding/json makes them with UseNumber: of a key that comes twice the last one counts. What it takes, which is many times the
// text, is booked in share; nil: nowhere. The error is ErrNoMemory.
func (j *JSON) Any(share *Share) (any, error) {
	if !share.Take(int64(len(j.nodes))*anyBytes + int64(len(j.text))) {
		return nil, ErrNoMemory
	}
	return j.Root().any(), nil
}

// any goes down as deep as the parser lets documents be.
func (v Value) any() any {
	switch v.Kind() {
	case False:
		return false
	case True:
		return true
	case Number:
		return json.Number(v.Raw())
	case Text, Key:
		return v.Text()
	case Array:
		list := make([]any, 0, v.Len())
		for entry := range v.Entries() {
			list = append(list, entry.any())
		}
		return list
	case Object:
		object := make(map[string]any, v.Len())
		for key, value := range v.Members() {
			object[key.Text()] = value.any()
		}
		return object
	case Null:
	}
	return nil
}
