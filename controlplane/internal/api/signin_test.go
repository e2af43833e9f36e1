package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestWhoSignsInHasTheRolesOfTheirUserUntilTheySignOut(t *testing.T) {
	w := newWorld(t)
	ada := w.personWithPassword("ada")
	me := w.make(http.MethodGet, "/api/v1/me", "", ada.page())
	if me.text("name") != "ada" || me["is_user"] != true || me.text("session") != ada.session || me.text("access_token") != "" {
		t.Fatalf("I am %v", me)
	}
	w.do(http.MethodGet, at("routes"), "", ada.page()).want(t, http.StatusOK)
	w.do(http.MethodGet, at("nodes"), "", ada.page()).want(t, http.StatusForbidden).wantProblem(t, problem.Forbidden)
	before := ada.text()
	ada.keep(w.do(http.MethodPost, "/api/v1/sign-out", "", ada.page()).want(t, http.StatusNoContent))
	if ada.text() != "" {
		t.Error("the browser keeps its cookie")
	}
	stolen := newBrowser()
	stolen.cookies["__Host-sallyport-session"] = &http.Cookie{Name: "__Host-sallyport-session", Value: before}
	w.do(http.MethodGet, "/api/v1/me", "", stolen.page()).want(t, http.StatusUnauthorized).wantProblem(t, problem.Unauthenticated)
}

func TestTheCookieIsTheHostsAloneAndNoScriptReadsIt(t *testing.T) {
	w := newWorld(t)
	w.personWithPassword("ada")
	body := jsonOf(t, map[string]string{"user": "ada@EXAMPLE.com", "password": goodPassword})
	for host, name := range map[string]string{"console.example.com": "__Host-sallyport-session", "127.0.0.1:7081": "sallyport-session", "[::1]:7081": "sallyport-session"} {
		got := w.do(http.MethodPost, "/api/v1/sign-in", body, as(""), func(r *http.Request) { r.Host = host }).want(t, http.StatusOK)
		set := got.header.Get("Set-Cookie")
		secure := strings.Contains(set, "; Secure")
		if !strings.HasPrefix(set, name+"=sps_") || secure != strings.HasPrefix(name, "__Host-") || strings.Contains(set, "Domain") {
			t.Errorf("%s: %s", host, set)
		}
		for _, part := range []string{"Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=43200"} {
			if !strings.Contains(set, part) {
				t.Errorf("%s: %s lacks %s", host, set, part)
			}
		}
		if strings.Contains(string(got.body), "sps_") {
			t.Errorf("the answer shows the session's text: %s", got.body)
		}
	}
	// What could be planted over plain HTTP isn't taken where there is TLS.
	ada := w.signIn("ada", goodPassword, "")
	planted := newBrowser()
	planted.cookies["sallyport-session"] = &http.Cookie{Name: "sallyport-session", Value: ada.text()}
	w.do(http.MethodGet, "/api/v1/me", "", planted.page()).want(t, http.StatusUnauthorized)
	twice := func(r *http.Request) { r.Header.Add("Cookie", "__Host-sallyport-session="+ada.text()) }
	w.do(http.MethodGet, "/api/v1/me", "", ada.page(), twice).want(t, http.StatusUnauthorized)
}

// An unknown user, a wrong password, a user without a password and one who is disabled are told alike.
func TestAFailedSignInTellsNobodyWhoHasAnAccount(t *testing.T) {
	w := newWorld(t)
	w.personWithPassword("ada")
	w.personWithPassword("bob")
	w.make(http.MethodPatch, "/api/v1/users/bob", `{"disabled":true}`)
	w.make(http.MethodPost, "/api/v1/users", `{"name":"carl"}`)
	var told string
	for user, password := range map[string]string{"ada": "wrong-wrong-wrong", "bob": goodPassword, "carl": goodPassword, "nobody": goodPassword, "Ada": goodPassword} {
		got := w.trySignIn(user, password, "").want(t, http.StatusUnauthorized)
		got.wantProblem(t, problem.SignInFailed)
		p := got.problem(t)
		p.RequestID = ""
		if text := fmt.Sprint(p); told != "" && text != told {
			t.Errorf("%s: %s, others: %s", user, text, told)
		} else {
			told = text
		}
		if got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s has a cookie", user)
		}
	}
}

