package controlplane_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/sallyport/sallyport/controlplane"
)

const ownersPassword = "correct horse battery staple"

// page is one of the console's, in a browser.
type page struct {
	t      *testing.T
	client *http.Client
	base   string
}

func newPage(t *testing.T, at controlplane.Addresses) *page {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &page{t, &http.Client{Jar: jar, Timeout: time.Minute}, "http://" + at.Admin + "/api/v1/"}
}

func (p *page) post(path string, body any) (int, map[string]any) {
	p.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.base+path, strings.NewReader(string(text)))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Sallyport-Session", "1")
	answer, err := p.client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var object map[string]any
	if len(said) > 0 {
		if err := json.Unmarshal(said, &object); err != nil {
			p.t.Fatalf("%s: %s", path, said)
		}
	}
	return answer.StatusCode, object
}

// invite lets the owner set a password by a command's invitation.
func invite(t *testing.T, cfg controlplane.Config, p *page) {
	t.Helper()
	commands, err := controlplane.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer commands.Close()
	path, err := commands.InviteUser(t.Context(), "ada", "owner", false)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(path, "#")
	if status, said := p.post("sign-in/invitation", map[string]string{"token": token, "password": ownersPassword}); status != http.StatusNoContent {
		t.Fatalf("%d %v", status, said)
	}
}

// enrolled signs the owner in and sets a second factor up, whose secret it returns.
func enrolled(t *testing.T, p *page) string {
	t.Helper()
	if status, said := p.post("sign-in", map[string]string{"user": "ada", "password": ownersPassword}); status != http.StatusOK {
		t.Fatalf("%d %v", status, said)
	}
	_, said := p.post("me/second-factor", map[string]string{"password": ownersPassword})
	secret, _ := said["secret"].(string)
	code, err := totp.GenerateCode(secret, time.Now().Add(-30*time.Second)) // the next ones are for later
	if err != nil {
		t.Fatal(err)
	}
	if status, said := p.post("me/second-factor/confirm", map[string]string{"code": code}); status != http.StatusOK {
		t.Fatalf("%d %v", status, said)
	}
	return secret
}

func signInWith(t *testing.T, p *page, secret string) int {
	t.Helper()
	code, err := totp.GenerateCode(secret, time.Now().Add(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	status, _ := p.post("sign-in", map[string]string{"user": "ada", "password": ownersPassword, "code": code})
	return status
}

func TestASecondFactorIsGoodUnderAnotherRootKey(t *testing.T) {
	cfg := configOf(t)
	at, stop := start(t, cfg)
	invite(t, cfg, newPage(t, at))
	secret := enrolled(t, newPage(t, at))
	stop()
	next := cfg
	next.RootKey = strings.Repeat("e1", 32)
	eventually(t, func() error { // until the database has noticed that the replica is gone
		commands, err := controlplane.Open(t.Context(), cfg)
		if err != nil {
			return err
		}
		defer commands.Close()
		_, err = commands.RotateRoot(t.Context(), next.RootKey, "")
		return err
	})
	at, _ = start(t, next)
	if status := signInWith(t, newPage(t, at), secret); status != http.StatusOK {
		t.Errorf("sign in: %d", status)
	}
}

// Where the second factor can't be checked any more the password isn't taken alone.
func TestWithoutTheRootKeyNobodyIsLetInByAPasswordThatHadASecondFactor(t *testing.T) {
	cfg := configOf(t)
	at, stop := start(t, cfg)
	invite(t, cfg, newPage(t, at))
	before := newPage(t, at)
	enrolled(t, before)
	stop()
	next := cfg
	next.RootKey = strings.Repeat("e1", 32)
	eventually(t, func() error {
		_, err := controlplane.ReplaceLostRoot(t.Context(), next)
		return err
	})
	at, _ = start(t, next)
	p := newPage(t, at)
	if status, said := p.post("sign-in", map[string]string{"user": "ada", "password": ownersPassword}); status != http.StatusUnauthorized || said["code"] != "sign_in_failed" {
		t.Errorf("by the password alone: %d %v", status, said)
	}
	before.base = p.base
	if status, _ := before.post("sign-out", nil); status != http.StatusUnauthorized {
		t.Errorf("a session from before: %d", status)
	}
	invite(t, next, p)
	if status, said := p.post("sign-in", map[string]string{"user": "ada", "password": ownersPassword}); status != http.StatusOK {
		t.Errorf("after another invitation: %d %v", status, said)
	}
}
