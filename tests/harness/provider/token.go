package provider

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Token returns an access token that a client gets for itself, by its own credentials.
func (p *Provider) Token(t *testing.T, client Client, resource, scope string) string {
	t.Helper()
	return p.exchange(t, client, url.Values{"grant_type": {"client_credentials"}, "resource": {resource}, "scope": {scope}})
}

// TokenOf returns an access token that a person gets for an app of theirs: they sign in, the app is sent the code, and redeems it with
// its verifier (RFC 7636).
func (p *Provider) TokenOf(t *testing.T, account string, app Client, resource, scope string) string {
	t.Helper()
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	back := p.SignIn(t, account, Browser(t), p.Issuer+"/auth?"+url.Values{
		"client_id": {app.ID}, "redirect_uri": app.Redirects[:1], "response_type": {"code"}, "scope": {"openid " + scope}, "resource": {resource},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}, "state": {rand.Text()},
	}.Encode())
	return p.exchange(t, app, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": app.Redirects[:1], "code_verifier": {verifier}, "resource": {resource},
	})
}

// errBack ends a chain of redirects where it leaves the provider.
var errBack = errors.New("back at the client")

// Browser returns a client that keeps cookies.
func Browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: bound}
}

var action = regexp.MustCompile(`action="([^"]+)"`)

// SignIn follows an authorization request as a person's browser does, signs them in, and returns the address that the provider sends them
// back to. Nobody has asked that one yet.
func (p *Provider) SignIn(t *testing.T, account string, browser *http.Client, authorization string) *url.URL {
	t.Helper()
	var back *url.URL
	own := *browser
	own.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(next.URL.String(), p.Issuer+"/") {
			back = next.URL
			return errBack
		}
		return nil
	}
	send := func(method, address string, form url.Values) string {
		request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := own.Do(request)
		switch {
		case errors.Is(err, errBack):
			return ""
		case err != nil:
			t.Fatalf("sign in at the OpenID provider: %v", err)
		}
		defer answer.Body.Close()
		page, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(page)
	}
	page := send(http.MethodGet, authorization, nil)
	if back != nil { // still signed in
		return back
	}
	found := action.FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("the OpenID provider shows no form to sign in: %.500s", page)
	}
	send(http.MethodPost, found[1], url.Values{"prompt": {"login"}, "login": {account}, "password": {"any"}})
	if back == nil {
		t.Fatal("the OpenID provider sends nobody back")
	}
	return back
}

// exchange asks the token endpoint.
func (p *Provider) exchange(t *testing.T, client Client, form url.Values) string {
	t.Helper()
	if client.Secret == "" {
		form.Set("client_id", client.ID)
	}
	token, err := p.redeem(t.Context(), client, form)
	if err != nil {
		t.Fatalf("get a token of the OpenID provider: %v", err)
	}
	return token
}

func (p *Provider) redeem(ctx context.Context, client Client, form url.Values) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if client.Secret != "" {
		request.SetBasicAuth(url.QueryEscape(client.ID), url.QueryEscape(client.Secret))
	}
	answer, err := (&http.Client{Timeout: bound}).Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var said struct {
		Token string `json:"access_token"`
		Error string `json:"error"`
		Why   string `json:"error_description"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		return "", fmt.Errorf("%s: %w", answer.Status, err)
	}
	if said.Token == "" {
		return "", fmt.Errorf("%s: %s: %s", answer.Status, said.Error, said.Why)
	}
	return said.Token, nil
}