func TestGuessesAreSlowedDownForAnAccountWhetherThereIsOneOrNot(t *testing.T) {
	w := newWorld(t)
	w.personWithPassword("ada")
	for i, user := range []string{"ada", "nobody"} {
		failures := 0
		for n := range 40 { // from ever other addresses
			attacker := w.from(fmt.Sprintf("[2001:db8:%x:%x::1]:1", i+1, n))
			got := attacker.trySignIn(user, "wrong-wrong-wrong", "")
			if got.status == http.StatusTooManyRequests {
				got.wantProblem(t, problem.RateLimited)
				if got.header.Get("Retry-After") == "" {
					t.Error("nobody says how long to wait")
				}
				break
			}
			failures++
		}
		if failures != 10 {
			t.Errorf("%s: %d guesses were looked at", user, failures)
		}
	}
	// The right password helps a stranger no more; its owner, at a place where they were before, isn't locked out.
	w.from("[2001:db8:9::1]:1").trySignIn("ada", goodPassword, "").want(t, http.StatusTooManyRequests)
	w.trySignIn("ada", goodPassword, "").want(t, http.StatusOK)
}

func TestManyGuessesAtOnceAreNoMoreThanManyInARow(t *testing.T) {
	w := newWorld(t)
	w.personWithPassword("ada")
	var wg sync.WaitGroup
	statuses := make([]int, 60)
	requests := make([]*http.Request, len(statuses))
	for i := range requests {
		requests[i] = w.from("198.51.100.7:1").request(http.MethodPost, "/api/v1/sign-in", fmt.Sprintf(`{"user":"user-%d","password":"wrong-wrong-wrong"}`, i), as(""))
	}
	for i, r := range requests {
		wg.Go(func() { statuses[i] = statusOf(w.server, r) })
	}
	wg.Wait()
	looked := 0
	for _, status := range statuses {
		if status == http.StatusUnauthorized {
			looked++
		}
	}
	if looked > 40 || looked < 20 {
		t.Errorf("%d guesses of one address were looked at", looked)
	}
}

func TestASecondFactorIsAskedForAndNoCodeIsTakenTwice(t *testing.T) {
	w := newWorld(t)
	ada := w.personWithPassword("ada")
	other := w.signIn("ada", goodPassword, "")
	before := ada.text()
	secret, recovery := w.withFactor(ada, goodPassword)
	if len(recovery) != 10 || ada.text() == before {
		t.Fatalf("%d recovery codes; the session has the same text: %v", len(recovery), ada.text() == before)
	}
	w.do(http.MethodGet, "/api/v1/me", "", ada.page()).want(t, http.StatusOK)
	w.do(http.MethodGet, "/api/v1/me", "", other.page()).want(t, http.StatusUnauthorized) // it has shown no second factor

	w.trySignIn("ada", goodPassword, "").want(t, http.StatusUnauthorized).wantProblem(t, problem.SecondFactorNeeded)
	w.trySignIn("ada", "wrong-wrong-wrong", "").want(t, http.StatusUnauthorized).wantProblem(t, problem.SignInFailed)
	code := w.code(secret)
	w.trySignIn("ada", "wrong-wrong-wrong", code).want(t, http.StatusUnauthorized)
	w.trySignIn("ada", goodPassword, "000000").want(t, http.StatusUnauthorized).wantProblem(t, problem.SignInFailed)
	w.trySignIn("ada", goodPassword, code).want(t, http.StatusOK)
	w.trySignIn("ada", goodPassword, code).want(t, http.StatusUnauthorized).wantProblem(t, problem.SignInFailed)
	late := w.code(secret)
	w.clock.forward(25 * time.Second)
	w.trySignIn("ada", goodPassword, late[:3]+" "+late[3:]).want(t, http.StatusOK) // one step late, and typed as it is shown
	old := w.code(secret)
	w.clock.forward(90 * time.Second)
	w.trySignIn("ada", goodPassword, old).want(t, http.StatusUnauthorized)

	w.trySignIn("ada", goodPassword, strings.ToUpper(recovery[3])).want(t, http.StatusOK)
	w.trySignIn("ada", goodPassword, recovery[3]).want(t, http.StatusUnauthorized)
	state := w.make(http.MethodGet, "/api/v1/me/second-factor", "", ada.page())
	if state["enabled"] != true || state["recovery_codes_left"] != 9.0 {
		t.Errorf("the second factor is %v", state)
	}
	renewed := w.make(http.MethodPost, "/api/v1/me/recovery-codes", jsonOf(t, map[string]string{"code": w.code(secret)}), ada.page())
	w.trySignIn("ada", goodPassword, recovery[4]).want(t, http.StatusUnauthorized)
	fresh := renewed["codes"].([]any)[0].(string)
	w.do(http.MethodPost, "/api/v1/me/second-factor/remove", `{"code":"123456"}`, ada.page()).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/code")
	w.do(http.MethodPost, "/api/v1/me/second-factor/remove", jsonOf(t, map[string]string{"code": fresh}), ada.page()).want(t, http.StatusNoContent)
	w.trySignIn("ada", goodPassword, "").want(t, http.StatusOK)
}

