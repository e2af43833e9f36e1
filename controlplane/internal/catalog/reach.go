package catalog

import "iter"

// Reach is the routes that edits of other objects can make a difference to.
type Reach struct {
	places map[ref]Edit
	wide   bool // a place is more than one route
}

// ReachOf returns the reach of those edits that are of one collection: of policies, the routes of all that they were or are
// attached to; of services, their routes.
func ReachOf(edits []Edit, collection string) Reach {
	r := Reach{places: make(map[ref]Edit)}
	for _, e := range edits {
		for _, o := range []*Object{e.Before, e.After} {
			if o == nil || o.Collection != collection {
				continue
			}
			switch collection {
			case Policies:
				for _, place := range o.places {
					r.add(place, e)
				}
			case Services:
				r.add(o.ref(), e)
			}
		}
	}
	return r
}

func (r *Reach) add(place ref, e Edit) {
	r.places[place] = e
	r.wide = r.wide || place.collection != Routes
}

// Cause returns an edit that reaches a route.
func (r *Reach) Cause(route *Object) (Edit, bool) {
	for _, place := range [...]ref{route.ref(), {Services, route.service}, environment} {
		if e, ok := r.places[place]; ok {
			return e, true
		}
	}
	return Edit{}, false
}

// Routes yields the routes of a head that are reached, in no order. One service's routes are found by looking at every route, which at
// 10,000 takes less than a millisecond.
func (r *Reach) Routes(h *Head) iter.Seq[*Object] {
	return func(yield func(*Object) bool) {
		if !r.wide {
			for place := range r.places {
				if o, ok := h.objects.get(place); ok && !yield(o) {
					return
				}
			}
			return
		}
		for o := range h.Each(Routes) {
			if _, reached := r.Cause(o); reached && !yield(o) {
				return
			}
		}
	}
}

// Each yields a collection in no order; Objects is the same in the order of names.
func (h *Head) Each(collection string) iter.Seq[*Object] {
	return func(yield func(*Object) bool) {
		for at, o := range h.objects.all() {
			if at.collection == collection && !yield(o) {
				return
			}
		}
	}
}

// Object returns the object as it is after the edit or, when it is deleted, as it was.
func (e Edit) Object() *Object {
	if e.After != nil {
		return e.After
	}
	return e.Before
}

// Elsewhere returns those of a policy's places that are neither environment, service nor route ("consumers/con_…"): no route
// belongs to them.
func (o *Object) Elsewhere() []string {
	var places []string
	for _, place := range o.places {
		if place != environment && place.collection != Services && place.collection != Routes {
			places = append(places, place.collection+"/"+place.id)
		}
	}
	return places
}
