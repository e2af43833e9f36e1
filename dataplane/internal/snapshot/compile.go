package snapshot

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/router"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// Collections of the configuration.
const (
	settingsCollection     = "settings"
	servicesCollection     = "services"
	policiesCollection     = "policies"
	routesCollection       = "routes"
	certificatesCollection = "certificates"
	issuersCollection      = "issuers"
	exclusionsCollection   = "waf-exclusions"
	descriptionsCollection = "api-descriptions"
)

// collections are those that snapshots are made of, in the order in which their changes are taken: services take their senders by the
// settings, what is linked is linked at the end.
var collections = [...]string{settingsCollection, certificatesCollection, issuersCollection, descriptionsCollection, servicesCollection, policiesCollection, routesCollection, exclusionsCollection}

// ignored are collections that bind who writes the configuration, not the requests that a node serves: they are in the digest, and in
// no snapshot. Nothing of them is read, so that what they hold asks for no capability of a node that knows the collection.
var ignored = map[string]bool{"guardrails": true}

// Source is one object of the configuration.
type Source struct {
	// Collection and ID name it.
	Collection, ID string
	// Data are its bytes as stored, which must never change; empty, in a change: it is gone.
	Data []byte
}

// Compile makes the snapshot of a whole configuration, sharing with previous (nil: none) what is the same. It returns
// every error there is, and no snapshot then; previous stays as it is.
func Compile(env *Env, revision uint64, sources []Source, previous *Snapshot) (*Snapshot, []*edgev1.ObjectError) {
	if previous == nil {
		previous = empty()
	}
	changes, errs := difference(sources, previous)
	if len(errs) > 0 {
		return nil, errs
	}
	return update(env, revision, changes, previous)
}

// Update makes the snapshot that changes lead to from previous (nil: nothing), at the cost of what they touch. Errors are
// as Compile's.
func Update(env *Env, revision uint64, changes []Source, previous *Snapshot) (*Snapshot, []*edgev1.ObjectError) {
	if previous == nil {
		previous = empty()
	}
	seen := make(map[ref]struct{}, len(changes))
	for _, s := range changes {
		if _, twice := seen[ref{s.Collection, s.ID}]; twice {
			return nil, []*edgev1.ObjectError{objectError(s.Collection, s.ID, "", problem.ViolationInvalidValue, "changed twice")}
		}
		seen[ref{s.Collection, s.ID}] = struct{}{}
	}
	return update(env, revision, slices.Clone(changes), previous)
}

// ref names an object.
type ref struct{ collection, id string }

// update sorts changes.
func update(env *Env, revision uint64, changes []Source, previous *Snapshot) (*Snapshot, []*edgev1.ObjectError) {
	c := newCompilation(env, revision, previous)
	// What goes makes room for what comes.
	slices.SortStableFunc(changes, func(a, b Source) int {
		return cmp.Or(cmp.Compare(rankOf(a.Collection), rankOf(b.Collection)), cmp.Compare(min(len(a.Data), 1), min(len(b.Data), 1)))
	})
	for i := range changes {
		c.change(&changes[i])
	}
	c.next.attached = previous.attached.with(c.removed, c.added)
	c.settleCertificates()
	c.settleIssuers()
	c.settleExclusions()
	c.settleDescriptions()
	c.checkReferences()
	c.link()
	c.overlay()
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	c.next.table = c.table.Done()
	return c.next, nil
}

func rankOf(collection string) int {
	return slices.Index(collections[:], collection)
}

// difference returns what leads from previous to sources.
func difference(sources []Source, previous *Snapshot) (changes []Source, errs []*edgev1.ObjectError) {
	seen := make(map[ref]struct{}, len(sources))
	for _, s := range sources {
		r := ref{s.Collection, s.ID}
		if _, twice := seen[r]; twice || len(s.Data) == 0 {
			errs = append(errs, objectError(s.Collection, s.ID, "", problem.ViolationInvalidValue, "there twice, or empty"))
		}
		seen[r] = struct{}{}
		// Unchanged bytes mostly are the same bytes, which bytes.Equal sees at once.
		if !bytes.Equal(s.Data, previous.data(s.Collection, s.ID)) {
			changes = append(changes, s)
		}
	}
	for _, collection := range collections {
		for _, id := range previous.ids(collection) {
			if _, kept := seen[ref{collection, id}]; !kept {
				changes = append(changes, Source{Collection: collection, ID: id})
			}
		}
	}
	return changes, errs
}

// data returns an object's bytes; nil: there is no such object.
func (s *Snapshot) data(collection, id string) []byte {
	switch collection {
	case routesCollection:
		if o := s.routes[id]; o != nil {
			return o.data
		}
	case policiesCollection:
		if o := s.policies[id]; o != nil {
			return o.data
		}
	case servicesCollection:
		if o := s.services[id]; o != nil {
			return o.data
		}
	case certificatesCollection:
		if o := s.certificates[id]; o != nil {
			return o.data
		}
	case issuersCollection:
		if o := s.issuers[id]; o != nil {
			return o.data
		}
	case exclusionsCollection:
		if o := s.exclusions[id]; o != nil {
			return o.data
		}
	case descriptionsCollection:
		if o := s.descriptions[id]; o != nil {
			return o.data
		}
	case settingsCollection:
		if s.settings != nil && s.settings.id == id {
			return s.settings.data
		}
	}
	return nil
}

func (s *Snapshot) ids(collection string) []string {
	switch collection {
	case routesCollection:
		return slices.Collect(maps.Keys(s.routes))
	case policiesCollection:
		return slices.Collect(maps.Keys(s.policies))
	case servicesCollection:
		return slices.Collect(maps.Keys(s.services))
	case certificatesCollection:
		return slices.Collect(maps.Keys(s.certificates))
	case issuersCollection:
		return slices.Collect(maps.Keys(s.issuers))
	case exclusionsCollection:
		return slices.Collect(maps.Keys(s.exclusions))
	case descriptionsCollection:
		return slices.Collect(maps.Keys(s.descriptions))
	}
	if s.settings == nil {
		return nil
	}
	return []string{s.settings.id}
}

// compilation is a snapshot in the making.
type compilation struct {
	env      *Env
	previous *Snapshot
	next     *Snapshot
	table    *router.Edit
	errs     []*edgev1.ObjectError

	// What is the next snapshot's own already, and not shared with the previous one.
	ownServices, ownPolicies, ownRoutes, ownSlots, ownCertificates, ownIssuers, ownExclusions, ownDescriptions bool

	removed, added []*policyObject // policies, for the attachments
	// What is to be linked anew: routes, those of services, or all.
	touchedRoutes []string
	touched       map[string]bool
	touchedAll    bool
	// What is attached to consumers changed.
	touchedOverlays bool
	// A route was linked, or went.
	relinked bool

	goneRoutes, goneServices []string

	stages map[string]*pipeline.Stages // those made here, by their policies
}

func newCompilation(env *Env, revision uint64, previous *Snapshot) *compilation {
	next := *previous
	next.Revision = revision
	return &compilation{
		env: env, previous: previous, next: &next, table: previous.table.Edit(),
		touched: map[string]bool{}, stages: map[string]*pipeline.Stages{},
	}
}

func (c *compilation) fail(collection, id, pointer, code, message string) {
	c.errs = append(c.errs, objectError(collection, id, pointer, code, message))
}

func objectError(collection, id, pointer, code, message string) *edgev1.ObjectError {
	return &edgev1.ObjectError{Collection: collection, Id: id, Pointer: pointer, Code: code, Message: message}
}
