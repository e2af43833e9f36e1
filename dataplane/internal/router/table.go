package router

import "github.com/sallyport/sallyport/proto/path"

// Table finds rules. It is immutable and safe for concurrent use; the zero value matches nothing.
type Table struct {
	hosts     map[string]*host
	wildcards map[string]*host // by what follows the '*': ".example.com"
	any       *host
}

// host holds the rules of one host.
type host struct {
	owner     *mark
	exact     map[string]*leaf
	templates *node
	prefixes  *node
}

// node is a place in a tree of segments. It fills one cache line, and stands for all segments up to where paths part, so
// that a search that finds nothing in the caches goes to main memory once per fork and not once per segment.
type node struct {
	owner *mark
	edge  string           // the segments from the node above to this one: "/orders/{id}"; of the root maybe none
	only  *node            // the only child whose edge begins with a literal
	many  map[string]*node // those children by their first segment, when there are more: then there is no only one
	param *node            // of templates: the child whose edge begins with a parameter
	at    *leaf            // of templates: for the node's path; of prefixes: and what is below
	below *leaf            // of prefixes: for what is below
}

// child returns the child that a literal segment at the beginning of rest may lead to, as its edge has to say; nil if there
// is none.
func (n *node) child(rest string) *node {
	if n.many == nil {
		return n.only
	}
	segment, _ := path.NextSegment(rest)
	return n.many[segment]
}

// label returns the first segment of the node's edge.
func (n *node) label() string {
	segment, _ := path.NextSegment(n.edge)
	return segment
}

// literal returns the child whose edge begins with a segment, nil if there is none.
func (n *node) literal(segment string) *node {
	if n.many != nil {
		return n.many[segment]
	}
	if n.only != nil && n.only.label() == segment {
		return n.only
	}
	return nil
}

// setLiteral puts the child whose edge begins with a segment in the place of the one that literal returned; nil takes it
// out. The old one's edge may be another already.
func (n *node) setLiteral(segment string, old, child *node) {
	switch {
	case n.many != nil && child != nil:
		n.many[segment] = child
	case n.many != nil:
		if delete(n.many, segment); len(n.many) == 0 {
			n.many = nil
		}
	case n.only == old:
		n.only = child
	case child != nil:
		n.many = map[string]*node{n.only.label(): n.only, segment: child}
		n.only = nil
	}
}

func (n *node) empty() bool {
	return n.many == nil && n.only == nil && n.param == nil && n.at == nil && n.below == nil
}

// leaf holds the candidates of equal host and path, in the order of precedence.
type leaf struct {
	owner *mark
	list  []candidate
	one   [1]candidate // the list's memory as long as one is enough, which it mostly is
}

func newLeaf(owner *mark, list []candidate) *leaf {
	l := &leaf{owner: owner}
	l.list = append(l.one[:0], list...)
	return l
}
