package listener

import (
	"sync/atomic"
	"time"
)

// dateFormat is that of the Date field (RFC 9110, section 5.6.7).
const dateFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

// calendar keeps the text of the second that it is.
type calendar struct{ latest atomic.Pointer[day] }

type day struct {
	second int64
	field  string
}

// field returns the Date field of an answer.
func (c *calendar) field(now time.Time) string {
	second := now.Unix()
	if d := c.latest.Load(); d != nil && d.second == second {
		return d.field
	}
	d := &day{second: second, field: "Date: " + now.UTC().Format(dateFormat) + "\r\n"}
	c.latest.Store(d)
	return d.field
}
