package openapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/proto/path"
)

// maxPathParameters is how many parameters a path has at the most.
const maxPathParameters = 16

// template is a path with parameters, each a segment or a part of one: /reports/{year}-{month}.pdf.
type template struct {
	segments []segment
	names    []string
}

// segment is a literal, a parameter, or parameters between literals.
type segment struct {
	literal string   // that it is, or begins with
	after   []string // behind each of its parameters
}

// sort orders segments by how much they say: 0 is a literal, 1 has one, 2 is a parameter alone.
func (s segment) sort() int {
	switch {
	case len(s.after) == 0:
		return 0
	case len(s.after) == 1 && s.literal == "" && s.after[0] == "":
		return 2
	}
	return 1
}

var errNotTemplate = errors.New(`a path begins with "/", and its parameters are {names} in braces`)

func parseTemplate(text string) (template, error) {
	if !strings.HasPrefix(text, "/") {
		return template{}, errNotTemplate
	}
	var t template
	for part := range strings.SplitSeq(text[1:], "/") {
		s, names, err := parseSegment(part)
		if err != nil {
			return template{}, err
		}
		if part == "" && len(t.segments) != strings.Count(text, "/")-1 {
			return template{}, errors.New("a path has no empty segments")
		}
		for _, name := range names {
			if slices.Contains(t.names, name) {
				return template{}, fmt.Errorf("the parameter {%s} is in the path twice", name)
			}
			t.names = append(t.names, name)
		}
		t.segments = append(t.segments, s)
	}
	if len(t.names) > maxPathParameters {
		return template{}, fmt.Errorf("a path has at most %d parameters", maxPathParameters)
	}
	return t, nil
}

func parseSegment(part string) (segment, []string, error) {
	literals, names, err := splitBraces(part)
	if err != nil {
		return segment{}, nil, err
	}
	beside := "/" // what a parameter puts there; the dot of "{name}.{ending}" isn't a segment
	if len(names) > 0 {
		beside = "/x"
	}
	for i, literal := range literals {
		if literal != "" {
			canonical, err := path.Canonical(beside + literal)
			if err != nil {
				return segment{}, nil, fmt.Errorf("no path has the segment %q: %w", cut(part), err)
			}
			literals[i] = canonical[len(beside):]
		}
		if literal == "" && i > 0 && i < len(literals)-1 {
			return segment{}, nil, errors.New("something must stand between two parameters of one segment")
		}
	}
	return segment{literal: literals[0], after: literals[1:]}, names, nil
}

// splitBraces returns what is outside and inside the braces.
func splitBraces(part string) (literals, names []string, err error) {
	for {
		literal, rest, opened := strings.Cut(part, "{")
		if strings.ContainsAny(literal, "}") {
			return nil, nil, errNotTemplate
		}
		literals = append(literals, literal)
		if !opened {
			return literals, names, nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || name == "" || strings.ContainsAny(name, "{") {
			return nil, nil, errNotTemplate
		}
		names, part = append(names, name), after
	}
}

// match appends the values of the parameters to params, if a segment of a path fits. A parameter takes as little as it can, and at least something.
func (s segment) match(text string, params []string) ([]string, bool) {
	before := len(params)
	rest, ok := strings.CutPrefix(text, s.literal)
	if !ok {
		return params, false
	}
	for i, after := range s.after {
		end := len(rest)
		switch {
		case rest == "":
			return params[:before], false
		case i == len(s.after)-1:
			end -= len(after)
			if end < 1 || rest[end:] != after {
				return params[:before], false
			}
		default:
			found := strings.Index(rest[1:], after)
			if found < 0 {
				return params[:before], false
			}
			end = found + 1
		}
		params = append(params, rest[:end])
		rest = rest[end+len(after):]
	}
	return params, rest == ""
}

// node is a place in the tree of all templates.
type node struct {
	literals   map[string]*node
	others     []branch // those with parameters, the ones that say most first
	operations []*Operation
	template   string
}

type branch struct {
	segment segment
	node    *node
}

// add returns where a template ends. Same is the one that is there already and fits the same paths.
func (n *node) add(segments []segment, text string) (leaf *node, same string) {
	for _, s := range segments {
		n = n.below(s)
	}
	if n.template != "" {
		return nil, n.template
	}
	n.template = text
	return n, ""
}

func (n *node) below(s segment) *node {
	if s.sort() == 0 {
		if n.literals == nil {
			n.literals = map[string]*node{}
		}
		if n.literals[s.literal] == nil {
			n.literals[s.literal] = &node{}
		}
		return n.literals[s.literal]
	}
	for _, b := range n.others {
		if b.segment.literal == s.literal && slices.Equal(b.segment.after, s.after) {
			return b.node
		}
	}
	made := branch{s, &node{}}
	n.others = append(n.others, made)
	slices.SortStableFunc(n.others, func(a, b branch) int {
		if byKind := a.segment.sort() - b.segment.sort(); byKind != 0 {
			return byKind
		}
		return b.segment.length() - a.segment.length()
	})
	return made.node
}

// length is that of a segment's literals.
func (s segment) length() int { return len(s.literal) + len(strings.Join(s.after, "")) }

// find returns where a path ends: literals before parameters, from the left. Each place of the tree is looked at once at the most.
func (n *node) find(rest string, params []string) (*node, []string) {
	if rest == "" {
		if n.template == "" {
			return nil, params
		}
		return n, params
	}
	text, rest := path.NextSegment(rest)
	if below := n.literals[text]; below != nil {
		if found, all := below.find(rest, params); found != nil {
			return found, all
		}
	}
	for _, b := range n.others {
		if taken, ok := b.segment.match(text, params); ok {
			if found, all := b.node.find(rest, taken); found != nil {
				return found, all
			}
		}
	}
	return nil, params
}
