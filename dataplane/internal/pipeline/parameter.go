package pipeline

import "strings"

// FindParameter looks for a query parameter. Its name is compared decoded, as the upstream would. It returns the last value, decoded, and how
// many there are; empty ones are none.
func FindParameter(ex *Exchange, name string) (value string, count int) {
	rest := ex.Request.Query
	for more := rest != ""; more; {
		var have, given string
		have, given, rest, more = NextPair(rest)
		if DecodedEqual(have, name) && given != "" {
			value = given
			count++
		}
	}
	if strings.ContainsAny(value, "%+") {
		value = ex.TextDone(AppendDecoded(ex.TextBuffer(), value))
	}
	return value, count
}

// CutParameter returns the query without a parameter, all else byte for byte.
func CutParameter(ex *Exchange, name string) string {
	whole := ex.Request.Query
	if whole == "" {
		return ""
	}
	if !holdsParameter(whole, name) {
		return whole
	}
	kept := ex.TextBuffer()
	first := true
	for rest, more := whole, true; more; {
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		have, _, _ := strings.Cut(pair, "=")
		if DecodedEqual(have, name) {
			continue
		}
		if !first {
			kept = append(kept, '&')
		}
		kept = append(kept, pair...)
		first = false
	}
	return ex.TextDone(kept)
}

func holdsParameter(query, name string) bool {
	for more := true; more; {
		var have string
		have, _, query, more = NextPair(query)
		if DecodedEqual(have, name) {
			return true
		}
	}
	return false
}
