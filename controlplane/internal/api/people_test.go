package api_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"
)

// goodPassword is one that is long enough.
const goodPassword = "three-blind-mice-run"

// corporateProvider is a sign-in provider's body.
const corporateProvider = `{"name":"corporate","issuer":"https://login.example.com","client_id":"sallyport","client_secret":"client-secret-of-ours",` +
	`"group_claim":"groups","groups":[{"group":"ops","role":"operator"},{"group":"web","role":"viewer","environment":"production"}]}`

// browser is what somebody has signed in with: it keeps cookies, and says where its requests come from.
type browser struct {
	cookies map[string]*http.Cookie
	session string // id
}

func newBrowser() *browser { return &browser{cookies: map[string]*http.Cookie{}} }

// keep takes the cookies of an answer, as a browser does.
func (b *browser) keep(a answer) {
	response := http.Response{Header: a.header}
	for _, c := range response.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c
	}
}

// page makes a request one of the console's own pages.
func (b *browser) page() option {
	return func(r *http.Request) {
		b.navigation()(r)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Sallyport-Session", "1")
	}
}

// navigation makes a request one of a person who goes somewhere.
func (b *browser) navigation() option {
	return func(r *http.Request) {
		r.Header.Del("Authorization")
		r.Header.Del("Cookie")
		for _, c := range b.cookies {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
}

// text is what the browser holds of its session.
func (b *browser) text() string {
	for name, c := range b.cookies {
		if strings.HasSuffix(name, "sallyport-session") {
			return c.Value
		}
	}
	return ""
}

// signIn signs somebody in; code may be "".
func (w *world) signIn(user, password, code string) *browser {
	w.t.Helper()
	b := newBrowser()
	answer := w.trySignIn(user, password, code).want(w.t, http.StatusOK)
	b.keep(answer)
	b.session = answer.object(w.t).text("id")
	return b
}

func (w *world) trySignIn(user, password, code string) answer {
	w.t.Helper()
	return w.do(http.MethodPost, "/api/v1/sign-in", jsonOf(w.t, map[string]string{"user": user, "password": password, "code": code}), as(""))
}

// personWithPassword makes a user with a password and a role, and signs them in.
func (w *world) personWithPassword(name string) *browser {
	w.t.Helper()
	w.make(http.MethodPost, "/api/v1/users", `{"name":"`+name+`","email":"`+name+`@example.com"}`)
	w.make(http.MethodPost, "/api/v1/role-bindings", `{"user":"`+name+`","role":"viewer"}`)
	w.setPassword(name, goodPassword)
	return w.signIn(name, goodPassword, "")
}

func (w *world) setPassword(name, password string) {
	w.t.Helper()
	token := w.make(http.MethodPost, "/api/v1/users/"+name+"/invitation", "").text("token")
	w.do(http.MethodPost, "/api/v1/sign-in/invitation", jsonOf(w.t, map[string]string{"token": token, "password": password}), as("")).want(w.t, http.StatusNoContent)
}

// code is the next one of an authenticator app: its time goes on, so that none comes twice.
func (w *world) code(secret string) string {
	w.t.Helper()
	w.clock.forward(30 * time.Second)
	code, err := totp.GenerateCode(secret, w.clock.now())
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

// withFactor sets an app up for who has signed in, and returns its secret and the recovery codes.
func (w *world) withFactor(b *browser, password string) (secret string, recovery []string) {
	w.t.Helper()
	secret = w.make(http.MethodPost, "/api/v1/me/second-factor", jsonOf(w.t, map[string]string{"password": password}), b.page()).text("secret")
	confirmed := w.do(http.MethodPost, "/api/v1/me/second-factor/confirm", jsonOf(w.t, map[string]string{"code": w.code(secret)}), b.page()).want(w.t, http.StatusOK)
	b.keep(confirmed)
	codes, _ := confirmed.object(w.t)["codes"].([]any)
	for _, c := range codes {
		recovery = append(recovery, c.(string))
	}
	return secret, recovery
}
