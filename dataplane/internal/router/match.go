package router

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/path"
)

// Match is what was found.
type Match struct {
	// Found says that a rule matched.
	Found bool
	// WrongMethod says that none did, but that one would have for another method: see Methods.
	WrongMethod bool
	// Slot is the rule's.
	Slot uint32
	// Path is the place of the path that matched in the rule's list.
	Path int
	// Params are the values of that path's parameters, appended to what Match was given.
	Params []string
}

// Match finds the rule of a request, whose Method, Authority (lower case), Path (canonical), Query and Header it looks
// at. It doesn't allocate as long as params has room for the parameters.
func (t *Table) Match(req *pipeline.Request, params []string) Match {
	s := search{req: req, method: methodBit(req.Method), params: params}
	c := s.hosts(t)
	if c == nil {
		return Match{WrongMethod: s.wrongMethod, Params: params}
	}
	return Match{Found: true, Slot: c.slot, Path: int(c.path), Params: s.params}
}

// Methods returns the methods for which a request that found none would find a rule, sorted. It is for the Allow header
// of a refusal, and allocates.
func (t *Table) Methods(req *pipeline.Request) []string {
	s := search{req: req, collect: true}
	s.hosts(t)
	slices.Sort(s.methods)
	return slices.Compact(s.methods)
}

// search is one walk through a table.
type search struct {
	req         *pipeline.Request
	method      methodSet
	params      []string
	wrongMethod bool

	collect bool // note the methods of all that match but for it, and find nothing
	methods []string
}

func (s *search) hosts(t *Table) *candidate {
	authority := s.req.Authority
	if h := t.hosts[authority]; h != nil {
		if c := s.host(h); c != nil {
			return c
		}
	}
	if len(t.wildcards) > 0 {
		if c := s.wildcards(t, authority); c != nil {
			return c
		}
	}
	if t.any != nil {
		return s.host(t.any)
	}
	return nil
}

func (s *search) wildcards(t *Table, authority string) *candidate {
	for {
		dot := strings.IndexByte(authority, '.')
		if dot < 0 {
			return nil
		}
		// The label before the dot is what the '*' stands for: it isn't empty.
		if dot > 0 {
			if h := t.wildcards[authority[dot:]]; h != nil {
				if c := s.host(h); c != nil {
					return c
				}
			}
		}
		authority = authority[dot+1:]
	}
}

func (s *search) host(h *host) *candidate {
	whole := s.req.Path
	if whole == "" || whole[0] != '/' {
		return nil
	}
	if l := h.exact[whole]; l != nil {
		if c := s.leaf(l); c != nil {
			return c
		}
	}
	if h.templates != nil {
		before := len(s.params)
		if c := s.template(h.templates, whole); c != nil {
			return c
		}
		s.params = s.params[:before]
	}
	if h.prefixes != nil {
		return s.prefix(h.prefixes, whole)
	}
	return nil
}

// template goes down with the literal first, then with the parameter. What it noted on a way that led to nothing is its
// caller's to forget.
func (s *search) template(n *node, rest string) *candidate {
	rest, ok := s.along(n.edge, rest)
	if !ok {
		return nil
	}
	if rest == "" {
		return s.leaf(n.at)
	}
	before := len(s.params)
	if child := n.child(rest); child != nil {
		if c := s.template(child, rest); c != nil {
			return c
		}
		s.params = s.params[:before]
	}
	if n.param == nil {
		return nil
	}
	return s.template(n.param, rest)
}

// along returns what is left of a path behind a template's segments, and notes their parameters.
func (s *search) along(edge, rest string) (string, bool) {
	for edge != "" {
		if rest == "" {
			return "", false
		}
		var want, segment string
		want, edge = path.NextSegment(edge)
		segment, rest = path.NextSegment(rest)
		switch {
		case isParameter(want) && segment != "":
			s.params = append(s.params, segment)
		case isParameter(want) || want != segment:
			return "", false
		}
	}
	return rest, true
}

// prefix goes down as far as it can, and comes back up from the longest prefix to the shortest.
func (s *search) prefix(n *node, rest string) *candidate {
	rest, below := strings.CutPrefix(rest, n.edge)
	if !below || rest != "" && rest[0] != '/' {
		return nil
	}
	if rest != "" {
		if child := n.child(rest); child != nil {
			if c := s.prefix(child, rest); c != nil {
				return c
			}
		}
		if c := s.leaf(n.below); c != nil {
			return c
		}
	}
	return s.leaf(n.at)
}

// leaf returns the first candidate whose conditions hold.
func (s *search) leaf(l *leaf) *candidate {
	if l == nil {
		return nil
	}
	for i := range l.list {
		c := &l.list[i]
		if !s.takes(c) {
			s.missed(c.rule)
			continue
		}
		if !c.conditional || s.conditions(c.rule) {
			return c
		}
	}
	return nil
}

// takes tells whether a candidate takes the request's method.
func (s *search) takes(c *candidate) bool {
	if c.methods&s.method == 0 {
		return false // nor does anything while methods are collected
	}
	return s.method != otherMethod || c.methods == anyMethod || slices.Contains(c.rule.Methods, s.req.Method)
}

// missed notes a rule that the method alone might keep from matching.
func (s *search) missed(r *Rule) {
	if s.wrongMethod && !s.collect || !s.conditions(r) {
		return
	}
	s.wrongMethod = true
	if s.collect {
		s.methods = append(s.methods, r.Methods...)
	}
}

func (s *search) conditions(r *Rule) bool {
	for i := range r.Headers {
		if !headerHolds(&s.req.Header, &r.Headers[i]) {
			return false
		}
	}
	for i := range r.Query {
		if !queryHolds(s.req.Query, &r.Query[i]) {
			return false
		}
	}
	return true
}
