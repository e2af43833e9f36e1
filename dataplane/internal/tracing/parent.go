package tracing

import "go.opentelemetry.io/otel/trace"

// Names of the header fields of a trace's context (W3C Trace Context, section 3).
const (
	ParentHeader = "Traceparent"
	StateHeader  = "Tracestate"
)

// parentLength is that of a traceparent of version 00: version, trace id, span id, flags, and hyphens between.
const parentLength = 2 + 1 + 32 + 1 + 16 + 1 + 2

// ParseParent reads a traceparent (section 3.2.2); false when it isn't valid, and a new trace is to be begun. Of a later version it
// reads what this one has.
func ParseParent(text string) (parent trace.SpanContext, ok bool) {
	if len(text) < parentLength || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return trace.SpanContext{}, false
	}
	var version, flags [1]byte
	var config trace.SpanContextConfig
	if !unhex(version[:], text[:2]) || !unhex(config.TraceID[:], text[3:35]) || !unhex(config.SpanID[:], text[36:52]) || !unhex(flags[:], text[53:55]) {
		return trace.SpanContext{}, false
	}
	later := version[0] != 0
	if version[0] == 0xff || !later && len(text) != parentLength || later && len(text) > parentLength && text[parentLength] != '-' {
		return trace.SpanContext{}, false
	}
	config.TraceFlags = trace.TraceFlags(flags[0]) & trace.FlagsSampled
	config.Remote = true
	parent = trace.NewSpanContext(config)
	return parent, parent.IsValid() // ids of zeros only are none
}

// unhex reads lower-case hexadecimal digits, which are the only ones that the format has.
func unhex(to []byte, text string) bool {
	for i := range to {
		high, low := digit(text[2*i]), digit(text[2*i+1])
		if high < 0 || low < 0 {
			return false
		}
		to[i] = byte(high<<4 | low)
	}
	return true
}

func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
