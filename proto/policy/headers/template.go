package headers

import (
	"fmt"
	"slices"
	"strings"
)

// Variable is what a piece of a value stands for.
type Variable uint8

// The variables; Literal is none.
const (
	Literal Variable = iota
	RequestID
	RequestMethod
	RequestHost
	RequestPath
	ClientAddress
	RouteName
	ServiceName
	ConsumerID
	ConsumerName
	CredentialID
	ConsumerMetadata // of the key Text
	Param            // of the name Text
	Header           // of the name Text
)

// variables are written like this, those that take a name up to it.
var variables = [...]string{
	RequestID: "request.id", RequestMethod: "request.method", RequestHost: "request.host", RequestPath: "request.path",
	ClientAddress: "client.address", RouteName: "route.name", ServiceName: "service.name",
	ConsumerID: "consumer.id", ConsumerName: "consumer.name", CredentialID: "credential.id",
	ConsumerMetadata: "consumer.metadata.", Param: "param.", Header: "header.",
}

// maxName bounds the name in a variable, in bytes.
const maxName = 128

// Piece is a part of a value.
type Piece struct {
	Variable Variable
	Text     string // the literal, or the name that the variable takes
}

// SyntaxError is a value that can't be read, and where it goes wrong.
type SyntaxError struct {
	At     int // character, from 1
	Detail string
}

// Error tells both.
func (e *SyntaxError) Error() string { return fmt.Sprintf("at character %d: %s", e.At, e.Detail) }

// Parse takes a value apart: literals of visible ASCII, and variables in braces.
func Parse(value string) ([]Piece, error) {
	p := parser{value: value}
	for p.at < len(value) {
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	p.flush()
	return p.pieces, nil
}

// Names returns how variables are written, for messages.
func Names() string {
	all := make([]string, 0, len(variables))
	for v, text := range variables[1:] {
		if Variable(v + 1).takesName() {
			text += "NAME"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func (v Variable) takesName() bool { return v >= ConsumerMetadata }

type parser struct {
	value   string
	at      int
	literal []byte
	pieces  []Piece
}

func (p *parser) next() error {
	c := p.value[p.at]
	switch {
	case strings.HasPrefix(p.value[p.at:], "{{"), strings.HasPrefix(p.value[p.at:], "}}"):
		p.literal = append(p.literal, c)
		p.at += 2
		return nil
	case c == '{':
		return p.variable()
	case c == '}':
		return p.fail(p.at, `"}" without "{"; write "}}" for a brace`)
	case c < ' ' || c > '~':
		return p.fail(p.at, "a value is of visible ASCII and spaces")
	}
	p.literal = append(p.literal, c)
	p.at++
	return nil
}

func (p *parser) variable() error {
	start := p.at + 1
	length := strings.IndexAny(p.value[start:], "{}")
	if length < 0 || p.value[start+length] == '{' {
		return p.fail(p.at, `"{" without "}"; write "{{" for a brace`)
	}
	text := p.value[start : start+length]
	piece, ok := variableOf(text)
	switch {
	case !ok:
		return p.fail(start, fmt.Sprintf("there is no variable %q", shorten(text)))
	case piece.Variable.takesName() && (piece.Text == "" || len(piece.Text) > maxName || hasControl(piece.Text)):
		return p.fail(start, fmt.Sprintf("%q needs a name behind the dot, of at most %d visible characters", shorten(text), maxName))
	case piece.Variable == Header && Refused(Request, piece.Text) != "":
		return p.fail(start, fmt.Sprintf("the client's own field %q can't be believed, or never gets here", shorten(piece.Text)))
	}
	p.flush()
	p.pieces = append(p.pieces, piece)
	p.at = start + length + 1
	return nil
}

func (p *parser) flush() {
	if len(p.literal) > 0 {
		p.pieces = append(p.pieces, Piece{Text: string(p.literal)})
		p.literal = p.literal[:0]
	}
}

func (p *parser) fail(at int, detail string) error { return &SyntaxError{At: at + 1, Detail: detail} }

// variableOf returns the variable that is written like this.
func variableOf(text string) (Piece, bool) {
	for v := RequestID; int(v) < len(variables); v++ {
		if name, found := strings.CutPrefix(text, variables[v]); found && (v.takesName() || name == "") {
			return Piece{Variable: v, Text: name}, true
		}
	}
	return Piece{}, false
}

func hasControl(text string) bool {
	return slices.ContainsFunc([]byte(text), func(c byte) bool { return c < ' ' || c == 0x7f })
}

func shorten(text string) string {
	const most = 40
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
