package payload_test

import (
	"slices"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
)

func TestNextGoesOverWhatMembersAndEntriesGoOver(t *testing.T) {
	t.Parallel()
	doc, err := payload.ParseJSON([]byte(`{"a":[1,{"b":[]},"x"],"c":{},"c":null}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(v payload.Value) []string
	walk = func(v payload.Value) []string {
		var all []string
		for key, value, next, ok := v.Next(0); ok; key, value, next, ok = v.Next(next) {
			name := ""
			if v.Kind() == payload.Object {
				name = key.Text()
			}
			all = append(all, name+" "+value.Kind().String())
			all = append(all, walk(value)...)
		}
		return all
	}
	want := []string{"a array", " number", " object", "b array", " string", "c object", "c null"}
	if got := walk(doc.Root()); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
