package ratelimit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// Bounds that keep the limiter's arithmetic exact: it works on the time between two requests, in whole nanoseconds of 64 bits.
const (
	// leastInterval is the least time between two requests of a caller who uses up the limit evenly. Rounded to a nanosecond,
	// the limit is exact to a thousandth.
	leastInterval = time.Microsecond
	// greatestRefill is the longest that a caller at zero waits for the whole burst.
	greatestRefill = 7 * 24 * time.Hour
)

func validate(config *policyv1.RateLimit) []problem.Violation {
	return slices.Concat(checkBy(config.GetBy()), checkWindows(config.GetWindows()))
}

// checkBy finds properties that are there twice.
func checkBy(properties []*policyv1.CountBy) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, by := range properties {
		member, header := propertyOf(by)
		if member == "" {
			continue // required: told of by its rule
		}
		key := member + " " + strings.ToLower(header)
		if j, twice := first[key]; twice {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("by", i, member), Code: problem.ViolationNotUnique, Given: header,
				Detail: fmt.Sprintf("is the same property as entry %d; give it once", j),
			})
			continue
		}
		first[key] = i
	}
	return violations
}

// propertyOf returns the name of the member that is given, and of a header its name.
func propertyOf(by *policyv1.CountBy) (member, header string) {
	switch property := by.GetProperty().(type) {
	case *policyv1.CountBy_Address:
		return "address", ""
	case *policyv1.CountBy_Key:
		return "key", ""
	case *policyv1.CountBy_Consumer:
		return "consumer", ""
	case *policyv1.CountBy_Route:
		return "route", ""
	case *policyv1.CountBy_Header:
		return "header", property.Header
	}
	return "", ""
}

// checkWindows finds windows of one length, and limits that can't be counted exactly.
func checkWindows(windows []*policyv1.Window) []problem.Violation {
	var violations []problem.Violation
	first := map[time.Duration]int{}
	for i, window := range windows {
		length := window.GetWindow().AsDuration()
		if length <= 0 || length > greatestRefill || window.GetRequests() == 0 {
			continue // out of range: told of by its rule
		}
		violations = append(violations, checkWindow(i, length, window)...)
		if j, twice := first[length]; twice {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("windows", i, "window"), Code: problem.ViolationNotUnique, Given: length.String(),
				Detail: fmt.Sprintf("is as long as window %d: only the stricter of both would count; give one", j),
			})
			continue
		}
		first[length] = i
	}
	return violations
}

func checkWindow(i int, length time.Duration, window *policyv1.Window) []problem.Violation {
	requests, burst := int64(window.GetRequests()), int64(window.GetBurst())
	if most := int64(length / leastInterval); requests > most {
		return []problem.Violation{{
			Pointer: problem.Pointer("windows", i, "requests"), Code: problem.ViolationOutOfRange, Given: strconv.FormatInt(requests, 10),
			Detail: "is more than a million a second, which can't be counted exactly", Allowed: fmt.Sprintf("1 to %d in this window", most),
		}}
	}
	// Divided first, rounded down: within the range in which nothing overflows.
	if most := int64(greatestRefill / (length / time.Duration(requests))); burst > most {
		return []problem.Violation{{
			Pointer: problem.Pointer("windows", i, "burst"), Code: problem.ViolationOutOfRange, Given: strconv.FormatInt(burst, 10),
			Detail:  "would take longer than seven days to be allowed again at this rate",
			Allowed: fmt.Sprintf("1 to %d at this rate", most),
		}}
	}
	return nil
}