func TestNothingSecretIsKeptInTheClear(t *testing.T) {
	w := newWorld(t)
	ada := w.personWithPassword("ada")
	secret, recovery := w.withFactor(ada, goodPassword)
	invitation := w.make(http.MethodPost, "/api/v1/users/ada/invitation", "").text("token")
	provider := w.make(http.MethodPost, "/api/v1/sign-in-providers", corporateProvider)
	if provider.text("client_secret") != "" || provider["has_client_secret"] != true {
		t.Errorf("the provider is %v", provider)
	}
	conn := w.connect()
	secrets := append([]string{goodPassword, secret, ada.text(), invitation, "client-secret-of-ours"}, recovery...)
	for _, table := range []string{"user_passwords", "second_factors", "recovery_codes", "sessions", "invitations", "sign_in_providers", "audit_events", "idempotency_keys"} {
		var rows string
		if err := conn.QueryRow(t.Context(), "SELECT coalesce(string_agg(t::text, ' '), '') FROM "+table+" t").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		for _, s := range secrets {
			for _, form := range []string{s, strings.ReplaceAll(s, "-", ""), fmt.Sprintf("%x", s)} {
				if strings.Contains(rows, form) {
					t.Errorf("%s holds the secret %.8s…", table, s)
				}
			}
		}
	}
	for _, s := range secrets {
		if strings.Contains(w.log.String(), s) {
			t.Errorf("the log holds the secret %.8s…", s)
		}
	}
}

// What a foreign page makes a browser send comes with the cookie, but not with what our own pages add.
func TestNoOtherPageActsInTheNameOfWhoIsSignedIn(t *testing.T) {
	w := newWorld(t)
	ada := w.personWithPassword("ada")
	w.make(http.MethodPost, "/api/v1/role-bindings", `{"user":"ada","role":"admin"}`)
	for name, spoilt := range map[string]option{
		"another site":        header("Sec-Fetch-Site", "cross-site"),
		"a sister host":       header("Sec-Fetch-Site", "same-site"),
		"an old browser":      func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil.example") },
		"a page in a sandbox": func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") },
		"a form":              func(r *http.Request) { r.Header.Del("Sallyport-Session") },
	} {
		got := w.do(http.MethodPost, "/api/v1/users", `{"name":"mallory"}`, ada.page(), spoilt).want(t, http.StatusForbidden)
		got.wantProblem(t, problem.CrossOrigin)
		w.do(http.MethodDelete, "/api/v1/me/sessions/"+ada.session, "", ada.page(), spoilt).want(t, http.StatusForbidden)
		w.do(http.MethodGet, "/api/v1/me", "", ada.page(), spoilt).want(t, http.StatusOK)
		t.Logf("%s is refused", name)
	}
	w.do(http.MethodPost, "/api/v1/sign-in", jsonOf(t, map[string]string{"user": "ada", "password": goodPassword}), as(""), header("Sec-Fetch-Site", "cross-site")).
		want(t, http.StatusForbidden).wantProblem(t, problem.CrossOrigin)
	w.do(http.MethodPost, "/api/v1/users", `{"name":"mallory"}`, ada.page()).want(t, http.StatusCreated)
	w.do(http.MethodPost, "/api/v1/users", `{"name":"of-a-token"}`, header("Sec-Fetch-Site", "cross-site")).want(t, http.StatusCreated) // a token is sent on purpose
	w.stop()
	denied := w.events("/api/v1/audit-events", "filter[code]=cross_origin")
	if len(denied) == 0 {
		t.Error("nobody hears of it")
	}
}

