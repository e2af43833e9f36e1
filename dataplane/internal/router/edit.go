package router

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/proto/path"
)

// Edit makes a table out of another one. It copies what it changes, once, and shares the rest. It belongs to one
// goroutine, and ends with Done.
type Edit struct {
	table Table
	mark  *mark // on all that it has made
	// What of the table itself is the edit's own already.
	ownsHosts, ownsWildcards bool
}

// mark tells one edit's nodes from all others'. It is a thing of its own, so that a node that lives on through many
// tables doesn't keep the one alive that it was made for.
type mark struct{ _ byte }

// Edit starts from t, which stays as it is.
func (t *Table) Edit() *Edit { return &Edit{table: *t, mark: new(mark)} }

// Done returns the table. The Edit must not be used any more.
func (e *Edit) Done() *Table {
	t := e.table
	return &t
}

// Add adds a rule. Errors wrap ErrRule; the table is then as before.
func (e *Edit) Add(r *Rule) error {
	if err := r.check(); err != nil {
		return fmt.Errorf("route: %w", err)
	}
	e.each(r, func(slot **leaf, c candidate) {
		l := e.leaf(slot)
		at, _ := slices.BinarySearchFunc(l.list, c, before)
		l.list = slices.Insert(l.list, at, c)
	})
	return nil
}

// Remove takes out a rule: the same one that was added, not one that is equal.
func (e *Edit) Remove(r *Rule) {
	e.each(r, func(slot **leaf, c candidate) {
		if *slot == nil {
			return
		}
		l := e.leaf(slot)
		l.list = slices.DeleteFunc(l.list, func(have candidate) bool { return have == c })
		if len(l.list) == 0 {
			*slot = nil
		}
	})
}

// each visits the leaf of every host and path of a rule; visit may fill an empty one or empty a full one. Everything on
// the way there is the edit's own, and is dropped when nothing is left of it.
func (e *Edit) each(r *Rule, visit func(slot **leaf, c candidate)) {
	onHost := func(h *host) {
		for i, p := range r.Paths {
			e.path(h, p, func(slot **leaf) { visit(slot, newCandidate(r, i)) })
		}
	}
	if len(r.Hosts) == 0 {
		e.table.any = e.host(e.table.any)
		onHost(e.table.any)
		e.table.any = e.table.any.orNil()
		return
	}
	for _, name := range r.Hosts {
		hosts, key := e.hostsOf(name)
		h := e.host(hosts[key])
		onHost(h)
		if hosts[key] = h.orNil(); hosts[key] == nil {
			delete(hosts, key)
		}
	}
}

// hostsOf returns the map that a host is in, the edit's own, and its key there.
func (e *Edit) hostsOf(name string) (hosts map[string]*host, key string) {
	name = strings.ToLower(name)
	if suffix, wildcard := strings.CutPrefix(name, "*"); wildcard {
		if !e.ownsWildcards {
			e.table.wildcards, e.ownsWildcards = clone(e.table.wildcards), true
		}
		return e.table.wildcards, suffix
	}
	if !e.ownsHosts {
		e.table.hosts, e.ownsHosts = clone(e.table.hosts), true
	}
	return e.table.hosts, name
}

func (e *Edit) path(h *host, p Path, visit func(slot **leaf)) {
	switch p.By {
	case Exact:
		l := h.exact[p.Text]
		visit(&l)
		if h.exact[p.Text] = l; l == nil {
			delete(h.exact, p.Text)
		}
	case Template:
		e.descend(&h.templates, p.Text, true, func(n *node) { visit(&n.at) })
	default: // Prefix: check lets nothing else through
		// "/orders/" is what is below "/orders".
		if above, below := strings.CutSuffix(p.Text, "/"); below {
			e.descend(&h.prefixes, above, false, func(n *node) { visit(&n.below) })
			return
		}
		e.descend(&h.prefixes, p.Text, false, func(n *node) { visit(&n.at) })
	}
}

// descend goes down a tree along a path, and visits the node at its end.
func (e *Edit) descend(at **node, rest string, template bool, visit func(*node)) {
	var n *node
	if *at == nil {
		n, rest = &node{owner: e.mark, edge: rest}, ""
	} else {
		n, rest = e.fork(e.node(*at), rest, template)
	}
	switch segment, _ := path.NextSegment(rest); {
	case rest == "":
		visit(n)
	case template && isParameter(segment):
		e.descend(&n.param, rest, template, visit)
	default:
		old := n.literal(segment)
		child := old
		e.descend(&child, rest, template, visit)
		n.setLiteral(segment, old, child)
	}
	if *at = n; n.empty() {
		*at = nil
	}
}

// fork returns the node at the end of what a path has in common with the way to n, which is the edit's own, and the rest
// of the path. It is n, or a new one above it.
func (e *Edit) fork(n *node, text string, template bool) (above *node, rest string) {
	edge, rest := n.edge, text
	for edge != "" && rest != "" {
		have, edgeBelow := path.NextSegment(edge)
		want, restBelow := path.NextSegment(rest)
		if have != want && (!template || !isParameter(have) || !isParameter(want)) {
			break
		}
		edge, rest = edgeBelow, restBelow
	}
	if edge == "" {
		return n, rest
	}
	above = &node{owner: e.mark, edge: n.edge[:len(n.edge)-len(edge)]}
	n.edge = edge
	if label := n.label(); template && isParameter(label) {
		above.param = n
	} else {
		above.setLiteral(label, nil, n)
	}
	return above, rest
}

func (h *host) orNil() *host {
	if len(h.exact) == 0 && h.templates == nil && h.prefixes == nil {
		return nil
	}
	return h
}

// host, node and leaf return the edit's own form of what they are given, which may be nil.

func (e *Edit) host(h *host) *host {
	switch {
	case h == nil:
		return &host{owner: e.mark, exact: map[string]*leaf{}}
	case h.owner == e.mark:
		return h
	}
	own := *h
	own.owner, own.exact = e.mark, maps.Clone(h.exact)
	return &own
}

func (e *Edit) node(n *node) *node {
	switch {
	case n == nil:
		return &node{owner: e.mark}
	case n.owner == e.mark:
		return n
	}
	own := *n
	own.owner, own.many = e.mark, maps.Clone(n.many)
	return &own
}

func (e *Edit) leaf(slot **leaf) *leaf {
	switch l := *slot; {
	case l == nil:
		*slot = newLeaf(e.mark, nil)
	case l.owner != e.mark:
		*slot = newLeaf(e.mark, l.list)
	}
	return *slot
}

func clone(hosts map[string]*host) map[string]*host {
	if hosts == nil {
		return map[string]*host{}
	}
	return maps.Clone(hosts)
}
