package api

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/problem"
)

// challenge says how to authenticate (RFC 6750 §3).
const challenge = `Bearer realm="sallyport"`

// admit finds out who asks and holds them to the operation's permission. Nothing about the operation
// or its objects is told before that.
func (s *Server) admit(x *exchange) error {
	if x.op.permission == access.Public {
		return nil
	}
	address := peer(x.request().RemoteAddr)
	given, err := credentialOf(x.request())
	if wait := s.backoff.Wait(address, given.text); wait > 0 {
		return x.slowDown(wait, "too many bad access tokens came from this address")
	}
	var actor access.Actor
	if err == nil {
		actor, err = s.authenticate(x, given)
	}
	if problem.CodeOf(err) == problem.Unauthenticated {
		s.backoff.Failed(address, given.text)
		x.header().Set(echo.HeaderWWWAuthenticate, challenge)
	}
	actor.Address = address.String()
	x.actor = actor // also of who is known and refused
	if err != nil {
		return err
	}
	s.backoff.Passed(given.text)
	x.echo.Set(actorKey, actor)
	if wait := s.pace.Wait(callerOf(actor)); wait > 0 {
		return x.slowDown(wait, "this access token or session makes requests faster than one caller may")
	}
	x.echo.SetRequest(x.request().WithContext(access.WithActor(x.context(), actor)))
	return s.allow(x)
}

// allow holds the actor to the operation's permission, where the operation is. An environment in which they may do nothing isn't
// there for them.
func (s *Server) allow(x *exchange) error {
	grants, p := x.actor.Grants, x.op.permission
	if x.actor.SecondFactorNeeded && p != access.SignedIn {
		return problem.Errorf(problem.SecondFactorSetupNeeded, "set a second factor up first: who has a role needs one here")
	}
	if x.op.session && x.actor.Session == "" {
		return problem.Errorf(problem.SessionRequired, "this is for who has signed in; an access token isn't enough")
	}
	if x.op.namesEnvironment() {
		return s.allowInEnvironment(x)
	}
	switch {
	case p == access.SignedIn, grants.Globally(p), x.op.binding == bindingAny && grants.Anywhere(p):
		return nil
	case x.op.binding == bindingAny:
		return problem.Errorf(problem.Forbidden, "this needs the permission %s, which you hold nowhere", p)
	default:
		return problem.Errorf(problem.Forbidden, "this needs the permission %s everywhere: a role that isn't bound to an environment", p)
	}
}

func (s *Server) allowInEnvironment(x *exchange) error {
	grants, p := x.actor.Grants, x.op.permission
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	if !grants.Reach(environment.GetId()) {
		return problem.Errorf(problem.NotFound, "there is no environment %q", x.echo.Param("environment"))
	}
	x.environment, x.bounds = environment, grants.Within(environment.GetId(), p)
	switch {
	case p == access.SignedIn, x.bounds.Whole, x.op.binding == bindingTeam && x.bounds.Any():
		return nil
	case x.bounds.Any():
		return problem.Errorf(problem.Forbidden, "this needs the permission %s throughout the environment; you hold it for a team", p)
	default:
		return problem.Errorf(problem.Forbidden, "this needs the permission %s, which you don't hold in this environment", p)
	}
}

// slowDown refuses a request until some time has passed.
func (x *exchange) slowDown(wait time.Duration, why string) error {
	seconds := int64((wait + time.Second - 1) / time.Second)
	x.header().Set(echo.HeaderRetryAfter, strconv.FormatInt(seconds, 10))
	return problem.Errorf(problem.RateLimited, "%s", why)
}

// bearer returns the token of the Authorization header (RFC 6750 §2.1). Two of them could be read in two
// ways.
func bearer(r *http.Request) (string, error) {
	values := r.Header.Values(echo.HeaderAuthorization)
	if len(values) != 1 {
		return "", problem.Errorf(problem.Unauthenticated, "send one Authorization header: Bearer and an access token")
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", problem.Errorf(problem.Unauthenticated, "the Authorization header must be Bearer and an access token")
	}
	return token, nil
}

// peer returns the address that a connection comes from; the zero address if it has none.
func peer(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}
