package tracing

import (
	"strings"
	"testing"
)

const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestOnlyWhatTheFormatAllowsIsAParent(t *testing.T) {
	for text, sampled := range map[string]bool{
		valid: true,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00":     false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe":     false,
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":     true,
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-new": true,
	} {
		parent, ok := ParseParent(text)
		if !ok || parent.IsSampled() != sampled || parent.TraceID().String() != valid[3:35] || parent.SpanID().String() != valid[36:52] || !parent.IsRemote() {
			t.Errorf("%q: %+v, %v", text, parent, ok)
		}
	}
	for _, text := range []string{
		"", "00", valid[:54], valid + "0", valid + "-x", strings.ToUpper(valid), " " + valid, strings.Replace(valid, "-", "_", 1),
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.new",
	} {
		if parent, ok := ParseParent(text); ok {
			t.Errorf("%q is taken for %+v", text, parent)
		}
	}
}

func FuzzParseParent(f *testing.F) {
	f.Add(valid)
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-new")
	f.Fuzz(func(t *testing.T, text string) {
		parent, ok := ParseParent(text)
		if !ok {
			return
		}
		if !parent.IsValid() || !strings.HasPrefix(text[3:], parent.TraceID().String()+"-"+parent.SpanID().String()+"-") {
			t.Errorf("%q is taken for %+v", text, parent)
		}
	})
}
