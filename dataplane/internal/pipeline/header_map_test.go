package pipeline

import (
	"slices"
	"strings"
	"testing"
)

func TestCopiedFieldsOutliveTheExchange(t *testing.T) {
	ex := new(Exchange)
	ex.Request.Header.Add("x-a", ex.TextDone(append(ex.TextBuffer(), "one"...)))
	ex.Request.Header.Add("X-B", "")
	ex.Request.Header.Add("X-A", ex.TextDone(append(ex.TextBuffer(), "two"...)))
	m := map[string][]string{"X-B": {"there"}}
	ex.Request.Header.Add(ex.TextDone(append(ex.TextBuffer(), "X-Canonical"...)), "three")
	ex.Request.Header.CopyTo(m)
	ex.Reset()
	ex.TextDone(append(ex.TextBuffer(), strings.Repeat("other", 20)...))
	if !slices.Equal(m["X-A"], []string{"one", "two"}) || !slices.Equal(m["X-B"], []string{"there", ""}) || !slices.Equal(m["X-Canonical"], []string{"three"}) || len(m) != 3 {
		t.Errorf("got %q", m)
	}
}
