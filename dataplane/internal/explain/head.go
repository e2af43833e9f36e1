package explain

import (
	"fmt"
	"strconv"
	"strings"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// maxHead bounds a head that is rehearsed, in bytes. It is more than a question can hold, and less than the listener takes.
const maxHead = 56 << 10

// headOf returns the bytes that a client would send. What HTTP forbids stays in it, for the listener to refuse; but a line's end
// within a part would make another request of it than the one that is asked about.
func headOf(q *edgev1.ExplainQuestion) ([]byte, error) {
	var b strings.Builder
	line := func(parts ...string) error {
		for _, part := range parts {
			if strings.ContainsAny(part, "\r\n") {
				return fmt.Errorf("%w: a line ends within a part of it", ErrQuestion)
			}
			b.WriteString(part)
		}
		b.WriteString("\r\n")
		return nil
	}
	if err := line(q.GetMethod(), " ", q.GetTarget(), " ", q.GetProtocol()); err != nil {
		return nil, err
	}
	if q.GetHost() != "" {
		if err := line("Host: ", q.GetHost()); err != nil {
			return nil, err
		}
	}
	for _, f := range q.GetHeaders() {
		if err := line(f.GetName(), ": ", f.GetValue()); err != nil {
			return nil, err
		}
	}
	if n := q.GetBodyBytes(); n > 0 {
		_ = line("Content-Length: ", strconv.FormatUint(n, 10)) // digits end no line
	}
	b.WriteString("\r\n")
	if b.Len() > maxHead {
		return nil, fmt.Errorf("%w: its head has %d bytes, at most %d are explained", ErrQuestion, b.Len(), maxHead)
	}
	return []byte(b.String()), nil
}
