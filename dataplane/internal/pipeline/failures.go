package pipeline

import (
	"strconv"
	"time"

	"github.com/sallyport/sallyport/proto/problem"
)

// TooManyFailures refuses a credential unseen, for as long as its failures say (package backoff).
func (ex *Exchange) TooManyFailures(wait time.Duration, reason string) *Rejection {
	r := ex.Reject(problem.TooManyFailures, "", reason)
	seconds := (wait + time.Second - 1) / time.Second
	r.Header.Add("Retry-After", ex.TextDone(strconv.AppendInt(ex.TextBuffer(), int64(seconds), 10)))
	return r
}

// Counts tells a stage whether what it finds out about this request may count for others: not in a dry run, and not in shadow.
func (ex *Exchange) Counts() bool { return !ex.Dry && !ex.inShadow }
