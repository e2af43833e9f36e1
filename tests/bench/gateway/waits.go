package gateway

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Waits is who has waited for a mutex, by the function that held it.
type Waits map[string]Wait

// Wait is how often, and how long together.
type Wait struct {
	Count int
	Whole time.Duration
}

// inRuntime is where nobody of ours held it.
const inRuntime = "the runtime"

// parseWaits reads a mutex profile in its text form: a record a line, "cycles count @ addresses", and behind it its stack, "#	address	function+offset	file".
func parseWaits(text string) (Waits, error) {
	perSecond := 0.0
	all := Waits{}
	var record Wait
	told := func(function string) {
		sum := all[function]
		if sum.Count, sum.Whole = sum.Count+record.Count, sum.Whole+record.Whole; sum.Count > 0 {
			all[function] = sum
		}
		record = Wait{}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if rate, ok := strings.CutPrefix(line, "cycles/second="); ok {
			var err error
			if perSecond, err = strconv.ParseFloat(rate, 64); err != nil || perSecond <= 0 {
				return nil, fmt.Errorf("a mutex profile's clock: %q", line)
			}
			continue
		}
		if numbers, _, ok := strings.Cut(line, " @ "); ok {
			told(inRuntime) // of a record whose stack named nobody
			cycles, count, err := pair(numbers)
			if err != nil || perSecond == 0 {
				return nil, fmt.Errorf("a mutex profile's record: %q", line)
			}
			record = Wait{Count: int(count), Whole: time.Duration(cycles / perSecond * float64(time.Second))}
			continue
		}
		if function := frame(line); function != "" && record.Count > 0 {
			told(function)
		}
	}
	told(inRuntime)
	if perSecond == 0 {
		return nil, fmt.Errorf("no mutex profile: %.80q", text)
	}
	return all, nil
}

func pair(text string) (first, second float64, err error) {
	one, other, _ := strings.Cut(text, " ")
	if first, err = strconv.ParseFloat(one, 64); err == nil {
		second, err = strconv.ParseFloat(other, 64)
	}
	return first, second, err //nolint:wrapcheck // the caller says of what
}

// frame reads the function of a line of a stack; "" of one that only unlocks, or of the runtime's.
func frame(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 3 || fields[0] != "#" {
		return ""
	}
	function, _, _ := strings.Cut(fields[2], "+0x")
	for _, none := range []string{"sync.", "internal/sync.", "runtime."} {
		if strings.HasPrefix(function, none) {
			return ""
		}
	}
	return function
}

// Since returns what was added since then.
func (w Waits) Since(then Waits) Waits {
	added := Waits{}
	for function, now := range w {
		before := then[function]
		if now.Count > before.Count {
			added[function] = Wait{Count: now.Count - before.Count, Whole: now.Whole - before.Whole}
		}
	}
	return added
}

func (w Waits) String() string {
	var all Wait
	longest := ""
	for function, one := range w {
		all.Count += one.Count
		all.Whole += one.Whole
		if most := w[longest].Whole; longest == "" || one.Whole > most || one.Whole == most && function < longest {
			longest = function
		}
	}
	if all.Count == 0 {
		return "nobody waited"
	}
	return fmt.Sprintf("%d waits, %s in all; most in %s (%s)", all.Count, all.Whole.Round(time.Microsecond), longest, w[longest].Whole.Round(time.Microsecond))
}
