package issuers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/claims"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/token"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// maxNamed bounds "jti" and "sub", in bytes: a block names no more, and whom nothing can keep out isn't let in.
const maxNamed = 256

// Issuer is an issuer compiled. It is immutable, but for its keys, and safe for concurrent use.
type Issuer struct {
	// ID and Name are the object's.
	ID   id.ID
	Name string

	rules      token.Rules
	algorithms token.Algorithms
	scopes     []claims.Path
	mapping    mapping
	keys       *Keys
}

// mapping says which consumer a token's bearer is.
type mapping struct {
	byName, byID bool
	claim        claims.Path
	fixed        id.ID // neither by name nor by id: everybody is this one
	otherwise    id.ID // who is named by nobody's name; zero: nobody is
}

// defaultScopes are the claims that hold scopes where the issuer names none: RFC 8693, section 4.2, and what others made of it before.
var defaultScopes = []string{"scope", "scp"}

var (
	errMapping = errors.New("consumer: no way to find one")
	errIss     = errors.New("issuer: is empty")
	errAud     = errors.New("audiences: none, and a token for anybody is for nobody")
)

// New compiles an issuer; m has its defaults filled in.
func New(self id.ID, m *configv1.Issuer, keys *Keys) (*Issuer, error) {
	i := &Issuer{
		ID: self, Name: m.GetName(), keys: keys, algorithms: token.NewAlgorithms(m.GetAlgorithms()...),
		rules: token.Rules{
			Issuer: m.GetIssuer(), Audiences: m.GetAudiences(), ClockSkew: m.GetClockSkew().AsDuration(),
			MaxLifetime: m.GetMaxLifetime().AsDuration(), Profile: m.GetProfile(),
		},
	}
	if m.GetIssuer() == "" {
		return nil, errIss
	}
	if len(m.GetAudiences()) == 0 {
		return nil, errAud
	}
	for _, name := range m.GetRequiredClaims() {
		i.rules.Required = append(i.rules.Required, token.Require(name))
	}
	names := m.GetScopeClaims()
	if len(names) == 0 {
		names = defaultScopes
	}
	for _, name := range names {
		i.scopes = append(i.scopes, claims.NewPath(name))
	}
	var err error
	i.mapping, err = newMapping(m.GetConsumer())
	return i, err
}

func newMapping(m *configv1.ConsumerMapping) (by mapping, err error) {
	switch how := m.GetBy().(type) {
	case *configv1.ConsumerMapping_NameClaim:
		by.byName, by.claim = true, claims.NewPath(how.NameClaim)
	case *configv1.ConsumerMapping_IdClaim:
		by.byID, by.claim = true, claims.NewPath(how.IdClaim)
	case *configv1.ConsumerMapping_Consumer:
		if by.fixed, err = id.Parse(id.Consumer, how.Consumer); err != nil {
			return mapping{}, fmt.Errorf("consumer.consumer: %w", err)
		}
	default:
		return mapping{}, errMapping
	}
	if m.GetOtherwise() != "" {
		if by.otherwise, err = id.Parse(id.Consumer, m.GetOtherwise()); err != nil {
			return mapping{}, fmt.Errorf("consumer.otherwise: %w", err)
		}
	}
	return by, nil
}

// Issues tells whether tokens with this in "iss" are the issuer's.
func (i *Issuer) Issues(iss string) bool { return i.rules.Issuer == iss }

// For tells whether a token names one of the issuer's audiences.
func (i *Issuer) For(t *token.Token) bool { return t.For(i.rules.Audiences) }

// Keys returns the issuer's keys.
func (i *Issuer) Keys() *Keys { return i.keys }

// Verify checks by the keys of now who signed a token. Its errors are token's.
func (i *Issuer) Verify(t *token.Token) (*token.Verified, error) {
	return t.Verify(i.keys.Set(), i.algorithms) //nolint:wrapcheck // its kinds are told apart
}

