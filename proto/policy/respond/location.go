package respond

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/proto/path"
)

// Variable is what a part of a location stands for.
type Variable uint8

// The variables.
const (
	Literal Variable = iota // the text itself
	Path                    // the request's canonical path
	Query                   // its query
	Host                    // its host
	Param                   // a parameter of the route's path, by name
)

// Part is a piece of a location.
type Part struct {
	Variable Variable
	// Text of a literal, name of a parameter.
	Text string
	// InQuery tells that it stands behind the question mark.
	InQuery bool
}

var (
	errStart     = errors.New(`must be an http or https URL ("https://new.example.com{path}") or a path on the same host ("/new{path}")`)
	errOwnHost   = errors.New("its host must be written out: a variable in it would let callers decide where others are sent")
	errAuthority = errors.New("its host must be a name or address, with a port maybe, and nothing else")
	errCharacter = errors.New("must hold visible ASCII alone, other characters percent-encoded, and none of \" < > \\ ^ ` | #")
	errBrace     = errors.New("has a brace that belongs to no variable")
	errQuery     = errors.New("{query} can only stand behind the question mark")
	errDots      = errors.New(`must not hold segments "." or ".."`)
)

// ParseLocation takes a redirect's location apart, and refuses what could lead elsewhere than where it says: its scheme and host are literal, so
// that nothing of a request can change them.
func ParseLocation(text string) ([]Part, error) {
	rest, err := checkStart(text)
	if err != nil {
		return nil, err
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`|#", c) >= 0 {
			return nil, errCharacter
		}
	}
	own, _, _ := strings.Cut(rest, "?")
	for segment := range strings.SplitSeq(own, "/") {
		if plain := strings.ReplaceAll(strings.ToLower(segment), "%2e", "."); plain == "." || plain == ".." {
			return nil, errDots
		}
	}
	return split(text)
}

// checkStart checks scheme and host, or that a path stays on its host, and returns what is behind the host.
func checkStart(text string) (rest string, err error) {
	if strings.HasPrefix(text, "/") {
		// "//host", and "/{path}" which makes it, name another host; so does "/\host" to browsers.
		if next := text[1:]; next != "" && strings.IndexByte("/\\{", next[0]) >= 0 {
			return "", errOwnHost
		}
		return text, nil
	}
	rest, secure := strings.CutPrefix(text, "https://")
	if !secure {
		var plain bool
		if rest, plain = strings.CutPrefix(text, "http://"); !plain {
			return "", errStart
		}
	}
	end := strings.IndexAny(rest, "/?{")
	if end < 0 {
		end = len(rest)
	}
	authority, rest := rest[:end], rest[end:]
	if strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, "{path}") {
		return "", errOwnHost // {path} begins with a slash, which ends the host
	}
	return rest, checkAuthority(authority)
}

func checkAuthority(authority string) error {
	if authority == "" {
		return errOwnHost
	}
	host, port, _ := strings.Cut(authority, ":")
	if strings.HasPrefix(authority, "[") {
		var closed bool
		host, port, closed = strings.Cut(authority, "]")
		if !closed || strings.Trim(host[1:], "0123456789abcdefABCDEF:.") != "" {
			return errAuthority
		}
		host, port = "v6", strings.TrimPrefix(port, ":")
	}
	if host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != "" ||
		len(port) > 5 || strings.Trim(port, "0123456789") != "" || strings.HasSuffix(authority, ":") {
		return errAuthority
	}
	return nil
}

// split finds the variables.
func split(text string) ([]Part, error) {
	var parts []Part
	inQuery := false
	for text != "" {
		open := strings.IndexByte(text, '{')
		literal := text
		if open >= 0 {
			literal = text[:open]
		}
		if strings.Contains(literal, "}") {
			return nil, errBrace
		}
		if literal != "" {
			parts = append(parts, Part{Text: literal, InQuery: inQuery})
			inQuery = inQuery || strings.Contains(literal, "?")
		}
		if open < 0 {
			break
		}
		name, rest, closed := strings.Cut(text[open+1:], "}")
		if !closed {
			return nil, errBrace
		}
		part, err := variable(name, inQuery)
		if err != nil {
			return nil, err
		}
		parts, text = append(parts, part), rest
	}
	return parts, nil
}

func variable(name string, inQuery bool) (Part, error) {
	part := Part{InQuery: inQuery}
	switch name {
	case "path":
		part.Variable = Path
	case "host":
		part.Variable = Host
	case "query":
		if !inQuery {
			return Part{}, errQuery
		}
		part.Variable = Query
	default:
		parameter, ok := strings.CutPrefix(name, "param.")
		if _, err := path.ParseTemplate("/{" + parameter + "}"); !ok || err != nil {
			return Part{}, fmt.Errorf("there is no variable {%s}; there are {path}, {query}, {host} and {param.x}", name) //nolint:err113 // made for the user
		}
		part.Variable, part.Text = Param, parameter
	}
	return part, nil
}
