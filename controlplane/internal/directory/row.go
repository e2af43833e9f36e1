package directory

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource"
)

// Collections of the directory.
const (
	Consumers    = "consumers"
	APIKeys      = "api-keys"
	Secrets      = "secrets"
	Blocks       = "blocks"
	Passwords    = "passwords"
	Peppers      = "peppers"       // no collection of the API
	Fleets       = "fleets"        // no collection of the API
	TicketKeys   = "ticket-keys"   // no collection of the API
	IdentityKeys = "identity-keys" // no collection of the API
)

// lastUsed is the field of an API key that is counted and not written: it is in no version of it.
const lastUsed = "last_used_at"

// Message is what people see of a row: *adminv1.Consumer, *adminv1.ApiKey, *adminv1.Secret, *adminv1.Block or *adminv1.Password.
type Message interface {
	proto.Message
	GetId() string
	GetName() string
	GetLabels() map[string]string
	GetDescription() string
	GetCreatedAt() *timestamppb.Timestamp
	GetUpdatedAt() *timestamppb.Timestamp
}

// Type is one of the directory's collections.
type Type struct {
	Collection string // "api-keys"
	Singular   string // "API key"
	Prefix     string // of ids
	New        func() Message
	Filters    []string // fields that lists can be filtered by
	Capability uint32   // that nodes must have to know any of its entries; 0: every node does
}

var types = []*Type{
	{Collection: Consumers, Singular: "consumer", Prefix: id.Consumer, New: func() Message { return new(adminv1.Consumer) }, Filters: []string{"name", "suspended"}},
	{Collection: APIKeys, Singular: "api-key", Prefix: id.APIKey, New: func() Message { return new(adminv1.ApiKey) }, Filters: []string{"consumer", "name"}},
	{Collection: Passwords, Singular: "password", Prefix: id.Password, New: func() Message { return new(adminv1.Password) }, Filters: []string{"consumer", "name", "username"}, Capability: 5},
	{Collection: Secrets, Singular: "secret", Prefix: id.Secret, New: func() Message { return new(adminv1.Secret) }, Filters: []string{"name"}},
	{Collection: Blocks, Singular: "block", Prefix: id.Block, New: func() Message { return new(adminv1.Block) }, Filters: []string{"api_key", "consumer", "name"}, Capability: 2},
}

// KeyLife is the capability of nodes that know of API keys' routes, that another system made them, and that they are watched.
const KeyLife = 5

// Needs returns the capability that nodes must have to know an object's entry; 0: every node does. That a key is watched needs none: no
// key is while a node lacks it.
func (t *Type) Needs(m Message) uint32 {
	switch m := m.(type) {
	case *adminv1.ApiKey:
		if len(m.GetRoutes()) > 0 || m.GetImported() {
			return KeyLife
		}
	case *adminv1.Block:
		if m.GetToken() != nil || m.GetSubject() != nil {
			return capabilityOfIssued
		}
	}
	return t.Capability
}

// Types returns the directory's collections, in the order in which rows are locked.
func Types() []*Type { return types }

// ByCollection returns the type of a collection.
func ByCollection(collection string) (*Type, bool) {
	for _, t := range types {
		if t.Collection == collection {
			return t, true
		}
	}
	return nil, false
}

// Row is one object as it lies in the database.
type Row struct {
	Message  Message    // without secret material
	Key      digest.Key // of its entry
	Hash     digest.Hash
	Sequence uint64 // of its entry
	Pepper   uint32 // version that a new API key's digest was made with; 0: of a row that is there already
}