func TestAPasswordChangeEndsAllOtherSessionsAndRenewsThisOne(t *testing.T) {
	w := newWorld(t)
	ada := w.personWithPassword("ada")
	other := w.signIn("ada", goodPassword, "")
	before := ada.text()
	const next = "quite-another-password"
	change := func(old, password string) answer {
		return w.do(http.MethodPost, "/api/v1/me/password", jsonOf(t, map[string]string{"old_password": old, "new_password": password}), ada.page())
	}
	change("wrong-wrong-wrong", next).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/old_password")
	change(goodPassword, "short").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/new_password")
	change(goodPassword, "ada@example.com").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/new_password")
	change(goodPassword, strings.Repeat("a", 1025)).want(t, http.StatusBadRequest)
	ada.keep(change(goodPassword, next).want(t, http.StatusNoContent))
	if ada.text() == before {
		t.Error("the session has the same text")
	}
	w.do(http.MethodGet, "/api/v1/me", "", ada.page()).want(t, http.StatusOK)
	w.do(http.MethodGet, "/api/v1/me", "", other.page()).want(t, http.StatusUnauthorized)
	w.trySignIn("ada", goodPassword, "").want(t, http.StatusUnauthorized)
	w.trySignIn("ada", next, "").want(t, http.StatusOK)
}

func TestSessionsAreListedAndEndedByTheirOwnerAndByAnAdmin(t *testing.T) {
	w := newWorld(t)
	ada := w.personWithPassword("ada")
	phone := w.signIn("ada", goodPassword, "")
	bob := w.personWithPassword("bob")
	mine := w.make(http.MethodGet, "/api/v1/me/sessions", "", ada.page()).list("data")
	if len(mine) != 2 || mine[0].text("id") != ada.session || mine[0]["current"] != true || mine[1]["current"] == true || mine[0].text("address") != "192.0.2.1" || mine[0].text("method") != "password" {
		t.Fatalf("my sessions are %v", mine)
	}
	page := w.make(http.MethodGet, "/api/v1/me/sessions?limit=1", "", ada.page())
	if next := w.make(http.MethodGet, "/api/v1/me/sessions?limit=1&cursor="+page.text("next_cursor"), "", ada.page()).list("data"); len(next) != 1 || next[0].text("id") != phone.session {
		t.Errorf("the next page has %v", next)
	}
	w.do(http.MethodDelete, "/api/v1/me/sessions/"+phone.session, "", bob.page()).want(t, http.StatusNotFound)
	w.do(http.MethodDelete, "/api/v1/me/sessions/"+phone.session, "", ada.page()).want(t, http.StatusNoContent)
	w.do(http.MethodGet, "/api/v1/me", "", phone.page()).want(t, http.StatusUnauthorized)

	if all := w.make(http.MethodGet, "/api/v1/users/ada/sessions", "").list("data"); len(all) != 1 {
		t.Errorf("ada's sessions are %v", all)
	}
	w.do(http.MethodDelete, "/api/v1/users/ada/sessions", "").want(t, http.StatusNoContent)
	w.do(http.MethodGet, "/api/v1/me", "", ada.page()).want(t, http.StatusUnauthorized)

	w.make(http.MethodPatch, "/api/v1/users/bob", `{"disabled":true}`)
	w.do(http.MethodGet, "/api/v1/me", "", bob.page()).want(t, http.StatusUnauthorized)
	w.make(http.MethodPatch, "/api/v1/users/bob", `{"disabled":false}`)
	w.do(http.MethodGet, "/api/v1/me", "", bob.page()).want(t, http.StatusUnauthorized) // who is let in again signs in again
	carl := w.personWithPassword("carl")
	for range 32 {
		w.signIn("carl", goodPassword, "")
	}
	w.do(http.MethodGet, "/api/v1/me", "", carl.page()).want(t, http.StatusUnauthorized) // the oldest of 33
}

