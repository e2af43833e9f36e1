package jsontree

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/proto/problem"
)

// MaxDepth is how deep objects and lists may be nested in one another.
const MaxDepth = 64

// SyntaxError is where a document stops being JSON.
type SyntaxError struct {
	Offset int    // bytes before it
	Line   int    // from 1
	Column int    // bytes from the begin of the line, from 1
	Reason string // what was wanted or found
}

// Error tells the place and the reason; it repeats nothing of the document.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// Parse reads one document. A document that is not JSON gives a *SyntaxError and nothing else. Of one that is, violations
// tell every duplicate name and every text that is not Unicode; one that is nested too deep is read no further.
func Parse(data []byte) (Value, []problem.Violation, error) {
	return parse(&parser{data: data})
}

// ParseShared is Parse for documents that are small, and all of which may be kept as long as a part of them: its texts are parts of one copy,
// rather than each a copy of its own.
func ParseShared(data []byte) (Value, []problem.Violation, error) {
	return parse(&parser{data: data, shared: string(data)})
}

func parse(p *parser) (Value, []problem.Violation, error) {
	root, ok := p.value(0)
	if ok {
		p.space()
		if p.at < len(p.data) {
			ok = p.fail("data follows the document")
		}
	}
	switch {
	case p.syntax != nil:
		return Value{}, nil, p.syntax
	case !ok:
		return Value{}, p.findings, nil
	}
	return root, p.findings, nil
}

// parser reads from at on. Its methods return false once reading can't go on: syntax then tells why, or a violation that
// the document is too deep.
type parser struct {
	data     []byte
	shared   string // the same, that texts may be parts of; "": they are copied
	at       int
	path     []step // where it is
	syntax   *SyntaxError
	findings Findings
}

// step is a way into a value: the name of a member, or the index of an item.
type step struct {
	name  string
	index int
	item  bool
}

// pointer is where it is, as a JSON pointer.
func (p *parser) pointer() string {
	var pointer strings.Builder
	for _, s := range p.path {
		if s.item {
			pointer.WriteString(problem.Pointer(s.index))
		} else {
			pointer.WriteString(problem.Pointer(s.name))
		}
	}
	return pointer.String()
}

func (p *parser) enterMember(name string) { p.path = append(p.path, step{name: name}) }
func (p *parser) enterItem(index int)     { p.path = append(p.path, step{index: index, item: true}) }
func (p *parser) leave()                  { p.path = p.path[:len(p.path)-1] }

// cut returns a part of the document.
func (p *parser) cut(from, to int) string {
	if p.shared != "" {
		return p.shared[from:to]
	}
	return string(p.data[from:to])
}

func (p *parser) fail(reason string) bool {
	if p.syntax == nil {
		before := p.data[:p.at]
		p.syntax = &SyntaxError{
			Offset: p.at,
			Line:   bytes.Count(before, []byte{'\n'}) + 1,
			Column: p.at - (bytes.LastIndexByte(before, '\n') + 1) + 1,
			Reason: reason,
		}
	}
	return false
}

