package ratelimit

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/limiter"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// name prepares what the fields say that doesn't depend on the request. One window has the policy's name, several are
// numbered from 1. The length is told when it is a number of seconds, as the field can't say any other.
func (s *stage) name(policy string, windows []limiter.Window) {
	items := make([]string, len(windows))
	for i, w := range windows {
		name := quoted(policy)
		if len(windows) > 1 {
			name = quoted(fmt.Sprintf("%s-%d", policy, i+1))
		}
		items[i] = fmt.Sprintf("%s;q=%d", name, w.Requests)
		if w.Length%time.Second == 0 {
			items[i] += fmt.Sprintf(";w=%d", w.Length/time.Second)
		}
		s.names[i] = name + ";r="
	}
	s.policy = strings.Join(items, ", ")
}

// state returns the value of RateLimit: what the request left of each window, and in how many seconds the whole of it is
// back.
func (s *stage) state(ex *pipeline.Exchange) string {
	b := ex.TextBuffer()
	window := 0
	for i := range ex.Quotas {
		q := &ex.Quotas[i]
		if q.By != pipeline.Stage(s) {
			continue
		}
		if window > 0 {
			b = append(b, ", "...)
		}
		b = append(b, s.names[window]...)
		b = strconv.AppendUint(b, q.Remaining, 10)
		b = append(b, ";t="...)
		b = strconv.AppendInt(b, seconds(q.Reset), 10)
		window++
	}
	return ex.TextDone(b)
}

// retryAfter returns the value of Retry-After (RFC 9110, section 10.2.3): whole seconds, after which a request passes.
func retryAfter(ex *pipeline.Exchange, wait time.Duration) string {
	return ex.TextDone(strconv.AppendInt(ex.TextBuffer(), max(seconds(wait), 1), 10))
}

// seconds rounds up, so that nobody is told to come back too early.
func seconds(d time.Duration) int64 {
	whole := int64(d / time.Second)
	if d%time.Second > 0 {
		whole++
	}
	return whole
}

// quoted returns a string of structured fields (RFC 9651, section 3.3.3), which holds printable ASCII alone.
func quoted(text string) string {
	b := []byte{'"'}
	for _, c := range []byte(text) {
		switch {
		case c < ' ' || c > '~':
			c = '_'
		case c == '"' || c == '\\':
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return string(append(b, '"'))
}
