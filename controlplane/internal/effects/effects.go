package effects

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/proto/policy"
)

const (
	// maxRoutes is how many routes an effect lists.
	maxRoutes = 20
	// maxEffects is how many effects are listed: the gravest.
	maxEffects = 200
	// maxDetails is how many patterns a sentence holds.
	maxDetails = 10
	// maxSteps is how many pairs of paths and hosts of different routes are compared, lest routes that all match alike take minutes.
	maxSteps = 2_000_000
)

// Effect is one thing that a change means for callers.
type Effect struct {
	Code     string
	Opposite string // the code of the same change the other way round
	Severity policy.Severity
	Sentence string
	Count    int     // routes that it concerns
	Routes   []Route // the first of them, in the order of their names
	// Collection, ID and Name are the object's that it comes from; empty when it is no single one.
	Collection, ID, Name string
	Kind                 string   // of a policy
	Fields               []string // JSON pointers of what differs, where it is no other effect
}

// Route is a route as an effect names it.
type Route struct{ ID, Name string }

// Of returns what the edits that lead from one head to another mean for callers, the gravest first.
func Of(before, after *catalog.Head, edits []catalog.Edit) []Effect {
	if len(edits) == 0 {
		return nil
	}
	c := &comparison{before: before, after: after, edits: edits, drafts: make(map[string]*draft), steps: maxSteps}
	for _, e := range edits {
		if compare, ok := comparers[e.Object().Collection]; ok {
			compare(c, e)
		}
	}
	c.compareMatches()
	c.comparePolicies()
	return c.finish()
}

// comparers are what looks at an edited object of each collection by itself. Those of which callers notice nothing have none.
var comparers = map[string]func(*comparison, catalog.Edit){
	catalog.Services: (*comparison).compareService,
	catalog.Routes:   (*comparison).compareRoute,
	catalog.Policies: (*comparison).compareElsewhere,
	catalog.Settings: (*comparison).compareSettings,

	catalog.Certificates: (*comparison).compareCertificate,
	catalog.Issuers:      (*comparison).compareIssuer,
	catalog.Exclusions:   (*comparison).compareExclusion,
}

// comparison is two heads being compared.
type comparison struct {
	before, after *catalog.Head
	edits         []catalog.Edit
	drafts        map[string]*draft
	order         []*draft
	steps         int // left to compare matches
}

// draft is an effect whose routes are still being found.
type draft struct {
	effect   Effect
	text     string // a sentence; "%s" stands for the routes, if it names them
	seen     map[string]bool
	details  []detail // of each route the first
	patterns int      // that there are
}

// detail is what a sentence says of one route.
type detail struct{ route, text string }

// said is an effect without its routes, and its text.
type said struct {
	effect Effect
	text   string
}

// say adds a route to an effect that says the same, or begins one. It returns the draft.
func (c *comparison) say(s said, routes ...*catalog.Object) *draft {
	key := s.effect.Code + "\x00" + s.effect.ID + "\x00" + s.text
	d, ok := c.drafts[key]
	if !ok {
		d = &draft{effect: s.effect, text: s.text, seen: make(map[string]bool)}
		if d.effect.Opposite == "" {
			d.effect.Opposite = d.effect.Code
		}
		c.drafts[key] = d
		c.order = append(c.order, d)
	}
	for _, r := range routes {
		if !d.seen[r.ID] {
			d.seen[r.ID] = true
			d.effect.Routes = append(d.effect.Routes, Route{r.ID, r.Name})
		}
	}
	return d
}

// of makes an effect of an object.
func of(code, opposite string, severity policy.Severity, o *catalog.Object) Effect {
	return Effect{Code: code, Opposite: opposite, Severity: severity, Collection: o.Collection, ID: o.ID, Name: o.Name}
}

// finish puts the sentences together, and the gravest first.
func (c *comparison) finish() []Effect {
	all := make([]Effect, 0, len(c.order))
	for _, d := range c.order {
		all = append(all, d.finish())
	}
	slices.SortStableFunc(all, func(a, b Effect) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Sentence, b.Sentence))
	})
	if more := len(all) - maxEffects; more > 0 {
		all = append(all[:maxEffects], Effect{Code: "more", Opposite: "more", Sentence: fmt.Sprintf("%d more effects aren't listed.", more)})
	}
	return all
}

func (d *draft) finish() Effect {
	e := d.effect
	slices.SortFunc(e.Routes, func(a, b Route) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	e.Count = len(e.Routes)
	e.Sentence = d.text
	if strings.Contains(d.text, "%s") {
		e.Sentence = strings.Replace(d.text, "%s", phrase(e.Routes), 1)
	}
	if len(d.details) > 0 {
		e.Sentence += " " + details(d.details, d.patterns) + "."
	}
	e.Routes = slices.Clip(e.Routes[:min(len(e.Routes), maxRoutes)])
	return e
}

// phrase names routes in a sentence, the first few of many.
func phrase(routes []Route) string {
	const few = 3
	names := make([]string, 0, few)
	for _, r := range routes[:min(len(routes), few)] {
		names = append(names, fmt.Sprintf("%q", r.Name))
	}
	switch n := len(routes); {
	case n == 1:
		return "the route " + names[0]
	case n <= few:
		return "the routes " + strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	default:
		return fmt.Sprintf("%d routes (%s and others)", n, strings.Join(names, ", "))
	}
}

// details lists what is said of single routes.
func details(all []detail, count int) string {
	slices.SortStableFunc(all, func(a, b detail) int { return cmp.Compare(a.route, b.route) })
	texts := make([]string, 0, maxDetails)
	for _, d := range all[:min(len(all), maxDetails)] {
		texts = append(texts, d.text)
	}
	list := strings.Join(texts, "; ")
	if more := count - len(texts); more > 0 {
		list += fmt.Sprintf("; and %d more", more)
	}
	return list
}

// literal keeps a text from being taken for a place where routes are named.
func literal(text string) string { return strings.ReplaceAll(text, "%s", "%\u200bs") }
