package router

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/path"
)

// Part is a part of a rule's match.
type Part uint8

// The parts, in the order in which they are held against a request.
const (
	Hosts      Part = iota + 1 // the request's host is none of the rule's
	Paths                      // its path matches none of the rule's
	Methods                    // its method is none of the rule's
	Headers                    // a header doesn't hold
	Query                      // a query parameter doesn't hold
	Precedence                 // all of it holds, and a more specific rule was found
)

// String returns the part's name as explanations show it.
func (p Part) String() string {
	switch p {
	case Hosts:
		return "host"
	case Paths:
		return "path"
	case Methods:
		return "method"
	case Headers:
		return "header"
	case Query:
		return "query"
	case Precedence:
		return "precedence"
	}
	return ""
}

// Miss is a rule that wasn't found for a request, and the first part of it that kept it from that.
type Miss struct {
	// Rule that missed.
	Rule *Rule
	// Part that doesn't hold.
	Part Part
	// Others is how many of the parts behind it don't hold either.
	Others int
	// Path is the place of the path that came nearest in the rule's list.
	Path int
	// Condition that doesn't hold, of Headers and Query.
	Condition *Condition

	alike int // how far the path went along with the rule's
}

// NearMisses returns those of the rules that came nearest to being found for a request, the nearest first: with the fewest
// parts that don't hold, then with the first of them furthest behind, then with the path that went along furthest. found is
// the rule that was found, nil if none was. It looks at every rule, as the search does at those that it comes by: it is for
// explanations.
func NearMisses(req *pipeline.Request, rules iter.Seq[*Rule], found *Rule, most int) []Miss {
	nearest := make([]Miss, 0, most+1)
	s := search{req: req, method: methodBit(req.Method)}
	for r := range rules {
		if r == found {
			continue
		}
		m := s.miss(r)
		at, _ := slices.BinarySearchFunc(nearest, m, compareMisses)
		if at == most {
			continue
		}
		nearest = slices.Insert(nearest, at, m)
		nearest = nearest[:min(len(nearest), most)]
	}
	return nearest
}

func compareMisses(a, b Miss) int {
	return cmp.Or(
		cmp.Compare(a.Others, b.Others),
		-cmp.Compare(a.Part, b.Part),
		-cmp.Compare(a.alike, b.alike),
		slices.Compare(a.Rule.ID[:], b.Rule.ID[:]),
	)
}

// miss holds every part of a rule against the request.
func (s *search) miss(r *Rule) Miss {
	m := Miss{Rule: r, Others: -1}
	fails := func(part Part) {
		if m.Others++; m.Part == 0 {
			m.Part = part
		}
	}
	if len(r.Hosts) > 0 && !slices.ContainsFunc(r.Hosts, func(h string) bool { return hostHolds(h, s.req.Authority) }) {
		fails(Hosts)
	}
	var holds bool
	if m.Path, m.alike, holds = s.nearestPath(r); !holds {
		fails(Paths)
	}
	if c := newCandidate(r, m.Path); !s.takes(&c) {
		fails(Methods)
	}
	if i := slices.IndexFunc(r.Headers, func(c Condition) bool { return !headerHolds(&s.req.Header, &c) }); i >= 0 {
		m.Condition = &r.Headers[i]
		fails(Headers)
	}
	if i := slices.IndexFunc(r.Query, func(c Condition) bool { return !queryHolds(s.req.Query, &c) }); i >= 0 {
		if m.Condition == nil {
			m.Condition = &r.Query[i]
		}
		fails(Query)
	}
	if m.Part == 0 {
		m.Part, m.Others = Precedence, -1 // nearer than any other
	}
	if m.Part != Headers && m.Part != Query {
		m.Condition = nil
	}
	return m
}

// hostHolds tells whether a host, exact or with a wildcard, is that of a request.
func hostHolds(pattern, authority string) bool {
	suffix, wildcard := strings.CutPrefix(pattern, "*")
	if !wildcard {
		return pattern == authority
	}
	label, below := strings.CutSuffix(authority, suffix)
	return below && label != "" && !strings.HasSuffix(label, ".")
}

// nearestPath returns the place of the path of a rule that holds, else of the one that the request's went along with furthest.
func (s *search) nearestPath(r *Rule) (place, alike int, holds bool) {
	alike = -1
	for i, p := range r.Paths {
		if s.pathHolds(p) {
			return i, len(s.req.Path), true
		}
		if n := alikeness(p, s.req.Path); n > alike {
			place, alike = i, n
		}
	}
	return place, alike, false
}

func (s *search) pathHolds(p Path) bool {
	switch p.By {
	case Prefix:
		return path.HasPrefix(s.req.Path, p.Text)
	case Template:
		s.params = s.params[:0]
		rest, ok := s.along(p.Text, s.req.Path)
		return ok && rest == ""
	default:
		return p.Text == s.req.Path
	}
}

// alikeness is how far a path goes along with one of a rule: whole segments count most, then the bytes of the next one.
func alikeness(p Path, have string) int {
	const segmentWeight = 1 << 12
	sum, want := 0, p.Text
	for want != "" && have != "" {
		var wanted, segment string
		wanted, want = path.NextSegment(want)
		segment, have = path.NextSegment(have)
		if p.By == Template && isParameter(wanted) && segment != "" || wanted == segment {
			sum += segmentWeight
			continue
		}
		for i := 0; i < min(len(wanted), len(segment)) && wanted[i] == segment[i]; i++ {
			sum++
		}
		break
	}
	return sum
}
