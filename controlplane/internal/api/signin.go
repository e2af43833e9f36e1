package api

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/sallyport/sallyport/controlplane/internal/signin"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// SignIn is how people are let in; all of it is required.
type SignIn struct {
	Accounts   *signin.Accounts
	Sessions   *signin.Sessions
	Federation *signin.Federation
	Settings   *signin.Settings
	Providers  *signin.Providers
}

// addSignIn adds how people are let in: signing in and out, what they decide for themselves, and what is decided for them.
func (s *Server) addSignIn(handlers map[string]handler) {
	handlers["getSignIn"] = s.getSignIn
	handlers["signIn"] = s.signIn
	handlers["acceptInvitation"] = s.acceptInvitation
	handlers["beginProviderSignIn"] = s.beginProviderSignIn
	handlers["finishProviderSignIn"] = s.finishProviderSignIn
	handlers["signOut"] = s.signOut

	handlers["listMySessions"] = s.listMySessions
	handlers["endMySession"] = s.endMySession
	handlers["changeMyPassword"] = s.changeMyPassword
	handlers["getMySecondFactor"] = s.getMySecondFactor
	handlers["enrolMySecondFactor"] = s.enrolMySecondFactor
	handlers["confirmMySecondFactor"] = s.confirmMySecondFactor
	handlers["removeMySecondFactor"] = s.removeMySecondFactor
	handlers["renewMyRecoveryCodes"] = s.renewMyRecoveryCodes

	handlers["listUserSessions"] = s.listUserSessions
	handlers["endUserSessions"] = s.endUserSessions
	handlers["inviteUser"] = s.inviteUser
	handlers["resetUserSecondFactor"] = s.resetUserSecondFactor
	handlers["getSignInSettings"] = s.getSignInSettings
	handlers["putSignInSettings"] = s.putSignInSettings
	addBook(handlers, "SignInProvider", "SignInProviders", func() book { return s.SignIn.Providers })
}

func (s *Server) getSignIn(x *exchange) error {
	options, err := s.SignIn.Federation.Options(x.context())
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, options)
}

// from is where somebody signs in from.
func (x *exchange) from() signin.From {
	return signin.From{Address: peer(x.request().RemoteAddr), UserAgent: x.request().UserAgent()}
}

func (s *Server) signIn(x *exchange) error {
	var wanted adminv1.PasswordSignIn
	if err := x.decode(&wanted); err != nil {
		return err
	}
	if err := s.origins.Check(x.request()); err != nil { // a foreign page would sign its visitor in as somebody else
		return problem.Wrap(err, problem.CrossOrigin, "the request comes from a page of another origin")
	}
	admission, err := s.SignIn.Accounts.SignIn(x.context(), &wanted, x.from())
	if err != nil {
		return s.notLetIn(x, err)
	}
	return x.letIn(admission)
}

// letIn gives the browser its session. One that it had before is another's, and isn't told of the new one.
func (x *exchange) letIn(admission *signin.Admission) error {
	x.setCookie(sessionCookie, admission.Text, admission.Lasts)
	return x.send(http.StatusOK, admission.Session)
}

// notLetIn records that a sign-in failed, and says how long to wait if it wasn't even looked at.
func (s *Server) notLetIn(x *exchange, err error) error {
	var soon *signin.TooSoonError
	if errors.As(err, &soon) {
		s.Denied.BadToken(x.origin(), peer(x.request().RemoteAddr), string(problem.RateLimited), "attempts to sign in that came too fast to be looked at")
		return x.slowDown(soon.Wait, problem.From(err).Detail)
	}
	code := problem.CodeOf(err)
	var failed *signin.FailedError
	if errors.As(err, &failed) && problem.From(err).Status == http.StatusUnauthorized { // what is forbidden is recorded for every operation
		origin := x.origin()
		origin.Actor = failed.Who
		s.Denied.Refused(origin, "", string(code), problem.From(err).Detail)
		x.header().Set("WWW-Authenticate", challenge)
	}
	return err
}

func (s *Server) acceptInvitation(x *exchange) error {
	var wanted adminv1.InvitationAcceptance
	if err := x.decode(&wanted); err != nil {
		return err
	}
	if err := s.SignIn.Accounts.Accept(x.context(), &wanted, x.from()); err != nil {
		return s.notLetIn(x, err)
	}
	return x.echo.NoContent(http.StatusNoContent)
}

// beginProviderSignIn sends a browser to a provider. Where that can't be, it is sent back with the reason: nobody reads JSON who clicked.
func (s *Server) beginProviderSignIn(x *exchange) error {
	name, err := x.param("name")
	if err != nil {
		return err
	}
	departure, err := s.SignIn.Federation.Begin(x.context(), name, originOf(x.request()), x.query.Get("return"))
	if problem.CodeOf(err) == problem.SignInRefused {
		return x.sendBack(err)
	}
	if err != nil {
		return err
	}
	x.setCookie(flowCookie, departure.Cookie, departure.Lasts)
	return x.goTo(departure.Location)
}

