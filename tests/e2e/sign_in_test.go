package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness/provider"
)

// visitor is a browser at the console, which keeps cookies and says that its own pages ask.
type visitor struct {
	*http.Client

	t *testing.T
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	browser := provider.Browser(t)
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &visitor{browser, t}
}

// ask sends a request of one of the console's pages, and returns the status, where one is sent on to, and the answer.
func (v *visitor) ask(method, path, body string) (status int, location string, answer map[string]any) {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), method, product.URL()+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	request.Header.Set("Sallyport-Session", "1")
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := v.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			v.t.Fatalf("%s %s answers %s", method, path, text)
		}
	}
	return response.StatusCode, response.Header.Get("Location"), answer
}

// The whole way, with a real provider: there, back, in, with what the groups give, and out.
func TestAnOperatorSignsInAtAProvider(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	const secret = "its secret: :&%"
	people := provider.Start(t, provider.Config{
		Clients: []provider.Client{provider.Site("console", secret, product.URL()+"/api/v1/sign-in/callback")},
		Accounts: map[string]provider.Account{
			"ada": {Name: "Ada Lovelace", Email: "ada@sso.test", Verified: true, Groups: []string{"auditors"}},
			"eve": {Email: "eve@elsewhere.test", Verified: true, Groups: []string{"auditors"}},
		},
		Resources: map[string]provider.Resource{},
	})
	name := s.Name("corporate")
	made, err := s.API.CreateSignInProviderWithResponse(t.Context(), sallyport.SignInProvider{
		Name: name, Issuer: people.Issuer, ClientID: "console", ClientSecret: secret, GroupClaim: "groups", CreateUsers: true, Domains: []string{"sso.test"},
		Groups: []sallyport.GroupRole{{Group: "auditors", Role: "auditor", Environment: s.Environment.Name}},
	})
	s.Must(made, err)
	come := func(account string) (*visitor, string) {
		v := newVisitor(t)
		status, to, _ := v.ask(http.MethodGet, "/api/v1/sign-in/providers/"+name+"?return=/environments/"+s.Environment.Name+"/routes", "")
		if status != http.StatusSeeOther {
			t.Fatalf("sent nowhere: %d", status)
		}
		back := people.SignIn(t, account, v.Client, to)
		_, landed, _ := v.ask(http.MethodGet, back.RequestURI(), "")
		return v, landed
	}

	ada, landed := come("ada")
	if landed != "/environments/"+s.Environment.Name+"/routes" {
		t.Fatalf("ada lands at %q", landed)
	}
	_, _, me := ada.ask(http.MethodGet, "/api/v1/me", "")
	if me["name"] != "ada" || me["session"] == nil {
		t.Errorf("ada is %v", me)
	}
	if status, _, _ := ada.ask(http.MethodGet, "/api/v1/environments/"+s.Environment.Name+"/routes", ""); status != http.StatusOK {
		t.Errorf("an auditor reads the routes: %d", status)
	}
	if status, _, _ := ada.ask(http.MethodPost, "/api/v1/environments/"+s.Environment.Name+"/consumers", `{"name":"x"}`); status != http.StatusForbidden {
		t.Errorf("an auditor writes: %d", status)
	}
	if status, _, _ := ada.ask(http.MethodPost, "/api/v1/sign-out", ""); status != http.StatusNoContent {
		t.Errorf("ada signs out: %d", status)
	}
	if status, _, _ := ada.ask(http.MethodGet, "/api/v1/me", ""); status != http.StatusUnauthorized {
		t.Errorf("ada is in after all: %d", status)
	}
	if bindings, err := s.API.ListRoleBindingsWithResponse(t.Context(), &sallyport.ListRoleBindingsParams{Filter: &sallyport.Filter{"user": "ada"}}); err != nil || len(bindings.JSON200.Data) != 1 {
		t.Errorf("ada has the roles %v: %v", bindings, err)
	}
	if eve, landed := come("eve"); landed != "/?sign-in-problem=sign_in_refused" {
		_, _, me := eve.ask(http.MethodGet, "/api/v1/me", "")
		t.Errorf("eve lands at %q as %v", landed, me)
	}
}

// The first owner needs no token: an invitation that is made at the control plane's machine.
func TestTheFirstOwnerSetsAPasswordByACommandsInvitation(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	name, password := s.Name("owner"), "correct horse battery staple"
	path, err := product.Control(t.Context(), "user", "invite", "-name", name, "-role", "owner")
	if err != nil {
		t.Fatal(err)
	}
	_, token, found := strings.Cut(strings.TrimSpace(path), "/invitation#")
	if !found {
		t.Fatalf("printed %q", path)
	}
	v := newVisitor(t)
	accept := func() int {
		body, err := json.Marshal(map[string]string{"token": token, "password": password})
		if err != nil {
			t.Fatal(err)
		}
		status, _, _ := v.ask(http.MethodPost, "/api/v1/sign-in/invitation", string(body))
		return status
	}
	if status := accept(); status != http.StatusNoContent {
		t.Fatalf("set the password: %d", status)
	}
	if status := accept(); status != http.StatusUnauthorized {
		t.Errorf("set it once more: %d", status)
	}
	if status, _, _ := v.ask(http.MethodPost, "/api/v1/sign-in", `{"user":"`+name+`","password":"not that one at all"}`); status != http.StatusUnauthorized {
		t.Errorf("sign in with another password: %d", status)
	}
	if status, _, _ := v.ask(http.MethodPost, "/api/v1/sign-in", `{"user":"`+name+`","password":"`+password+`"}`); status != http.StatusOK {
		t.Fatalf("sign in: %d", status)
	}
	role := url.PathEscape(s.Name("made"))
	if status, _, answer := v.ask(http.MethodPut, "/api/v1/roles/"+role, `{"permissions":["usage.read"]}`); status != http.StatusCreated {
		t.Errorf("an owner makes a role: %d %v", status, answer)
	}
}
