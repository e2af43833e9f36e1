package openapi

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Description is a compiled API description: immutable, and safe for concurrent use.
type Description struct {
	// Version of OpenAPI.
	Version string
	// Title and Edition are what the description calls itself.
	Title, Edition string

	base       string
	operations []*Operation
	tree       *node
	keys       []string // parameters of the query by which callers prove who they are
}

// BasePath is the path of the first server, without a slash at its end; "": there is none.
func (d *Description) BasePath() string { return d.base }

// Operations returns all, by path and method. They must not be changed.
func (d *Description) Operations() []*Operation { return d.operations }

// Match is what a description has for a request.
type Match struct {
	// Operation; nil: there is none.
	Operation *Operation
	// Template of the path, also where it has no such method; "": no path fits.
	Template string
	// Params are the values of the path's parameters, escapes in place.
	Params []string
}

// Match finds the operation of a method and a canonical path, from which what stands in front of all paths has been taken. A literal segment goes before one with a
// parameter. HEAD is GET where it isn't described by itself (RFC 9110 §9.3.2).
func (d *Description) Match(method, canonical string, params []string) Match {
	leaf, params := d.tree.find(canonical, params[:0])
	if leaf == nil {
		return Match{}
	}
	m := Match{Template: leaf.template, Params: params, Operation: leaf.operation(method)}
	if m.Operation == nil && method == "HEAD" {
		m.Operation = leaf.operation("GET")
	}
	return m
}

func (n *node) operation(method string) *Operation {
	for _, o := range n.operations {
		if o.Method == method {
			return o
		}
	}
	return nil
}

// Operation is what one method does at one path.
type Operation struct {
	// Method in capitals, and Path as a template.
	Method, Path string
	// ID and Summary are what the description says; "": nothing.
	ID, Summary string
	// Deprecated is what the description says.
	Deprecated bool

	names      []string
	keys       []string
	parameters []*parameter
	body       *body
	answers    []*Answer
}

func compareOperations(a, b *Operation) int {
	return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
}

type body struct {
	required bool
	contents []*Content
}

// NeedsBody tells whether what the description says of a request's body can't be told from its content type alone.
func (o *Operation) NeedsBody(contentType string) bool {
	content := o.content(contentType)
	return content != nil && content.Looks() != Opaque
}

func (o *Operation) content(contentType string) *Content {
	if o.body == nil {
		return nil
	}
	return pick(o.body.contents, contentType)
}

// Body finds what is described of a request's body, by its content type and whether there is one. Content is nil where there is nothing to hold it against;
// breaches say that it breaks the description already.
func (o *Operation) Body(contentType string, present bool) (*Content, []Breach) {
	switch {
	case !present && o.body != nil && o.body.required:
		return nil, []Breach{{Where: whereBody, Described: whereBody, Rule: "required", Message: "is required"}}
	case !present:
		return nil, nil
	case o.body == nil:
		return nil, []Breach{{Where: whereBody, Described: whereBody, Rule: "body", Message: "isn't described: the operation takes none"}}
	}
	content := o.content(contentType)
	if content == nil {
		return nil, []Breach{{Where: whereType, Described: whereType, Rule: "content", Message: "must be one of: " + types(o.body.contents)}}
	}
	return content, nil
}

const (
	whereBody = "body"
	whereType = "header.Content-Type"
)

func types(contents []*Content) string {
	var all []string
	for _, content := range contents {
		all = append(all, content.Type)
	}
	return cut(strings.Join(all, ", "))
}

// Answer is what is described of an answer.
type Answer struct {
	status   string
	contents []*Content
	headers  []*parameter
}

// Answer finds what is described of a status; nil: nothing.
func (o *Operation) Answer(status int) *Answer {
	text := strconv.Itoa(status)
	for _, wanted := range [...]string{text, text[:1] + "XX", "DEFAULT"} {
		i := slices.IndexFunc(o.answers, func(a *Answer) bool { return a.status == wanted })
		if i >= 0 {
			return o.answers[i]
		}
	}
	return nil
}

// NoAnswer is the breach of a status that isn't described.
func NoAnswer() Breach {
	return Breach{Where: "status", Described: "status", Rule: "status", Message: "isn't one that the description has for the operation"}
}

// Head holds an answer's header against the description, and finds what is described of its body: nil where there is nothing to hold it against.
func (a *Answer) Head(contentType string, present bool, header func(name string) (string, bool)) (*Content, []Breach) {
	var breaches []Breach
	for _, p := range a.headers {
		value, has := header(p.name)
		breaches = append(breaches, p.one(value, has, ToCaller)...)
	}
	if !present || len(a.contents) == 0 {
		return nil, clip(breaches)
	}
	content := pick(a.contents, contentType)
	if content == nil {
		breaches = append(breaches, Breach{Where: whereType, Described: whereType, Rule: "content", Message: "must be one of: " + types(a.contents)})
	}
	return content, clip(breaches)
}

func clip(breaches []Breach) []Breach { return breaches[:min(len(breaches), MaxBreaches)] }
