package provider

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// bound is how long the provider may take for anything, on a machine that does much else.
const bound = time.Minute

// Config says whom the provider knows.
type Config struct {
	Clients   []Client            `json:"clients"`
	Accounts  map[string]Account  `json:"accounts"`  // by the name to sign in with; any password is good
	Resources map[string]Resource `json:"resources"` // by the audience of their access tokens
}

// Client is one of OAuth 2.
type Client struct {
	ID        string   `json:"client_id"`
	Secret    string   `json:"client_secret,omitempty"`
	Auth      string   `json:"token_endpoint_auth_method,omitempty"` // "none": a public one
	Grants    []string `json:"grant_types"`
	Redirects []string `json:"redirect_uris"`
	Responses []string `json:"response_types"`
}

// Robot returns a client that gets tokens for itself.
func Robot(id, secret string) Client {
	return Client{ID: id, Secret: secret, Grants: []string{"client_credentials"}, Redirects: []string{}, Responses: []string{}}
}

// App returns a public client that people sign in by, with PKCE.
func App(id, redirect string) Client {
	return Client{ID: id, Auth: "none", Grants: []string{"authorization_code"}, Redirects: []string{redirect}, Responses: []string{"code"}}
}

// Site returns a confidential client that people sign in by.
func Site(id, secret, redirect string) Client {
	return Client{ID: id, Secret: secret, Grants: []string{"authorization_code"}, Redirects: []string{redirect}, Responses: []string{"code"}}
}

// Account is a person.
type Account struct {
	Name     string         `json:"name,omitempty"`
	Email    string         `json:"email,omitempty"`
	Verified bool           `json:"email_verified"`
	Groups   []string       `json:"groups,omitempty"`
	Access   map[string]any `json:"access,omitempty"` // more claims of their access tokens
}

// Resource is an API that access tokens (RFC 9068) are for.
type Resource struct {
	Scope     string `json:"scope"`
	Algorithm string `json:"algorithm"` // RS256, ES256 or EdDSA
	Seconds   int    `json:"seconds"`   // that tokens live
}

// Provider is one that runs. Its methods fail the test when the provider doesn't do as told.
type Provider struct {
	// Issuer is what its tokens say that they come from, and its address.
	Issuer string
	cfg    Config

	mu       sync.Mutex
	commands io.Writer
	answers  *bufio.Scanner
}

// Start runs a provider until the test ends.
func Start(t *testing.T, cfg Config) *Provider {
	t.Helper()
	_, self, _, _ := runtime.Caller(0)
	dir := filepath.Dir(self)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider")); err != nil {
		t.Fatalf("the OpenID provider isn't installed: run \"make provider\" (%v)", err)
	}
	settings, err := json.Marshal(struct {
		Config

		Port int `json:"port"`
	}{cfg, freePort(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	process := exec.CommandContext(ctx, "node", "provider.mjs")
	process.Dir = dir
	process.Env = append(os.Environ(), "PROVIDER="+string(settings), "NODE_NO_WARNINGS=1")
	in, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatalf("start the OpenID provider: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		_ = process.Wait() // it was killed
	})
	p := &Provider{cfg: cfg, commands: in, answers: bufio.NewScanner(out)}
	var ready struct{ Ready string }
	p.hear(t, &ready)
	p.Issuer = ready.Ready
	return p
}

// The provider listens below the ports that the system gives away, so that nobody has its own while it is down.
const (
	lowestPort = 10_000
	portRange  = 20_000
)

func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := lowestPort + rand.N(portRange) // #nosec G404 -- no secret
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// Rotate has the provider sign with new keys from now on, and returns the ids of all that it shows: those before too, if keep says so.
func (p *Provider) Rotate(t *testing.T, keep bool) []string {
	t.Helper()
	var shown struct{ Keys []string }
	p.command(t, map[string]any{"command": "rotate", "keep": keep}, &shown)
	return shown.Keys
}

// Retire has the provider take back all keys but those that it signs with.
func (p *Provider) Retire(t *testing.T) {
	t.Helper()
	p.command(t, map[string]any{"command": "retire"}, &struct{}{})
}

// Asked is how often something was fetched.
type Asked struct {
	JWKS      int `json:"jwks"`
	Discovery int `json:"discovery"`
}

// Asked returns how often the provider was asked for its keys so far.
func (p *Provider) Asked(t *testing.T) Asked {
	t.Helper()
	var asked Asked
	p.command(t, map[string]any{"command": "asked"}, &asked)
	return asked
}

// Down closes the provider's port, and all connections to it; Up opens it again.
func (p *Provider) Down(t *testing.T) {
	t.Helper()
	p.command(t, map[string]any{"command": "down"}, &struct{}{})
}

// Up undoes Down.
func (p *Provider) Up(t *testing.T) {
	t.Helper()
	p.command(t, map[string]any{"command": "up"}, &struct{}{})
}

func (p *Provider) command(t *testing.T, command map[string]any, answer any) {
	t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintf(p.commands, "%s\n", line); err != nil {
		t.Fatalf("tell the OpenID provider: %v", err)
	}
	p.hear(t, answer)
}

// hear reads the next line that the provider says. A provider that has died says none, and why on its standard error.
func (p *Provider) hear(t *testing.T, answer any) {
	t.Helper()
	if !p.answers.Scan() {
		t.Fatalf("the OpenID provider has ended: %v", p.answers.Err())
	}
	if err := json.Unmarshal(p.answers.Bytes(), answer); err != nil {
		t.Fatalf("the OpenID provider says %q: %v", p.answers.Bytes(), err)
	}
}