func (p *parser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// next returns the next byte, 0 at the end: no token begins with a NUL.
func (p *parser) next() byte {
	if p.at < len(p.data) {
		return p.data[p.at]
	}
	return 0
}

func (p *parser) value(depth int) (Value, bool) {
	p.space()
	switch c := p.next(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		text, unicode, ok := p.text()
		if !unicode {
			p.notUnicode()
		}
		return Value{Kind: String, Text: text}, ok
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return Value{Kind: Bool, True: true}, p.word("true")
	case c == 'f':
		return Value{Kind: Bool}, p.word("false")
	case c == 'n':
		return Value{Kind: Null}, p.word("null")
	case p.at >= len(p.data):
		return Value{}, p.fail("the document ends where a value is wanted")
	}
	return Value{}, p.fail("want a value")
}

func (p *parser) word(word string) bool {
	if !bytes.HasPrefix(p.data[p.at:], []byte(word)) {
		return p.fail("want a value")
	}
	p.at += len(word)
	return true
}

// enter tells whether another level may be entered.
func (p *parser) enter(depth int) bool {
	p.at++
	if depth < MaxDepth {
		return true
	}
	p.findings.Add(problem.Violation{
		Pointer: p.pointer(),
		Code:    problem.ViolationInvalidValue,
		Detail:  "is nested too deep; nothing was read from here on",
		Allowed: "at most " + strconv.Itoa(MaxDepth) + " levels",
	})
	return false
}

func (p *parser) array(depth int) (Value, bool) {
	list := Value{Kind: Array}
	if !p.enter(depth) {
		return list, false
	}
	if p.space(); p.next() == ']' {
		p.at++
		return list, true
	}
	for {
		p.enterItem(len(list.Items))
		item, ok := p.value(depth + 1)
		if !ok {
			return list, false
		}
		p.leave()
		list.Items = append(list.Items, item)
		if more, ok := p.more(']'); !more {
			return list, ok
		}
	}
}

func (p *parser) object(depth int) (Value, bool) {
	object := Value{Kind: Object}
	if !p.enter(depth) {
		return object, false
	}
	if p.space(); p.next() == '}' {
		p.at++
		return object, true
	}
	var names nameSet
	for {
		name, ok := p.name()
		if !ok {
			return object, false
		}
		p.enterMember(name)
		value, ok := p.value(depth + 1)
		if !ok {
			return object, false
		}
		if names.add(name, object.Members) {
			if object.Members == nil {
				object.Members = make([]Member, 0, someMembers)
			}
			object.Members = append(object.Members, Member{name, value})
		} else {
			// What was given isn't told: nobody knows here whether the field is a secret.
			p.findings.Add(problem.Violation{
				Pointer: p.pointer(), Code: problem.ViolationDuplicateField, Detail: "is given more than once; give it once",
			})
		}
		p.leave()
		if more, ok := p.more('}'); !more {
			return object, ok
		}
	}
}

// name reads a member's name and the colon behind it.
func (p *parser) name() (string, bool) {
	p.space()
	if p.next() != '"' {
		return "", p.fail("want a member's name in double quotes")
	}
	name, unicode, ok := p.text()
	if !ok {
		return "", false
	}
	if !unicode {
		p.enterMember(name)
		p.notUnicode()
		p.leave()
	}
	if p.space(); p.next() != ':' {
		return "", p.fail("want a colon behind a member's name")
	}
	p.at++
	return name, true
}

// more reads what stands behind an entry: a comma (more follows), or the end.
func (p *parser) more(end byte) (more, ok bool) {
	p.space()
	switch c := p.next(); {
	case c == ',':
		p.at++
		return true, true
	case c == end:
		p.at++
		return false, true
	case p.at >= len(p.data):
		return false, p.fail("the document ends inside a list or an object")
	}
	return false, p.fail("want a comma or " + string(end))
}

func (p *parser) notUnicode() {
	p.findings.Add(problem.Violation{
		Pointer: p.pointer(), Code: problem.ViolationInvalidFormat,
		Detail: "holds bytes or escapes that are no Unicode characters", Allowed: "UTF-8 (RFC 3629), escaped surrogates in pairs",
	})
}

// nameSet finds duplicates: by looking through the few members of a common object, by a map in a large one.
type nameSet map[string]struct{}

const (
	fewMembers  = 48
	someMembers = 8 // room for which is made at once
)

// add tells whether name isn't among the members yet, and remembers it.
func (s *nameSet) add(name string, members []Member) bool {
	if *s == nil && len(members) < fewMembers {
		for i := range members {
			if members[i].Name == name {
				return false
			}
		}
		return true
	}
	if *s == nil {
		*s = make(nameSet, 2*fewMembers)
		for i := range members {
			(*s)[members[i].Name] = struct{}{}
		}
	}
	if _, there := (*s)[name]; there {
		return false
	}
	(*s)[name] = struct{}{}
	return true
}
