package api

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/problem"
)

// Cookies of who has signed in, and of who is on their way to a provider. With the prefix a browser takes them over TLS alone, and lets no
// other host set them (RFC 6265bis section 4.1.3.2); on loopback without TLS there is no way to have that.
const (
	hostPrefix    = "__Host-"
	sessionCookie = "sallyport-session"
	flowCookie    = "sallyport-sign-in"
)

// headerSession says that a request with a session comes from a page that knows of it. No other site's page can send it: it would have to
// ask first (CORS), and nobody is let.
const headerSession = "Sallyport-Session"

// isSecure tells whether a browser reaches us by TLS: of us, or of what stands in front of us. Only on the machine itself it needn't.
func isSecure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip, err := netip.ParseAddr(host)
	return host != "localhost" && (err != nil || !ip.IsLoopback())
}

// originOf is where the browser has the console, as an origin (RFC 6454).
func originOf(r *http.Request) string {
	if isSecure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func cookieName(r *http.Request, name string) string {
	if isSecure(r) {
		return hostPrefix + name
	}
	return name
}

// cookie returns what a browser brings; "" when it brings none, or two of which one may be planted.
func cookie(r *http.Request, name string) string {
	found := r.CookiesNamed(cookieName(r, name))
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// setCookie gives the browser something to keep; for no time at all: to forget.
func (x *exchange) setCookie(name, value string, lasts time.Duration) {
	set := &http.Cookie{ // #nosec G124 -- Secure wherever there is TLS
		Name: cookieName(x.request(), name), Value: value, Path: "/", Secure: isSecure(x.request()), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(lasts / time.Second),
	}
	if lasts == 0 {
		set.MaxAge = -1
	}
	x.echo.SetCookie(set)
}

// credential is what a request comes with: an access token, or a session.
type credential struct {
	text    string
	session bool
}

// credentialOf returns what a request comes with. An Authorization header goes before a cookie: it was put there on purpose.
func credentialOf(r *http.Request) (credential, error) {
	if len(r.Header.Values(echo.HeaderAuthorization)) == 0 {
		if text := cookie(r, sessionCookie); text != "" {
			return credential{text: text, session: true}, nil
		}
	}
	token, err := bearer(r)
	return credential{text: token}, err
}

// authenticate returns who a request comes from. What a session changes must come from the console's own pages.
func (s *Server) authenticate(x *exchange, given credential) (access.Actor, error) {
	if !given.session {
		return s.Tokens.Authenticate(x.context(), given.text)
	}
	actor, err := s.SignIn.Sessions.Authenticate(x.context(), given.text)
	if err != nil {
		return actor, err
	}
	return actor, s.fromOwnPage(x.request())
}

// fromOwnPage refuses a request that another site's page may have made in the name of who is signed in (cross-site request forgery): by
// where the browser says that it comes from, and by a header that no other page can send.
func (s *Server) fromOwnPage(r *http.Request) error {
	if r.Method == http.MethodGet {
		return nil // changes nothing
	}
	if err := s.origins.Check(r); err != nil {
		return problem.Wrap(err, problem.CrossOrigin, "the request comes from a page of another origin")
	}
	if r.Header.Get(headerSession) == "" {
		return problem.Errorf(problem.CrossOrigin, "a request with a session that changes something needs the header %s", headerSession)
	}
	return nil
}

// callerOf is by what a caller's pace is counted.
func callerOf(actor access.Actor) string { return cmp.Or(actor.Token, actor.Session) }
