package catalog

import (
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

// Version is the state that an object was in, so that it can be told whether it moved on since.
type Version struct {
	Collection string
	ID         string // "": there was none of this name
	Name       string
	ETag       string // "": there was none of this name
}

// Key names the object of a version.
func (v Version) Key() string {
	if v.ID != "" {
		return v.ID
	}
	return v.Name
}

// Touched returns the versions, before the operations, of all objects that they stage, and of the configuration's objects that these
// refer to. Only once Check found nothing.
func (c *Candidate) Touched() []Version {
	var versions []Version
	seen := make(map[ref]bool)
	add := func(o *Object) {
		if !seen[o.ref()] {
			seen[o.ref()] = true
			versions = append(versions, Version{Collection: o.Collection, ID: o.ID, Name: o.Name, ETag: o.ETag})
		}
	}
	for _, s := range c.order {
		switch {
		case s.before != nil:
			add(s.before)
		case s.message != nil:
			versions = append(versions, Version{Collection: s.ref.collection, Name: s.message.GetName()})
		}
		if s.message == nil {
			continue
		}
		after, ok := c.next.objects.get(s.ref)
		if !ok {
			continue
		}
		for _, r := range after.references {
			if o, there := c.base.objects.get(ref{r.Collection, r.Value}); there {
				add(o)
			}
		}
	}
	return versions
}

// ETagBefore returns the ETag that the object of an id or name had before the operations; "" when there was none.
func (c *Candidate) ETagBefore(collection, key string) string {
	o, _ := c.base.Object(collection, key)
	return etagOf(o)
}

// DemandsFourEyes tells whether the configuration may change by proposals alone.
func (h *Head) DemandsFourEyes() bool {
	o, ok := h.Object(Settings, Settings)
	if !ok {
		return false
	}
	settings, ok := o.Message.(*configv1.EnvironmentSettings)
	return ok && settings.GetFourEyes()
}
