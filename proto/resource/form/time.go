package form

import (
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// timeLayout is RFC 3339 §5.6 with up to nanoseconds and no trailing zeros.
const timeLayout = "2006-01-02T15:04:05.999999999Z07:00"

var errTime = errors.New(`want a time of RFC 3339: "2027-01-31T12:00:00Z"`)

// ParseTime reads a time of RFC 3339, in capitals and with nanoseconds at the most. Other offsets than Z are taken, and turned into UTC.
func ParseTime(s string) (*timestamppb.Timestamp, error) {
	if !hasTimeShape(s) {
		return nil, errTime
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return nil, errTime
	}
	at := timestamppb.New(t)
	if at.CheckValid() != nil { // an offset can lead out of the years 1 to 9999
		return nil, errTime
	}
	return at, nil
}

// hasTimeShape holds a text to the grammar, of which package time takes more: hours of one digit, a comma before the fraction, and
// digits that it drops.
func hasTimeShape(s string) bool {
	const seconds = "0000-00-00T00:00:00"
	if len(s) < len(seconds) || !fits(s[:len(seconds)], seconds) {
		return false
	}
	s = s[len(seconds):]
	if fraction, ok := strings.CutPrefix(s, "."); ok {
		digits := countDigits(fraction)
		if digits == 0 || digits > 9 {
			return false
		}
		s = fraction[digits:]
	}
	if s == "Z" {
		return true
	}
	return (fits(s, "+00:00") || fits(s, "-00:00")) && s[1:3] < "24" && s[4:6] < "60"
}

// fits tells whether a text is a pattern with other digits for its zeros.
func fits(s, pattern string) bool {
	if len(s) != len(pattern) {
		return false
	}
	for i := range len(s) {
		digit := s[i] >= '0' && s[i] <= '9'
		if pattern[i] == '0' && !digit || pattern[i] != '0' && s[i] != pattern[i] {
			return false
		}
	}
	return true
}

// AppendTime writes a time in RFC 3339, in UTC, behind dst.
func AppendTime(dst []byte, seconds int64, nanos int32) []byte {
	return time.Unix(seconds, int64(nanos)).UTC().AppendFormat(dst, timeLayout)
}
