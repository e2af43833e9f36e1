package subject

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestNamesAreStable(t *testing.T) {
	if got := Usage("env_1", "node_2"); got != "sallyport.usage.env_1.node_2" {
		t.Error(got)
	}
	if got := UsageAll(); got != "sallyport.usage.*.*" {
		t.Error(got)
	}
	if got := InboxPrefix("node_2"); got != "_INBOX_node_2" {
		t.Error(got)
	}
	if got := NodePublish("env_1", "node_2"); !slices.Equal(got, []string{"sallyport.usage.env_1.node_2"}) {
		t.Error(got)
	}
	if got := NodeSubscribe("node_2"); !slices.Equal(got, []string{"_INBOX_node_2.>"}) {
		t.Error(got)
	}
	for _, name := range []string{UsageStream, UsageConsumer} {
		if err := Check(name); err != nil { // JetStream names obey the rules of tokens
			t.Error(err)
		}
	}
}

func TestNoIDWidensASubject(t *testing.T) {
	for _, id := range []string{"", ".", "a.b", "*", ">", "a*", "a b", "a\tb", "a\r\nPUB", "a\x00", "é", "$JS", strings.Repeat("a", MaxToken+1)} {
		if err := Check(id); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", id, err)
		}
		for name, build := range map[string]func(){
			"Usage environment": func() { Usage(id, "n") },
			"Usage node":        func() { Usage("e", id) },
			"InboxPrefix":       func() { InboxPrefix(id) },
			"NodePublish":       func() { NodePublish("e", id) },
			"NodeSubscribe":     func() { NodeSubscribe(id) },
		} {
			if !panics(build) {
				t.Errorf("%s took %q", name, id)
			}
		}
	}
}

func FuzzParseUsage(f *testing.F) {
	for _, s := range []string{"", "sallyport.usage.e.n", "sallyport.usage.e.n.x", "sallyport.usage.*.n", "sallyport.usage..n", "sallyport.usage.e", "x.usage.e.n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		environment, node, err := ParseUsage(s)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || environment != "" || node != "" {
				t.Fatalf("%q: %q, %q, %v", s, environment, node, err)
			}
			return
		}
		if Usage(environment, node) != s {
			t.Fatalf("%q: %q, %q", s, environment, node)
		}
	})
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}