// Check tells whether a token that was verified once is good now: signed by a key that the issuer still has, in time, and all that the issuer
// asks of it. It doesn't allocate.
func (i *Issuer) Check(v *token.Verified, now time.Time) error {
	if err := i.keys.Set().Check(v, i.algorithms); err != nil {
		return err //nolint:wrapcheck // its kinds are told apart
	}
	return i.rules.Check(&v.Token, now) //nolint:wrapcheck // its kinds are told apart
}

// Bearer is what an issuer makes of a token, once: it is kept with the token. It is immutable.
type Bearer struct {
	// Token is what the directory is asked about.
	Token *directory.Token
	// Scopes are what the token may be used for.
	Scopes directory.ScopeSet
	// TooLong: its names can't be blocked, so that it lets nobody in.
	TooLong bool

	name     string // of the consumer; "": none is given
	consumer id.ID  // zero: none is given
}

// Bearer returns what the issuer makes of a verified token.
func (i *Issuer) Bearer(v *token.Verified) *Bearer {
	if kept, ok := v.Kept(i).(*Bearer); ok {
		return kept
	}
	b := i.newBearer(v)
	v.Keep(i, b)
	return b
}

func (i *Issuer) newBearer(v *token.Verified) *Bearer {
	b := &Bearer{Token: &directory.Token{Issuer: i.ID, Key: v.Key(), ID: v.Claims.TokenID(), Subject: v.Claims.Subject()}}
	if v.HasExpires {
		b.Token.ExpiresMs = time.Unix(v.Expires, 0).Add(i.rules.ClockSkew).UnixMilli()
	}
	b.TooLong = len(b.Token.ID) > maxNamed || len(b.Token.Subject) > maxNamed
	for _, path := range i.scopes {
		if held := v.Claims.At(path); held != nil {
			b.Scopes = directory.NewScopeSet(claims.Words(held)...)
			break
		}
	}
	named := ""
	if held := v.Claims.At(i.mapping.claim); held != nil && held.Kind == jsontree.String {
		named = held.Text
	}
	switch {
	case i.mapping.byName:
		b.name = named
	case i.mapping.byID:
		b.consumer, _ = id.Parse(id.Consumer, named) // what is no consumer's id is nobody's
	default:
		b.consumer = i.mapping.fixed
	}
	return b
}

// Consumer returns whom a bearer is, as the directory has them now; false: nobody. It doesn't allocate.
func (i *Issuer) Consumer(d *directory.Directory, b *Bearer) (*directory.Consumer, bool) {
	if b.name != "" {
		if found, ok := d.ConsumerNamed(b.name); ok {
			return found, true
		}
	}
	if !b.consumer.IsZero() {
		if found, ok := d.Consumer(b.consumer); ok {
			return found, true
		}
	}
	if i.mapping.otherwise.IsZero() {
		return nil, false
	}
	return d.Consumer(i.mapping.otherwise)
}

// Set is the issuers of a revision. It is immutable; nil: there are none.
type Set struct {
	byID map[id.ID]*Issuer
	all  []*Issuer // in the order of their names
}

// NewSet makes a set.
func NewSet(all []*Issuer) *Set {
	if len(all) == 0 {
		return nil
	}
	s := &Set{byID: make(map[id.ID]*Issuer, len(all)), all: slices.Clone(all)}
	for _, i := range all {
		s.byID[i.ID] = i
	}
	slices.SortFunc(s.all, func(a, b *Issuer) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// Of returns an issuer; nil: there is none of this id.
func (s *Set) Of(issuer id.ID) *Issuer {
	if s == nil {
		return nil
	}
	return s.byID[issuer]
}

// All returns the issuers. The slice is the set's own.
func (s *Set) All() []*Issuer {
	if s == nil {
		return nil
	}
	return s.all
}

// has tells whether a key is any issuer's.
func (s *Set) has(key token.Thumbprint) bool {
	return slices.ContainsFunc(s.All(), func(i *Issuer) bool { return i.keys.Set().Has(key) })
}

// Vouches tells whether a key by which a token's bearer was let in is still its issuer's.
func (s *Set) Vouches(t *directory.Token) bool {
	i := s.Of(t.Issuer)
	return i != nil && i.keys.Set().Has(t.Key)
}
