package catalog

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/proto/digest"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/resource"
)

// Collections of the configuration that the catalog knows more of than their form.
const (
	Services     = "services"
	Routes       = "routes"
	Policies     = "policies"
	Guardrails   = "guardrails"
	Certificates = "certificates"
	Issuers      = "issuers"
	Exclusions   = "waf-exclusions"
)

// MaxObject is the size that one object's stored bytes may have.
const MaxObject = 256 << 10

// Object is one object of a configuration. It is immutable, its message included: clone what you change.
type Object struct {
	Collection string
	ID         string
	Name       string
	ETag       string
	Message    resource.Message
	Stored     []byte // the bytes as stored, hashed and sent
	CreatedAt  time.Time
	UpdatedAt  time.Time

	hash       digest.Hash
	team       string // "": the environment's own
	references []resource.Reference
	matches    []match // of a route
	guards     []guard // of a policy that authenticates
	places     []ref   // of a policy
	policy     func() *Policy
	service    string // of a route: its service's id
	public     bool   // of a route
}

// ref names an object; it is also the place that a policy is attached to.
type ref struct{ collection, id string }

// name names an object for people.
type name struct{ collection, name string }

func (o *Object) ref() ref        { return ref{o.Collection, o.ID} }
func (o *Object) key() digest.Key { return digest.KeyOf(o.Collection, o.ID) }
func (o *Object) named() name     { return name{o.Collection, o.Name} }

// newObject draws from a message what the indices need. The message's references are ids.
func newObject(t *resource.Type, m resource.Message, stored []byte) (*Object, error) {
	o := &Object{
		Collection: t.Collection, ID: m.GetId(), Name: m.GetName(), ETag: resource.ETag(stored),
		Message: m, Stored: stored, hash: digest.HashOf(stored), team: resource.TeamOf(m), references: resource.References(m),
	}
	switch m := m.(type) {
	case *configv1.Route:
		o.service, o.public = m.GetService(), m.GetPublic()
		o.matches = matchesOf(m)
	case *configv1.Policy:
		guards, err := guardsOf(m)
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", m.GetId(), err)
		}
		o.guards, o.places, o.policy = guards, placesOf(m), meaningOf(m)
	}
	return o, nil
}

// readObject reads an object back from its stored bytes.
func readObject(collection string, stored []byte) (*Object, error) {
	t, ok := resource.ByCollection(collection)
	if !ok {
		return nil, fmt.Errorf("stored object of unknown collection %q", collection)
	}
	m, err := resource.FromStored(t, stored)
	if err != nil {
		return nil, err
	}
	return newObject(t, m, stored)
}
