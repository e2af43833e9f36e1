package payload

import "strings"

// maxParameters is how many parameters a media type may have.
const maxParameters = 8

// MediaType is a Content-Type. Type, Subtype and the names of parameters are in lower case.
type MediaType struct {
	Type, Subtype string
	Parameters    []Parameter
}

// Parameter is one of a media type's or a disposition's.
type Parameter struct{ Name, Value string }

// ParseMediaType reads a Content-Type by RFC 9110, section 8.3.1, and by nothing else: a parameter that comes twice, an empty one, white space around "=" and
// whatever else parsers mend in ways of their own is a *Fault.
func ParseMediaType(text string) (MediaType, error) {
	m, f := parseMediaType(text)
	if f != nil {
		return MediaType{}, f
	}
	return m, nil
}

func parseMediaType(text string) (MediaType, *Fault) {
	text = strings.Trim(text, " \t")
	full, rest := cutParameters(text)
	major, minor, _ := strings.Cut(full, "/")
	if !isToken(major) || !isToken(minor) {
		return MediaType{}, fault("media_type", "The Content-Type isn't a media type.")
	}
	parameters, f := parseParameters(rest)
	if f != nil {
		return MediaType{}, f
	}
	return MediaType{Type: strings.ToLower(major), Subtype: strings.ToLower(minor), Parameters: parameters}, nil
}

// cutParameters cuts what stands in front of the first semicolon.
func cutParameters(text string) (front, rest string) {
	at := strings.IndexByte(text, ';')
	if at < 0 {
		return text, ""
	}
	return strings.TrimRight(text[:at], " \t"), text[at:]
}

// parseParameters reads "; name=value" as often as it comes.
func parseParameters(rest string) ([]Parameter, *Fault) {
	var all []Parameter
	for rest != "" {
		if rest[0] != ';' {
			return nil, fault("media_type", "Something that is no parameter stands behind a value.")
		}
		if len(all) == maxParameters {
			return nil, fault("media_type", "There are more than %d parameters.", maxParameters)
		}
		name, after, given := strings.Cut(strings.TrimLeft(rest[1:], " \t"), "=")
		if !given || !isToken(name) {
			return nil, fault("media_type", "A parameter isn't a name and a value.")
		}
		value, left, f := parseValue(after)
		if f != nil {
			return nil, f
		}
		name = strings.ToLower(name)
		if _, twice := find(all, name); twice {
			return nil, fault("media_type", "A parameter comes twice.")
		}
		all = append(all, Parameter{name, value})
		rest = strings.TrimLeft(left, " \t")
	}
	return all, nil
}

// parseValue reads a token, or a quoted string. Escapes in it are none that parsers agree on.
func parseValue(text string) (value, rest string, _ *Fault) {
	if !strings.HasPrefix(text, `"`) {
		n := 0
		for n < len(text) && tokenBytes[text[n]] {
			n++
		}
		if n == 0 {
			return "", "", fault("media_type", "A parameter has no value.")
		}
		return text[:n], text[n:], nil
	}
	value, rest, closed := strings.Cut(text[1:], `"`)
	switch {
	case !closed:
		return "", "", fault("media_type", "A quoted value has no end.")
	case strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) >= 0:
		return "", "", fault("media_type", "A quoted value has an escape or a control character, which parsers read differently.")
	}
	return value, rest, nil
}

func find(all []Parameter, name string) (string, bool) {
	for i := range all {
		if all[i].Name == name {
			return all[i].Value, true
		}
	}
	return "", false
}

// Parameter returns the value of a parameter, by its name in lower case.
func (m *MediaType) Parameter(name string) (string, bool) { return find(m.Parameters, name) }

// Is tells whether the media type is this one, given in lower case: "application/json".
func (m *MediaType) Is(full string) bool {
	major, minor, _ := strings.Cut(full, "/")
	return m.Type == major && m.Subtype == minor
}

// Suffix returns the structured syntax that the subtype names (RFC 6838, section 4.2.8), in lower case: "json" of "application/problem+json".
func (m *MediaType) Suffix() string {
	if at := strings.LastIndexByte(m.Subtype, '+'); at > 0 {
		return m.Subtype[at+1:]
	}
	return ""
}

// IsJSON tells of application/json and of all types that are JSON by their suffix.
func (m *MediaType) IsJSON() bool {
	return m.Subtype == "json" && (m.Type == "application" || m.Type == "text") || m.Suffix() == "json"
}

// IsXML tells of application/xml, text/xml and of all types that are XML by their suffix (RFC 7303).
func (m *MediaType) IsXML() bool {
	return m.Subtype == "xml" && (m.Type == "application" || m.Type == "text") || m.Suffix() == "xml"
}

// IsForm tells of what a browser's form sends unless it has files.
func (m *MediaType) IsForm() bool { return m.Is("application/x-www-form-urlencoded") }

// IsMultipartForm tells of what a browser's form sends if it has files.
func (m *MediaType) IsMultipartForm() bool { return m.Is("multipart/form-data") }

// IsUTF8 tells whether the text is UTF-8 by what is said: by default, or by its charset.
func (m *MediaType) IsUTF8() bool {
	charset, given := m.Parameter("charset")
	return !given || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii")
}

// isToken tells of a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokenBytes = func() (is [256]bool) {
	for c := range is {
		is[c] = c > ' ' && c < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(c))
	}
	return is
}()
