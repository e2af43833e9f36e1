package form

import (
	"errors"
	"math"
	"math/bits"
	"strconv"

	"google.golang.org/protobuf/types/known/durationpb"
)

// DurationGrammar says in words what ParseDuration takes.
const DurationGrammar = `numbers with the units h, m, s, ms, us, ns, greatest first: "250ms", "1m30s", "1.5s"`

// DurationPattern is a regular expression (ECMA-262) for JSON Schema that every duration matches, and little else:
// the order of the units is beyond it.
const DurationPattern = `^-?([0-9]+(\.[0-9]+)?(h|m|s|ms|us|ns))+$`

// maxSeconds is the greatest duration that google.protobuf.Duration holds: about 10,000 years.
const maxSeconds = 315_576_000_000

// unit is one unit of a duration.
type unit struct {
	name  string
	nanos uint64
}

// units from the greatest to the least.
var units = [...]unit{
	{"h", 3600e9}, {"m", 60e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1},
}

var (
	errDuration      = errors.New("want " + DurationGrammar)
	errDurationRange = errors.New("longer than 10,000 years")
	errDurationFine  = errors.New("finer than a nanosecond")
)

// ParseDuration reads a duration: numbers with units, each unit at most once and the greatest
// first, with a decimal fraction allowed on the last number alone, and a minus in front of it all.
// What it can't hold exactly it refuses.
func ParseDuration(s string) (*durationpb.Duration, error) {
	rest, negative := s, false
	if rest != "" && rest[0] == '-' {
		rest, negative = rest[1:], true
	}
	if rest == "" {
		return nil, errDuration
	}
	var total duration
	for next := 0; rest != ""; {
		var part component
		var err error
		if part, rest, err = parseComponent(rest); err != nil {
			return nil, err
		}
		if part.unit < next || part.fraction != "" && rest != "" {
			return nil, errDuration
		}
		if total, err = total.add(part); err != nil {
			return nil, err
		}
		next = part.unit + 1
	}
	return total.message(negative), nil
}

// component is one number with its unit.
type component struct {
	whole    uint64
	fraction string // decimal digits behind the point
	unit     int    // index of units
}

func parseComponent(s string) (component, string, error) {
	var c component
	digits := countDigits(s)
	if digits == 0 {
		return c, "", errDuration
	}
	whole, err := strconv.ParseUint(s[:digits], 10, 64)
	if err != nil {
		return c, "", errDurationRange
	}
	c.whole, s = whole, s[digits:]
	if s != "" && s[0] == '.' {
		digits = countDigits(s[1:])
		if digits == 0 {
			return c, "", errDuration
		}
		c.fraction, s = s[1:1+digits], s[1+digits:]
	}
	name := 0
	for name < len(s) && s[name] >= 'a' && s[name] <= 'z' {
		name++
	}
	for i, u := range units {
		if u.name == s[:name] {
			c.unit = i
			return c, s[name:], nil
		}
	}
	return c, "", errDuration
}

func countDigits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// duration is a length in seconds and nanoseconds, both positive.
type duration struct{ seconds, nanos uint64 }

func (d duration) add(c component) (duration, error) {
	u := units[c.unit]
	high, low := bits.Mul64(c.whole, u.nanos)
	if high >= 1e9 {
		return d, errDurationRange
	}
	seconds, nanos := bits.Div64(high, low, 1e9)
	fraction, err := fractionNanos(c.fraction, u.nanos)
	if err != nil {
		return d, err
	}
	d.nanos += nanos + fraction
	if seconds > maxSeconds {
		return d, errDurationRange
	}
	d.seconds += seconds + d.nanos/1e9
	d.nanos %= 1e9
	if d.seconds > maxSeconds || d.seconds == maxSeconds && d.nanos > 0 {
		return d, errDurationRange
	}
	return d, nil
}

// fractionNanos returns how many nanoseconds 0.<digits> of a unit are.
func fractionNanos(digits string, unit uint64) (uint64, error) {
	var nanos uint64
	for _, c := range []byte(digits) {
		if c == '0' && unit%10 != 0 {
			continue
		}
		if unit%10 != 0 {
			return 0, errDurationFine
		}
		unit /= 10
		nanos += uint64(c-'0') * unit
	}
	return nanos, nil
}

func (d duration) message(negative bool) *durationpb.Duration {
	seconds, nanos := int64(d.seconds), int32(d.nanos)
	if negative {
		seconds, nanos = -seconds, -nanos
	}
	return &durationpb.Duration{Seconds: seconds, Nanos: nanos}
}

// AppendDuration writes a duration in its one canonical form behind dst: whole numbers, the greatest units first,
// none of them zero ("1m30s", "1s500ms"), and "0s" for zero.
func AppendDuration(dst []byte, seconds int64, nanos int32) []byte {
	if seconds == 0 && nanos == 0 {
		return append(dst, "0s"...)
	}
	if seconds < 0 || nanos < 0 {
		dst = append(dst, '-')
	}
	s, n := magnitude(seconds), magnitude(int64(nanos))
	dst = appendUnit(dst, s/3600, "h")
	dst = appendUnit(dst, s/60%60, "m")
	dst = appendUnit(dst, s%60, "s")
	dst = appendUnit(dst, n/1e6, "ms")
	dst = appendUnit(dst, n/1e3%1e3, "us")
	return appendUnit(dst, n%1e3, "ns")
}

// Duration returns what AppendDuration writes.
func Duration(d *durationpb.Duration) string {
	return string(AppendDuration(nil, d.GetSeconds(), d.GetNanos()))
}

func appendUnit(dst []byte, n uint64, unit string) []byte {
	if n == 0 {
		return dst
	}
	return append(strconv.AppendUint(dst, n, 10), unit...)
}

func magnitude(n int64) uint64 {
	if n == math.MinInt64 {
		return 1 << 63
	}
	return uint64(max(n, -n))
}
