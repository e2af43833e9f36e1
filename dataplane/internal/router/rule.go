package router

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/path"
)

// Rule says which requests belong to a route. It must not change once it was added to a table.
type Rule struct {
	// Slot is what a match returns.
	Slot uint32
	// ID decides between rules that tie.
	ID id.ID
	// Hosts are exact or begin with "*."; lower case, without a port. None: any host.
	Hosts []string
	// Paths, any of which may match.
	Paths []Path
	// Methods in capitals. None: any method.
	Methods []string
	// Headers are conditions that must all hold.
	Headers []Condition
	// Query are conditions that must all hold.
	Query []Condition
}

// Compare says how a path or value is compared.
type Compare uint8

// The ways to compare.
const (
	Exact    Compare = iota + 1 // equal, byte for byte
	Prefix                      // begins with; paths on segment borders
	Template                    // paths only: segments, some of them parameters ("/orders/{id}")
	Present                     // conditions only: is there
	Absent                      // conditions only: isn't there
)

// Path is one condition on the canonical path.
type Path struct {
	By   Compare
	Text string
}

// Condition is one on a header (its name in any case) or query parameter (compared decoded).
type Condition struct {
	Name  string
	By    Compare
	Value string
}

// ErrRule is returned for a rule that can't be indexed.
var ErrRule = errors.New("invalid rule")

func (r *Rule) check() error {
	if len(r.Paths) == 0 {
		return fmt.Errorf("%w: no paths", ErrRule)
	}
	for _, p := range r.Paths {
		if !strings.HasPrefix(p.Text, "/") || p.By != Exact && p.By != Prefix && p.By != Template {
			return fmt.Errorf("%w: path %q", ErrRule, p.Text)
		}
		if p.By == Template {
			if _, err := path.ParseTemplate(p.Text); err != nil {
				return fmt.Errorf("%w: %w", ErrRule, err)
			}
		}
	}
	for _, host := range r.Hosts {
		if strings.Contains(strings.TrimPrefix(host, "*."), "*") || strings.TrimPrefix(host, "*.") == "" {
			return fmt.Errorf("%w: host %q", ErrRule, host)
		}
	}
	for _, c := range slices.Concat(r.Headers, r.Query) {
		if c.By < Exact || c.By > Absent || c.By == Template {
			return fmt.Errorf("%w: condition on %q", ErrRule, c.Name)
		}
	}
	return nil
}

// candidate is one path of a rule, with what the search asks first at hand.
type candidate struct {
	rule        *Rule
	slot        uint32
	path        int32
	methods     methodSet
	conditional bool // there are headers or query to look at
}

func newCandidate(r *Rule, path int) candidate {
	return candidate{
		rule: r, slot: r.Slot, path: int32(path), methods: methodsOf(r.Methods),
		conditional: len(r.Headers)+len(r.Query) > 0,
	}
}

// methodSet has a bit for each well-known method, and one for all others.
type methodSet uint16

var wellKnown = [...]string{"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}

const (
	otherMethod methodSet = 1 << len(wellKnown)
	anyMethod   methodSet = otherMethod<<1 - 1
)

func methodBit(method string) methodSet {
	for i, m := range wellKnown {
		if m == method {
			return 1 << i
		}
	}
	return otherMethod
}

func methodsOf(methods []string) methodSet {
	if len(methods) == 0 {
		return anyMethod
	}
	var set methodSet
	for _, m := range methods {
		set |= methodBit(m)
	}
	return set
}

// before orders candidates of equal host and path.
func before(a, b candidate) int {
	return cmp.Or(
		-cmp.Compare(len(a.rule.Headers), len(b.rule.Headers)),
		-cmp.Compare(len(a.rule.Query), len(b.rule.Query)),
		-cmp.Compare(min(len(a.rule.Methods), 1), min(len(b.rule.Methods), 1)),
		slices.Compare(a.rule.ID[:], b.rule.ID[:]),
		cmp.Compare(a.path, b.path),
	)
}

// isParameter tells whether a template's segment is one.
func isParameter(segment string) bool { return strings.HasPrefix(segment, "{") }