// Object is one object as the API shows it.
type Object struct {
	Collection string
	ID         string
	Name       string
	ETag       string
	Message    Message // without secret material
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Object returns the row as the API shows it.
func (r Row) Object(t *Type) (Object, error) {
	etag, err := ETag(r)
	if err != nil {
		return Object{}, err
	}
	return Object{
		Collection: t.Collection, ID: r.Message.GetId(), Name: r.Message.GetName(), ETag: etag, Message: r.Message,
		CreatedAt: r.Message.GetCreatedAt().AsTime(), UpdatedAt: r.Message.GetUpdatedAt().AsTime(),
	}, nil
}

// ETag returns the tag of a row: it changes with what people see and, for what they don't see, with the
// entry's sequence. (Not with its hash: a tag that follows from a secret's value lets it be guessed.)
func ETag(r Row) (string, error) {
	bare := proto.Clone(r.Message)
	Clear(bare, "created_at", "updated_at", lastUsed)
	switch m := bare.(type) { // the team is the consumer's
	case *adminv1.ApiKey:
		m.Team = ""
	case *adminv1.Password:
		m.Team = ""
	}
	stored, err := resource.Stored(bare)
	if err != nil {
		return "", fmt.Errorf("etag of %s: %w", r.Message.GetId(), err)
	}
	if _, hidden := r.Message.(*adminv1.Secret); hidden {
		stored = fmt.Appendf(stored, "@%d", r.Sequence)
	}
	return resource.ETag(stored), nil
}

// Clear empties fields of a message; a field that it doesn't have is passed over.
func Clear(m proto.Message, fields ...protoreflect.Name) {
	r := m.ProtoReflect()
	for _, f := range fields {
		if fd := r.Descriptor().Fields().ByName(f); fd != nil {
			r.Clear(fd)
		}
	}
}

// Consumer returns a consumer's entry.
func Consumer(m *adminv1.Consumer) (Entry, error) {
	raw, err := id.Parse(id.Consumer, m.GetId())
	if err != nil {
		return Entry{}, fmt.Errorf("consumer: %w", err)
	}
	return open(digest.KeyOf(Consumers, m.GetId()), &directoryv1.Entry{Body: &directoryv1.Entry_Consumer{Consumer: &directoryv1.Consumer{
		Id: raw[:], Name: m.GetName(), Labels: m.GetLabels(), Metadata: m.GetMetadata(), Suspended: m.GetSuspended(),
	}}})
}

// APIKey returns an API key's entry. Its key is the digest.
func APIKey(m *adminv1.ApiKey, key digest.Key) (Entry, error) {
	raw, err := id.Parse("key", m.GetId())
	if err != nil {
		return Entry{}, fmt.Errorf("api-key: %w", err)
	}
	consumer, err := id.Parse(id.Consumer, m.GetConsumer())
	if err != nil {
		return Entry{}, fmt.Errorf("api-key %s: consumer: %w", m.GetId(), err)
	}
	body := &directoryv1.ApiKey{Digest: key[:], Id: raw[:], Consumer: consumer[:], Scopes: m.GetScopes(), Addresses: m.GetAddresses()}
	body.Watched, body.Imported = m.GetWatched(), m.GetImported()
	for _, text := range m.GetRoutes() {
		route, err := parseRoute(text)
		if err != nil {
			return Entry{}, fmt.Errorf("api-key %s: routes: %w", m.GetId(), err)
		}
		body.Routes = append(body.Routes, route[:])
	}
	if m.GetExpiresAt() != nil {
		// 0 means never on a node, so whatever is expired since 1970 is so since its first millisecond.
		body.ExpiresAtMs = max(m.GetExpiresAt().AsTime().UnixMilli(), 1)
	}
	return open(key, &directoryv1.Entry{Body: &directoryv1.Entry_ApiKey{ApiKey: body}})
}

// parseRoute reads the id of a route or a service.
func parseRoute(text string) (id.ID, error) {
	if route, err := id.Parse(id.Route, text); err == nil {
		return route, nil
	}
	return id.Parse(id.Service, text)
}

// Secret returns a secret's entry, sealed.
func Secret(sealer Sealer, environment, secret string, value []byte) (Entry, error) {
	raw, err := id.Parse(id.Secret, secret)
	if err != nil {
		return Entry{}, fmt.Errorf("secret: %w", err)
	}
	return seal(sealer, environment, digest.KeyOf(Secrets, secret), &directoryv1.Entry{Body: &directoryv1.Entry_Secret{Secret: &directoryv1.Secret{
		Id: raw[:], Value: value,
	}}})
}
