package gateway

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Waits is who has waited for a mutex.
type Waits struct {
	// Count of the times, and how long that was together.
	Count int
	Whole time.Duration
	// Longest names the function that most of the time was waited for, and how long.
	Longest string
	Most    time.Duration
}

// parseWaits reads a mutex profile in its text form: a record a line, "cycles count @ addresses", and behind it its stack, "#	address	function+offset	file".
func parseWaits(text string) (w Waits, _ error) {
	perSecond, record := 0.0, time.Duration(0)
	by := map[string]time.Duration{}
	named := true
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if rate, ok := strings.CutPrefix(line, "cycles/second="); ok {
			var err error
			if perSecond, err = strconv.ParseFloat(rate, 64); err != nil || perSecond <= 0 {
				return Waits{}, fmt.Errorf("a mutex profile's clock: %q", line)
			}
			continue
		}
		if numbers, _, ok := strings.Cut(line, " @ "); ok {
			cycles, count, err := pair(numbers)
			if err != nil || perSecond == 0 {
				return Waits{}, fmt.Errorf("a mutex profile's record: %q", line)
			}
			record = time.Duration(cycles / perSecond * float64(time.Second))
			w.Count += int(count)
			w.Whole += record
			named = false
			continue
		}
		if function := frame(line); function != "" && !named && !strings.HasPrefix(function, "sync.") && !strings.HasPrefix(function, "internal/sync.") {
			by[function] += record
			named = true
		}
	}
	for function, whole := range by {
		if whole > w.Most || whole == w.Most && function < w.Longest {
			w.Longest, w.Most = function, whole
		}
	}
	if perSecond == 0 {
		return Waits{}, fmt.Errorf("no mutex profile: %.80q", text)
	}
	return w, nil
}

func pair(text string) (first, second float64, err error) {
	one, other, _ := strings.Cut(text, " ")
	if first, err = strconv.ParseFloat(one, 64); err == nil {
		second, err = strconv.ParseFloat(other, 64)
	}
	return first, second, err //nolint:wrapcheck // the caller says of what
}

// frame reads the function of a line of a stack.
func frame(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 3 || fields[0] != "#" {
		return ""
	}
	function, _, _ := strings.Cut(fields[2], "+0x")
	return function
}

func (w Waits) String() string {
	if w.Count == 0 {
		return "nobody waited"
	}
	return fmt.Sprintf("%d waits, %s in all; most in %s (%s)", w.Count, w.Whole.Round(time.Microsecond), w.Longest, w.Most.Round(time.Microsecond))
}
