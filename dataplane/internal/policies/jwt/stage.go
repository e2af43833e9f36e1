package jwt

import (
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/backoff"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/issuers"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/token"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	contract "github.com/sallyport/sallyport/proto/policy/jwt"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "jwt" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// stage is immutable.
type stage struct {
	directory *directory.Directory
	registry  *issuers.Registry
	tokens    *token.Cache
	failures  *backoff.Table
	seed      maphash.Seed // of the names by which failures are counted
	issuers   []id.ID
	places    []place
	audiences []string // one of which a token must name; none: its issuer's suffice
	scopes    []string // required
	patience  time.Duration
	forwards  bool

	missing, invalid, insufficient string // challenges of WWW-Authenticate
}

var (
	errNoLocation = errors.New("locations: none") // can't come of a stored configuration, whose default has been filled in
	errNoIssuer   = errors.New("issuers: none")
	errNoRegistry = errors.New("this node knows no tokens")
)

func compile(env pipeline.Env, config *policyv1.Jwt) (pipeline.Stage, error) {
	s := &stage{
		directory: env.Directory, registry: env.Issuers, failures: env.Failures, seed: maphash.MakeSeed(), audiences: config.GetAudiences(), scopes: config.GetRequiredScopes(),
		patience: config.GetUnknownKeyWait().AsDuration(), forwards: config.GetForwardToken(),
	}
	switch {
	case len(config.GetLocations()) == 0:
		return nil, errNoLocation
	case len(config.GetIssuers()) == 0:
		return nil, errNoIssuer
	case env.Issuers == nil:
		return nil, errNoRegistry
	}
	s.tokens = env.Issuers.Tokens()
	for i, location := range config.GetLocations() {
		p, err := newPlace(location)
		if err != nil {
			return nil, fmt.Errorf("locations[%d]: %w", i, err)
		}
		s.places = append(s.places, p)
	}
	for i, text := range config.GetIssuers() {
		issuer, err := id.Parse(id.Issuer, text)
		if err != nil {
			return nil, fmt.Errorf("issuers[%d]: %w", i, err)
		}
		s.issuers = append(s.issuers, issuer)
	}
	s.challenge()
	return s, nil
}

// challenge makes what answers a request that isn't let in (RFC 6750, section 3). Without any token nothing is said but how one is shown.
func (s *stage) challenge() {
	const realm = `Bearer realm="api"`
	scope := ""
	if len(s.scopes) > 0 {
		scope = `, scope="` + strings.Join(s.scopes, " ") + `"`
	}
	s.missing = realm + scope
	s.invalid = realm + `, error="invalid_token"` + scope
	s.insufficient = realm + `, error="insufficient_scope"` + scope
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	who, refused := s.prove(ex)
	if refused != nil {
		return refused
	}
	// Whoever lacks a scope is known all the same: the refusal counts under their name.
	ex.Identify(who)
	if !s.permits(who.Scopes) {
		r := ex.Reject(problem.ScopeMissing, "", "the token lacks a required scope")
		r.Header.Add("WWW-Authenticate", s.insufficient)
		return r
	}
	if !ex.InShadow() {
		s.hide(ex)
	}
	return nil
}

// Conceal implements pipeline.Concealer: nobody has checked the token, so no service may come to believe in it.
func (s *stage) Conceal(ex *pipeline.Exchange) {
	for i := range s.places {
		s.places[i].hide(ex)
	}
}

// hide takes every token out of the request, unless the service is to have it. It then gets the one that decided; what other places hold was
// checked by nobody.
func (s *stage) hide(ex *pipeline.Exchange) {
	kept := !s.forwards
	for i := range s.places {
		if !kept {
			if _, count := s.places[i].find(ex); count > 0 {
				kept = true
				continue
			}
		}
		s.places[i].hide(ex)
	}
}

// prove returns whom the request's token proves.
func (s *stage) prove(ex *pipeline.Exchange) (pipeline.Identity, *pipeline.Rejection) {
	if assumed := ex.Standin(); assumed != nil {
		return s.assume(ex, assumed)
	}
	text, refused := s.find(ex)
	if refused != nil {
		return pipeline.Identity{}, refused
	}
	issuer, verified, refused := s.verify(ex, text)
	if refused != nil {
		return pipeline.Identity{}, refused
	}
	if err := s.check(issuer, verified, ex.Now); err != nil {
		return pipeline.Identity{}, s.refuse(ex, err)
	}
	return s.admit(ex, issuer, verified)
}

// find returns what the first place that holds anything holds.
func (s *stage) find(ex *pipeline.Exchange) (string, *pipeline.Rejection) {
	for i := range s.places {
		value, count := s.places[i].find(ex)
		switch {
		case count > 1:
			return "", s.unauthenticated(ex, problem.CredentialInvalid, "The token is given more than once.", "several values in one place")
		case count == 1:
			return value, nil
		}
	}
	r := ex.Reject(problem.CredentialMissing, "", "no token in any place")
	r.Header.Add("WWW-Authenticate", s.missing)
	return "", r
}

// Why a token isn't taken, beyond what package token says.
var (
	errUntrusted = errors.New("none of the policy's issuers issued it")
	errAudience  = errors.New("is meant for another audience than this policy's")
	errNames     = errors.New("its jti or sub is longer than 256 bytes, and no block could name it")
)

// verify returns the issuer of a token, and what is known once its signature was checked: remembered, or checked now. Whatever others at the
// client's address do, a good token is checked and passes; what they lose is the right to wait for a key.
func (s *stage) verify(ex *pipeline.Exchange, text string) (*issuers.Issuer, *token.Verified, *pipeline.Rejection) {
	verified, remembered := s.tokens.Get(text)
	if remembered {
		if issuer := s.issuerOf(ex, &verified.Token); issuer != nil {
			return issuer, verified, nil
		}
		return nil, nil, s.refuse(ex, errUntrusted)
	}
	parsed, err := token.Parse(text)
	if err != nil {
		return nil, nil, s.refuse(ex, err)
	}
	issuer := s.issuerOf(ex, parsed)
	if issuer == nil {
		return nil, nil, s.refuse(ex, errUntrusted)
	}
	attempt := s.attempt(ex, issuer, text)
	if wait := attempt.Wait(ex.Now); wait > 0 {
		return nil, nil, ex.TooManyFailures(wait, "the same token with a wrong signature too often from this address")
	}
	guessing := attempt.AddressWait(ex.Now)
	seen := issuer.Keys().Set()
	verified, err = issuer.Verify(parsed)
	if errors.Is(err, token.ErrUnknownKey) && s.learned(ex, issuer, seen, parsed.KeyID, guessing == 0) {
		verified, err = issuer.Verify(parsed)
	}
	if err != nil {
		return nil, nil, s.unverified(ex, attempt, parsed.KeyID, guessing, err)
	}
	s.tokens.Put(text, verified)
	return issuer, verified, nil
}

// issuerOf returns which of the policy's issuers a token claims to be of; nil: none. Of several of one name it is the one for whose audience
// it is.
func (s *stage) issuerOf(ex *pipeline.Exchange, t *token.Token) *issuers.Issuer {
	iss := t.Claims.Issuer()
	var found *issuers.Issuer
	for i := range s.issuers {
		issuer := ex.Issuers.Of(s.issuers[i])
		if issuer == nil || !issuer.Issues(iss) {
			continue
		}
		if found == nil || !found.For(t) {
			found = issuer
		}
	}
	return found
}

// check holds a verified token against all that depends on the moment or the configuration. It doesn't allocate.
func (s *stage) check(issuer *issuers.Issuer, v *token.Verified, now time.Time) error {
	if err := issuer.Check(v, now); err != nil {
		return err //nolint:wrapcheck // says what
	}
	if len(s.audiences) > 0 && !v.For(s.audiences) {
		return errAudience
	}
	return nil
}

// admit finds the bearer, and holds them and the token against the directory.
func (s *stage) admit(ex *pipeline.Exchange, issuer *issuers.Issuer, v *token.Verified) (pipeline.Identity, *pipeline.Rejection) {
	bearer := issuer.Bearer(v)
	if bearer.TooLong {
		return pipeline.Identity{}, s.refuse(ex, errNames)
	}
	consumer, known := issuer.Consumer(s.directory, bearer)
	if !known {
		return pipeline.Identity{}, s.unauthenticated(ex, problem.CredentialInvalid, "", "the token names no consumer that this node knows")
	}
	switch denied := s.directory.AdmitToken(bearer.Token, consumer, ex.Now); denied {
	case "":
	case problem.CredentialExpired, problem.CredentialInvalid:
		return pipeline.Identity{}, s.unauthenticated(ex, denied, "", "the token has expired, or its consumer is gone")
	case problem.ConsumerSuspended:
		return pipeline.Identity{}, ex.Reject(denied, "", "suspended consumer")
	default:
		return pipeline.Identity{}, ex.Reject(denied, "", "the token, its subject or its consumer is blocked")
	}
	return pipeline.Identity{Consumer: consumer, Scopes: bearer.Scopes, Issuer: issuer.ID, Token: bearer.Token, Claims: v.Claims}, nil
}

// permits tells whether a token's scopes are all that the policy demands.
func (s *stage) permits(scopes directory.ScopeSet) bool {
	for _, scope := range s.scopes {
		if !scopes.Has(scope) {
			return false
		}
	}
	return true
}

// refuse answers an error of package token, or one of this package's own. A remembered token whose key is gone asks nobody: that key was taken
// back.
func (s *stage) refuse(ex *pipeline.Exchange, err error) *pipeline.Rejection {
	code := problem.CredentialInvalid
	if errors.Is(err, token.ErrExpired) {
		code = problem.CredentialExpired
	}
	return s.unauthenticated(ex, code, "", err.Error())
}

// unauthenticated refuses with a challenge, as every 401 must (RFC 9110, section 15.5.2).
func (s *stage) unauthenticated(ex *pipeline.Exchange, code problem.Code, detail, reason string) *pipeline.Rejection {
	r := ex.Reject(code, detail, reason)
	r.Header.Add("WWW-Authenticate", s.invalid)
	return r
}
