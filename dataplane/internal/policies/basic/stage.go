package basic

import (
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/backoff"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/apikey"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/password"
	contract "github.com/sallyport/sallyport/proto/policy/basic"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "basic" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// busyRetry is what a caller is told to wait, in seconds, who gets no turn.
const busyRetry = "1"

// stage is immutable, but for what it shares with all of its kind.
type stage struct {
	directory *directory.Directory
	failures  *backoff.Table
	checks    *checks
	scopes    []string // required
	challenge string   // of WWW-Authenticate
	forward   bool
}

// checks are what all policies of a node share: it has so much time and memory for passwords, however many there are.
type checks struct {
	turns  *turns
	cache  *cache
	nobody password.Digest
}

func compile(env pipeline.Env, config *policyv1.Basic) (pipeline.Stage, error) {
	shared, err := pipeline.Part(env.Parts, "basic/checks", "", func() (*checks, error) {
		return &checks{turns: newTurns(), cache: newCache(), nobody: password.Nobody()}, nil
	})
	if err != nil {
		return nil, err
	}
	return &stage{
		directory: env.Directory, failures: env.Failures, checks: shared, scopes: config.GetRequiredScopes(), forward: config.GetForwardCredentials(),
		challenge: `Basic realm="` + config.GetRealm() + `", charset="UTF-8"`,
	}, nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	who, refused := s.prove(ex)
	if refused != nil {
		return refused
	}
	// Whoever lacks a scope is known all the same: the refusal counts under their name.
	ex.Identify(who)
	for _, scope := range s.scopes {
		if !who.Scopes.Has(scope) {
			return ex.Reject(problem.ScopeMissing, "", "the password lacks a required scope")
		}
	}
	if !s.forward && !ex.InShadow() {
		s.Conceal(ex)
	}
	return nil
}

// Conceal implements pipeline.Concealer.
func (s *stage) Conceal(ex *pipeline.Exchange) { ex.Request.Header.DeleteFunc(isBasic) }

func (s *stage) prove(ex *pipeline.Exchange) (pipeline.Identity, *pipeline.Rejection) {
	if assumed := ex.Standin(); assumed != nil {
		return s.assume(ex, assumed)
	}
	var shown found
	shown.find(&ex.Request.Header)
	switch {
	case !shown.any:
		return pipeline.Identity{}, s.unauthenticated(ex, problem.CredentialMissing, "", "no username and password")
	case shown.several:
		return pipeline.Identity{}, s.unauthenticated(ex, problem.CredentialInvalid, "Authorization is given more than once.", "several values of Authorization")
	case !shown.good:
		return pipeline.Identity{}, s.unauthenticated(ex, problem.CredentialInvalid, "", "not of the form of a username and password")
	}
	p, refused := s.fitting(ex, &shown)
	if refused != nil {
		return pipeline.Identity{}, refused
	}
	return s.admit(ex, p)
}

// fitting returns the password of the username that is shown, if it is the one that is shown.
func (s *stage) fitting(ex *pipeline.Exchange, shown *found) (*directory.Password, *pipeline.Rejection) {
	username := ex.TextDone(append(ex.TextBuffer(), shown.username()...))
	p, known := s.directory.Password(username)
	against := &s.checks.nobody
	if known {
		against = &p.Digest
	}
	checked := s.checks.cache.proofOf(against, shown.password())
	if known && s.checks.cache.has(checked) {
		return p, nil
	}
	attempt := s.failures.Of(contract.Kind.Name, ex.Client.Address, username)
	if wait := attempt.Wait(ex.Now); wait > 0 {
		return nil, ex.TooManyFailures(wait, "too many wrong passwords for this username from this address")
	}
	guessing := attempt.AddressWait(ex.Now)
	if !s.checks.turns.take(ex, guessing == 0 && !ex.InShadow()) {
		return nil, s.busy(ex, guessing)
	}
	if fits := s.checks.compute(against, shown.password()); !fits || !known {
		return nil, s.wrong(ex, attempt, guessing)
	}
	if ex.Counts() {
		attempt.Passed()
		s.checks.cache.put(checked)
	}
	return p, nil
}

// compute tells whether a password fits. The caller has taken a turn for it, which ends.
func (c *checks) compute(against *password.Digest, text []byte) bool {
	defer c.turns.giveBack()
	return against.Fits(string(text))
}

// busy refuses who gets no turn.
func (s *stage) busy(ex *pipeline.Exchange, guessing time.Duration) *pipeline.Rejection {
	if guessing > 0 {
		return s.guessing(ex, guessing)
	}
	r := ex.Reject(problem.AuthenticationBusy, "", "no turn to check a password")
	r.Header.Add("Retry-After", busyRetry)
	return r
}

// wrong refuses a username or password that is, and says nothing of which.
func (s *stage) wrong(ex *pipeline.Exchange, attempt backoff.Attempt, guessing time.Duration) *pipeline.Rejection {
	if ex.Counts() {
		attempt.Failed(ex.Now)
	}
	if guessing > 0 {
		return s.guessing(ex, guessing)
	}
	return s.unauthenticated(ex, problem.CredentialInvalid, "", "unknown username or wrong password")
}

func (s *stage) guessing(ex *pipeline.Exchange, wait time.Duration) *pipeline.Rejection {
	return ex.TooManyFailures(wait, "too many wrong passwords from this address")
}

// admit holds a password that fits against its own bounds, its consumer's state and the blocks on either.
func (s *stage) admit(ex *pipeline.Exchange, p *directory.Password) (pipeline.Identity, *pipeline.Rejection) {
	consumer, denied := s.directory.AdmitPassword(p, ex.Client.Address, ex.Now)
	if denied != "" {
		return pipeline.Identity{}, s.denied(ex, denied)
	}
	return pipeline.Identity{Consumer: consumer, Credential: p.ID, Password: p, Scopes: p.Scopes}, nil
}

// assume takes the word of a dry run for who calls. What stands in for an API key is no password.
func (s *stage) assume(ex *pipeline.Exchange, a *pipeline.Assumed) (pipeline.Identity, *pipeline.Rejection) {
	if a.Proof != (apikey.Digest{}) {
		return pipeline.Identity{}, s.unauthenticated(ex, problem.CredentialMissing, "", "an API key stands in for the credential")
	}
	consumer, denied := s.directory.AdmitConsumer(a.Consumer, ex.Now)
	if denied != "" {
		return pipeline.Identity{}, s.denied(ex, denied)
	}
	return pipeline.Identity{Consumer: consumer, Scopes: directory.NewScopeSet(a.Scopes...)}, nil
}

func (s *stage) denied(ex *pipeline.Exchange, code problem.Code) *pipeline.Rejection {
	switch code {
	case problem.CredentialExpired:
		return s.unauthenticated(ex, code, "", "expired password")
	case problem.CredentialInvalid:
		return s.unauthenticated(ex, code, "", "the password's consumer isn't in the directory")
	case problem.AddressNotAllowed:
		return ex.Reject(code, "", "the password is pinned to other addresses")
	case problem.ConsumerSuspended:
		return ex.Reject(code, "", "suspended consumer")
	default:
		return ex.Reject(code, "", "the password or its consumer is blocked")
	}
}

// unauthenticated refuses with a challenge, as every 401 must (RFC 9110, section 15.5.2).
func (s *stage) unauthenticated(ex *pipeline.Exchange, code problem.Code, detail, reason string) *pipeline.Rejection {
	r := ex.Reject(code, detail, reason)
	r.Header.Add("WWW-Authenticate", s.challenge)
	return r
}