// finishProviderSignIn lets in who comes back from a provider, or sends them to the sign-in with the reason why not.
func (s *Server) finishProviderSignIn(x *exchange) error {
	x.record() // a GET, but one that signs somebody in
	sent, err := url.ParseQuery(x.request().URL.RawQuery)
	if err != nil {
		return problem.Errorf(problem.InvalidRequest, "the query can't be read: a percent sign or a semicolon in it isn't escaped")
	}
	arrival, err := s.SignIn.Federation.Finish(x.context(), cookie(x.request(), flowCookie), sent, x.from())
	x.setCookie(flowCookie, "", 0)
	if err != nil {
		var failed *signin.FailedError
		origin := x.origin()
		if errors.As(err, &failed) {
			origin.Actor = failed.Who
		}
		shown := problem.From(err)
		s.Denied.Refused(origin, "", string(shown.Code), shown.Detail)
		s.Logger.WarnContext(x.context(), "a sign-in at a provider was refused", "request_id", requestID(x.echo), "error", err)
		return x.sendBack(err)
	}
	x.setCookie(sessionCookie, arrival.Text, arrival.Lasts)
	return x.goTo(arrival.Return)
}

// sendBack sends a browser to the console, which says by the code why nobody was let in. What the address holds anybody could have written:
// the rest is in the log, and in the record of who did what.
func (x *exchange) sendBack(err error) error {
	return x.goTo("/?" + url.Values{"sign-in-problem": {string(problem.CodeOf(err))}}.Encode())
}

func (x *exchange) goTo(location string) error {
	x.header().Set("Location", location)
	return x.echo.NoContent(http.StatusSeeOther)
}

func (s *Server) signOut(x *exchange) error {
	if err := s.SignIn.Sessions.SignOut(x.context()); err != nil {
		return err
	}
	x.setCookie(sessionCookie, "", 0)
	return x.echo.NoContent(http.StatusNoContent)
}

func (s *Server) listMySessions(x *exchange) error {
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.SignIn.Sessions.Mine(x.context(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) endMySession(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	if err := s.SignIn.Sessions.EndMine(x.context(), key); err != nil {
		return err
	}
	if key == x.actor.Session {
		x.setCookie(sessionCookie, "", 0)
	}
	return x.echo.NoContent(http.StatusNoContent)
}

// rotated gives the browser its session's other text. How long that lasts is the session's own.
func (s *Server) rotated(x *exchange, text string) error {
	settings, err := s.SignIn.Settings.Get(x.context())
	if err != nil {
		return err
	}
	x.setCookie(sessionCookie, text, signin.Lifetime(settings))
	return nil
}

func (s *Server) changeMyPassword(x *exchange) error {
	var wanted adminv1.PasswordChange
	if err := x.decode(&wanted); err != nil {
		return err
	}
	text, err := s.SignIn.Accounts.ChangePassword(x.context(), &wanted)
	if err != nil {
		return s.notLetIn(x, err)
	}
	if err := s.rotated(x, text); err != nil {
		return err
	}
	return x.echo.NoContent(http.StatusNoContent)
}

func (s *Server) getMySecondFactor(x *exchange) error {
	state, err := s.SignIn.Accounts.Factor(x.context())
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, state)
}

func (s *Server) enrolMySecondFactor(x *exchange) error {
	var wanted adminv1.PasswordProof
	if err := x.decode(&wanted); err != nil {
		return err
	}
	enrolment, err := s.SignIn.Accounts.Enrol(x.context(), &wanted)
	if err != nil {
		return s.notLetIn(x, err)
	}
	return x.send(http.StatusOK, enrolment)
}

func (s *Server) confirmMySecondFactor(x *exchange) error {
	var wanted adminv1.SecondFactorProof
	if err := x.decode(&wanted); err != nil {
		return err
	}
	codes, text, err := s.SignIn.Accounts.Confirm(x.context(), &wanted)
	if err != nil {
		return s.notLetIn(x, err)
	}
	if err := s.rotated(x, text); err != nil {
		return err
	}
	return x.send(http.StatusOK, codes)
}

func (s *Server) removeMySecondFactor(x *exchange) error {
	var wanted adminv1.SecondFactorProof
	if err := x.decode(&wanted); err != nil {
		return err
	}
	if err := s.SignIn.Accounts.RemoveFactor(x.context(), &wanted); err != nil {
		return s.notLetIn(x, err)
	}
	return x.echo.NoContent(http.StatusNoContent)
}

func (s *Server) renewMyRecoveryCodes(x *exchange) error {
	var wanted adminv1.SecondFactorProof
	if err := x.decode(&wanted); err != nil {
		return err
	}
	codes, err := s.SignIn.Accounts.RenewCodes(x.context(), &wanted)
	if err != nil {
		return s.notLetIn(x, err)
	}
	return x.send(http.StatusOK, codes)
}

func (s *Server) listUserSessions(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.SignIn.Sessions.Of(x.context(), key, q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) endUserSessions(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	if err := s.SignIn.Sessions.EndAll(x.context(), key); err != nil {
		return err
	}
	return x.echo.NoContent(http.StatusNoContent)
}

func (s *Server) inviteUser(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	invitation, err := s.SignIn.Accounts.Invite(x.context(), key)
	if err != nil {
		return err
	}
	return x.send(http.StatusCreated, invitation)
}

func (s *Server) resetUserSecondFactor(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	if err := s.SignIn.Accounts.ResetFactor(x.context(), key); err != nil {
		return err
	}
	return x.echo.NoContent(http.StatusNoContent)
}

func (s *Server) getSignInSettings(x *exchange) error {
	settings, err := s.SignIn.Settings.Get(x.context())
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, settings)
}

func (s *Server) putSignInSettings(x *exchange) error {
	settings, err := s.SignIn.Settings.Put(x.context(), x.body, x.ifMatch())
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, settings)
}
