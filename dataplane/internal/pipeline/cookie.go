package pipeline

import "strings"

const cookieField = "Cookie"

// FindCookie looks for a cookie in all Cookie fields: HTTP/2 may split them (RFC 9113, section 8.2.3). It returns the last value, and how
// many there are; empty ones are none.
func FindCookie(h *Header, name string) (value string, count int) {
	for _, field := range h.Fields() {
		if !EqualFold(field.Name, cookieField) {
			continue
		}
		for rest, more := field.Value, true; more; {
			var pair string
			pair, rest, more = strings.Cut(rest, ";")
			if have, given := cookiePair(pair); have == name && given != "" {
				value = given
				count++
			}
		}
	}
	return value, count
}

// CutCookie takes a cookie out of all Cookie fields, and fields that hold nothing else with it. Other pairs stay as they
// are.
func CutCookie(ex *Exchange, name string) {
	h := &ex.Request.Header
	emptied := false
	for i, field := range h.Fields() {
		if !EqualFold(field.Name, cookieField) || !holdsCookie(field.Value, name) {
			continue
		}
		value := withoutCookie(ex, field.Value, name)
		h.Fields()[i].Value = value
		emptied = emptied || value == ""
	}
	if emptied {
		h.DeleteFunc(func(f Field) bool { return f.Value == "" && EqualFold(f.Name, cookieField) })
	}
}

func holdsCookie(value, name string) bool {
	for more := true; more; {
		var pair string
		pair, value, more = strings.Cut(value, ";")
		if have, _ := cookiePair(pair); have == name {
			return true
		}
	}
	return false
}

func withoutCookie(ex *Exchange, value, name string) string {
	kept := ex.TextBuffer()
	first := true
	for more := true; more; {
		var pair string
		pair, value, more = strings.Cut(value, ";")
		if have, _ := cookiePair(pair); have == name {
			continue
		}
		if first {
			pair = strings.TrimLeft(pair, " \t")
		} else {
			kept = append(kept, ';')
		}
		kept = append(kept, pair...)
		first = false
	}
	return ex.TextDone(kept)
}

// cookiePair takes a pair apart. White space around name and value is none of theirs, and a value may stand in quotes
// (RFC 6265, sections 4.1.1 and 5.2).
func cookiePair(pair string) (name, value string) {
	name, value, _ = strings.Cut(pair, "=")
	name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return name, value
}