func TestSessionsEndByIdlenessAndByAge(t *testing.T) {
	w := newWorld(t)
	conn := w.connect()
	for _, column := range []string{"last_seen_at = now() - interval '61 minutes'", "expires_at = now()", "created_at = now() - interval '12 hours 1 minute'"} {
		name := fmt.Sprintf("user-%d", len(column))
		someone := w.personWithPassword(name)
		w.do(http.MethodGet, "/api/v1/me", "", someone.page()).want(t, http.StatusOK)
		if _, err := conn.Exec(t.Context(), "UPDATE sessions SET "+column+" WHERE id = $1", someone.session); err != nil {
			t.Fatal(err)
		}
		w.do(http.MethodGet, "/api/v1/me", "", someone.page()).want(t, http.StatusUnauthorized)
	}
	// What is used isn't idle; a setting holds for those that there are.
	ada := w.personWithPassword("ada")
	if _, err := conn.Exec(t.Context(), "UPDATE sessions SET last_seen_at = now() - interval '50 minutes' WHERE id = $1", ada.session); err != nil {
		t.Fatal(err)
	}
	w.do(http.MethodGet, "/api/v1/me", "", ada.page()).want(t, http.StatusOK)
	var age float64
	if err := conn.QueryRow(t.Context(), "SELECT extract(epoch FROM now() - last_seen_at)::float8 FROM sessions WHERE id = $1", ada.session).Scan(&age); err != nil || age > 60 {
		t.Errorf("it was seen %v s ago: %v", age, err)
	}
	if _, err := conn.Exec(t.Context(), "UPDATE sessions SET last_seen_at = now() - interval '10 minutes' WHERE id = $1", ada.session); err != nil {
		t.Fatal(err)
	}
	w.make(http.MethodPut, "/api/v1/sign-in/settings", `{"idle_timeout":"5m"}`)
	w.do(http.MethodGet, "/api/v1/me", "", ada.page()).want(t, http.StatusUnauthorized)
}

func TestAnInvitationIsGoodOnceAndTheNewestAlone(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, "/api/v1/users", `{"name":"ada"}`)
	invite := func() string { return w.make(http.MethodPost, "/api/v1/users/ada/invitation", "").text("token") }
	accept := func(token, password string) answer {
		return w.do(http.MethodPost, "/api/v1/sign-in/invitation", jsonOf(t, map[string]string{"token": token, "password": password}), as(""))
	}
	old, token := invite(), invite()
	accept(old, goodPassword).want(t, http.StatusUnauthorized).wantProblem(t, problem.InvitationInvalid)
	accept("spi_"+strings.Repeat("0", 52), goodPassword).want(t, http.StatusUnauthorized)
	accept(token, "too-short").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/password")
	accept(token, goodPassword).want(t, http.StatusNoContent)
	accept(token, goodPassword).want(t, http.StatusUnauthorized)
	expired := invite()
	if _, err := w.connect().Exec(t.Context(), "UPDATE invitations SET expires_at = now()"); err != nil {
		t.Fatal(err)
	}
	accept(expired, goodPassword).want(t, http.StatusUnauthorized)
}

// Whoever has the invitation becomes the user.
func TestNobodyInvitesThemselvesIntoAnothersAccount(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, "/api/v1/users", `{"name":"fresh"}`)
	w.personWithPassword("ada")
	w.person("robot", "viewer", place{})
	w.personWithPassword("boss")
	w.make(http.MethodPost, "/api/v1/role-bindings", `{"user":"boss","role":"owner"}`)
	admin := as(w.bound("admin", place{}, "admin"))
	for user, status := range map[string]int{"fresh": http.StatusCreated, "ada": http.StatusForbidden, "robot": http.StatusForbidden, "boss": http.StatusForbidden} {
		if got := w.do(http.MethodPost, "/api/v1/users/"+user+"/invitation", "", admin); got.status != status {
			t.Errorf("an admin invites %s: %d %s", user, got.status, got.body)
		}
	}
	w.do(http.MethodDelete, "/api/v1/users/ada/second-factor", "", admin).want(t, http.StatusForbidden)
	w.do(http.MethodDelete, "/api/v1/users/boss/sessions", "", admin).want(t, http.StatusForbidden)
	w.do(http.MethodPost, "/api/v1/users/ada/invitation", "").want(t, http.StatusCreated) // by an owner
}

