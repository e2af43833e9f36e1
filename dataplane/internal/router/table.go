package router

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

// node is a place in a tree of segments. Its path is that of the segments that lead to it. It fills one cache line, and
// most nodes have one child, so that a search that finds nothing in the caches goes to main memory once per segment.
type node struct {
	owner *mark
	label string // of the only literal child
	only  *node
	many  map[string]*node // the literal children, when there are more: then there is no only one
	param *node            // of templates
	at    *leaf            // of templates: for the node's path; of prefixes: and what is below
	below *leaf            // of prefixes: for what is below
}

// child returns the node of a literal segment, nil if there is none.
func (n *node) child(segment string) *node {
	switch {
	case n.many != nil:
		return n.many[segment]
	case n.only != nil && n.label == segment:
		return n.only
	}
	return nil
}

// setChild puts the node of a literal segment in place; nil takes it out.
func (n *node) setChild(segment string, child *node) {
	switch {
	case n.many != nil && child != nil:
		n.many[segment] = child
	case n.many != nil:
		if delete(n.many, segment); len(n.many) == 0 {
			n.many = nil
		}
	case n.only == nil || n.label == segment:
		n.label, n.only = segment, child
	case child != nil:
		n.many = map[string]*node{n.label: n.only, segment: child}
		n.label, n.only = "", nil
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
