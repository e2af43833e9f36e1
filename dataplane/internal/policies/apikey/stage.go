package apikey

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/backoff"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/apikey"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/apikey"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "api-key" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// stage is immutable.
type stage struct {
	directory *directory.Directory
	failures  *backoff.Table
	places    []place
	scopes    []string // required
	challenge string   // of WWW-Authenticate
}

// errNoLocation can't come of a stored configuration, whose default has been filled in.
var errNoLocation = errors.New("locations: none")

func compile(env pipeline.Env, config *policyv1.ApiKey) (pipeline.Stage, error) {
	s := &stage{directory: env.Directory, failures: env.Failures, scopes: config.GetRequiredScopes()}
	if len(config.GetLocations()) == 0 {
		return nil, errNoLocation
	}
	var challenges []string
	for i, location := range config.GetLocations() {
		p, err := newPlace(location)
		if err != nil {
			return nil, fmt.Errorf("locations[%d]: %w", i, err)
		}
		s.places = append(s.places, p)
		challenges = append(challenges, p.challenge())
	}
	s.challenge = strings.Join(challenges, ", ")
	return s, nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	key, proof, refused := s.present(ex)
	if refused != nil {
		return refused
	}
	who, refused := s.prove(ex, &key)
	if refused != nil {
		return refused
	}
	who.Proof = proof
	// Whoever lacks a scope, or asks for another route, is known all the same: the refusal counts under their name.
	ex.Identify(who)
	if !s.permits(key.Scopes) {
		return ex.Reject(problem.ScopeMissing, "", "the key lacks a required scope")
	}
	if !key.Routes.Empty() && !reaches(ex, &key) {
		return ex.Reject(problem.AccessDenied, "", "the key is for other routes")
	}
	if !ex.InShadow() {
		s.hide(ex)
	}
	return nil
}

// find returns what the first place that holds anything holds.
func (s *stage) find(ex *pipeline.Exchange) (string, *pipeline.Rejection) {
	for i := range s.places {
		found := s.places[i].find(ex)
		switch {
		case found.several:
			return "", s.unauthenticated(ex, problem.CredentialInvalid, "The key is given more than once.", "several values in one place")
		case found.any:
			return found.value, nil
		}
	}
	return "", s.unauthenticated(ex, problem.CredentialMissing, "", "no key in any place")
}

// lookUp returns what is known of a key, and what the directory knows it by.
func (s *stage) lookUp(ex *pipeline.Exchange, text string) (directory.Key, apikey.Digest, *pipeline.Rejection) {
	if !s.mayBeKey(text) {
		return directory.Key{}, apikey.Digest{}, s.unknown(ex, text, "not of a key's form, or its checksum doesn't fit")
	}
	for _, pepper := range s.directory.Peppers() {
		proof := pepper.Digest(text)
		if key, ok := s.directory.Key(proof); ok {
			return key, proof, nil
		}
	}
	return directory.Key{}, apikey.Digest{}, s.unknown(ex, text, "unknown or revoked key")
}

// unknown refuses what is no key, and counts it against the address that it came from: whoever tries many isn't told any more that
// each is wrong. A known key is looked up in no time, so that it passes whatever others at its address do.
func (s *stage) unknown(ex *pipeline.Exchange, text, reason string) *pipeline.Rejection {
	attempt := s.failures.Of(contract.Kind.Name, ex.Client.Address, text)
	if wait := attempt.AddressWait(ex.Now); wait > 0 {
		return ex.TooManyFailures(wait, "too many unknown keys from this address")
	}
	if ex.Counts() {
		attempt.Failed(ex.Now)
	}
	return s.unauthenticated(ex, problem.CredentialInvalid, "", reason)
}

// prove holds a known key against its own bounds, its consumer's state and the blocks on either.
func (s *stage) prove(ex *pipeline.Exchange, key *directory.Key) (pipeline.Identity, *pipeline.Rejection) {
	consumer, denied := s.directory.Admit(key, ex.Client.Address, ex.Now)
	switch denied {
	case "":
		return pipeline.Identity{Consumer: consumer, Credential: key.ID, Scopes: key.Scopes, Watched: key.Watched()}, nil
	case problem.CredentialExpired:
		return pipeline.Identity{}, s.unauthenticated(ex, denied, "", "expired key")
	case problem.CredentialInvalid:
		return pipeline.Identity{}, s.unauthenticated(ex, denied, "", "the key's consumer isn't in the directory")
	case problem.AddressNotAllowed:
		return pipeline.Identity{}, ex.Reject(denied, "", "the key is pinned to other addresses")
	case problem.ConsumerSuspended:
		return pipeline.Identity{}, ex.Reject(denied, "", "suspended consumer")
	default:
		return pipeline.Identity{}, ex.Reject(denied, "", "the key or its consumer is blocked")
	}
}

// mayBeKey tells whether a text is worth a look: it has the form of a key, or may be one that another system made.
func (s *stage) mayBeKey(text string) bool {
	return apikey.Check(text) || len(text) <= apikey.MaxImported && text != "" && s.directory.Imported()
}

// knows tells whether a text is a key that the directory holds.
func (s *stage) knows(text string) bool {
	for _, pepper := range s.directory.Peppers() {
		if _, ok := s.directory.Key(pepper.Digest(text)); ok {
			return true
		}
	}
	return false
}

// holdsImportedKey tells whether a field is an Authorization with a key that another system made, which only a look tells from what is the
// upstream's.
func (s *stage) holdsImportedKey(f pipeline.Field) bool {
	if !pipeline.EqualFold(f.Name, "Authorization") {
		return false
	}
	text := credentials(f.Value)
	return s.mayBeKey(text) && s.knows(text)
}

// reaches tells whether a key that is bound to routes may be used for the request's. Where no route matched, it may be used for none.
func reaches(ex *pipeline.Exchange, key *directory.Key) bool {
	return ex.Route != nil && key.Routes.Allows(ex.Route.ID, ex.Route.Service)
}

// permits tells whether a key's scopes are all that the policy demands.
func (s *stage) permits(scopes directory.ScopeSet) bool {
	for _, scope := range s.scopes {
		if !scopes.Has(scope) {
			return false
		}
	}
	return true
}

// hide takes every key out of the request.
func (s *stage) hide(ex *pipeline.Exchange) {
	for i := range s.places {
		s.places[i].hide(ex)
		s.hideImported(ex, &s.places[i])
	}
}

// Conceal implements pipeline.Concealer.
func (s *stage) Conceal(ex *pipeline.Exchange) {
	for i := range s.places {
		s.places[i].conceal(ex)
		s.hideImported(ex, &s.places[i])
	}
}

// hideImported takes keys that other systems made out of Authorization.
func (s *stage) hideImported(ex *pipeline.Exchange, p *place) {
	if p.sort == authorization && s.directory.Imported() {
		ex.Request.Header.DeleteFunc(s.holdsImportedKey)
	}
}

// unauthenticated refuses with a challenge, as every 401 must (RFC 9110, section 15.5.2).
func (s *stage) unauthenticated(ex *pipeline.Exchange, code problem.Code, detail, reason string) *pipeline.Rejection {
	r := ex.Reject(code, detail, reason)
	r.Header.Add("WWW-Authenticate", s.challenge)
	return r
}