func TestWhoHasARoleSetsASecondFactorUpBeforeAnythingElse(t *testing.T) {
	w := newWorld(t)
	ada := w.personWithPassword("ada")
	w.make(http.MethodPut, "/api/v1/sign-in/settings", `{"second_factor":"required"}`)
	w.do(http.MethodGet, at("routes"), "", ada.page()).want(t, http.StatusForbidden).wantProblem(t, problem.SecondFactorSetupNeeded)
	if me := w.make(http.MethodGet, "/api/v1/me", "", ada.page()); me["second_factor_needed"] != true || len(me.list("permissions")) != 0 {
		t.Errorf("I am %v", me)
	}
	w.withFactor(ada, goodPassword)
	w.do(http.MethodGet, at("routes"), "", ada.page()).want(t, http.StatusOK)
	w.do(http.MethodGet, at("routes"), "").want(t, http.StatusOK) // a service token has none
}

func TestPasswordsCanBeRefusedAltogether(t *testing.T) {
	w := newWorld(t)
	ada := w.personWithPassword("ada")
	w.make(http.MethodPut, "/api/v1/sign-in/settings", `{"password_refused":true}`)
	w.trySignIn("ada", goodPassword, "").want(t, http.StatusForbidden).wantProblem(t, problem.SignInRefused)
	w.do(http.MethodGet, "/api/v1/me", "", ada.page()).want(t, http.StatusUnauthorized)
	if options := w.make(http.MethodGet, "/api/v1/sign-in", "", as("")); options["password"] == true {
		t.Errorf("one can sign in by %v", options)
	}
}

func TestSettingsThatChangedMeanwhileAreNotWrittenOver(t *testing.T) {
	w := newWorld(t)
	tag := w.do(http.MethodGet, "/api/v1/sign-in/settings", "").header.Get("ETag")
	w.do(http.MethodPut, "/api/v1/sign-in/settings", `{"lifetime":"8h"}`, header("If-Match", tag)).want(t, http.StatusOK)
	w.do(http.MethodPut, "/api/v1/sign-in/settings", `{"lifetime":"9h"}`, header("If-Match", tag)).want(t, http.StatusPreconditionFailed)
	for _, body := range []string{`{"lifetime":"1s"}`, `{"idle_timeout":"61500ms"}`, `{"second_factor":"maybe"}`, `{"console_url":"javascript:x"}`, `{"console_url":"https://console.example.com/path"}`} {
		w.do(http.MethodPut, "/api/v1/sign-in/settings", body).want(t, http.StatusBadRequest)
	}
}

func TestEverySignInIsRecordedGoodOrFailed(t *testing.T) {
	w := newWorld(t)
	ada := w.personWithPassword("ada")
	w.trySignIn("ada", "wrong-wrong-wrong", "").want(t, http.StatusUnauthorized)
	w.trySignIn("no-such-person", goodPassword, "").want(t, http.StatusUnauthorized)
	w.do(http.MethodPost, "/api/v1/sign-out", "", ada.page()).want(t, http.StatusNoContent)
	w.stop()
	var told []string
	for _, e := range w.events("/api/v1/audit-events") {
		actor, _ := e["actor"].(map[string]any)
		for _, operation := range []string{"signIn", "signOut", "acceptInvitation", "inviteUser"} {
			if e.text("operation") == operation {
				told = append(told, fmt.Sprint(operation, " ", e.text("outcome"), " ", e.text("code"), " ", actor["name"], " ", e.text("address")))
			}
		}
	}
	all := strings.Join(told, "\n")
	for _, want := range []string{
		"signIn done  ada 192.0.2.1", "signIn denied sign_in_failed ada 192.0.2.1", "signIn denied sign_in_failed <nil> 192.0.2.1", "signOut done  ada 192.0.2.1",
		"acceptInvitation done  ada 192.0.2.1", "inviteUser done  bootstrap 192.0.2.1",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("not recorded: %s; but\n%s", want, all)
		}
	}
	if strings.Contains(w.log.String()+all, "no-such-person") {
		t.Error("what was typed for a name is kept: it may be a password")
	}
}
