package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// CallbackPath is where providers send people back to.
	CallbackPath = "/api/v1/sign-in/callback"
	// flowLife is how long somebody may take at a provider.
	flowLife = 10 * time.Minute
	// flowPurpose is what the cookie of who is at a provider is sealed for.
	flowPurpose = "sign-in-flow"
	// MostFetched is the size of an answer of a provider, in bytes.
	MostFetched = 1 << 20
	// describedFor is how long it holds what a provider says of itself; failedFor, how long that it can't be asked.
	describedFor = 15 * time.Minute
	failedFor    = 10 * time.Second
	// describedMost bounds how many providers' descriptions are held.
	describedMost = 64
	// providerTimeout bounds all that is asked of a provider for one sign-in.
	providerTimeout = 20 * time.Second
)

// FederationStore keeps what sign-in at providers needs. Errors are *problem.Error.
type FederationStore interface {
	// FindProvider returns the provider of an id or name; problem.NotFound when there is none.
	FindProvider(ctx context.Context, key string) (*adminv1.SignInProvider, error)
	// ProviderSecret returns the sealed client secret of a provider; nil when it has none.
	ProviderSecret(ctx context.Context, provider string) ([]byte, error)
	// SelectProviders returns providers in the order of their names.
	SelectProviders(ctx context.Context, s access.Selection) ([]*adminv1.SignInProvider, error)
	// TakeReturn takes the return of a sign-in, by its state; false when it was taken already.
	TakeReturn(ctx context.Context, state [sha256.Size]byte, expires time.Time) (bool, error)
	// Enter runs f in a transaction that records the operation under way.
	Enter(ctx context.Context, provider string, f func(EntranceTx) error) error
}

// FederationConfig is what a Federation needs; all of it is required.
type FederationConfig struct {
	Store    FederationStore
	Settings SettingsStore
	Sealer   Sealer
	HTTP     *http.Client       // guarded, and bounded by MostFetched
	CheckURL func(string) error // what is wrong with an address of a provider
	Logger   *slog.Logger
	Now      func() time.Time
}

// Federation is sign-in at OpenID providers. It is safe for concurrent use.
type Federation struct {
	FederationConfig

	throttle *Throttle
	asking   singleflight.Group

	mu        sync.Mutex
	described *lru.LRU[string, description]
}

// NewFederation returns sign-in at a store's providers.
func NewFederation(config FederationConfig) *Federation {
	described, err := lru.NewLRU[string, description](describedMost, nil)
	if err != nil {
		panic(err) // only a size below 1 does that
	}
	return &Federation{FederationConfig: config, throttle: NewThrottle(), described: described}
}

// description is what a provider says of itself.
type description struct {
	provider *oidc.Provider
	failed   error
	until    time.Time

	AuthMethods  []string `json:"token_endpoint_auth_methods_supported"`
	NamesItself  bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
	Authorize    string   `json:"authorization_endpoint"`
	UserInfoFrom string   `json:"userinfo_endpoint"`
}

// Options returns the ways in which somebody can sign in.
func (f *Federation) Options(ctx context.Context) (*adminv1.SignInOptions, error) {
	settings, err := f.Settings.SignInSettings(ctx)
	if err != nil {
		return nil, err
	}
	found, err := f.Store.SelectProviders(ctx, access.Selection{Limit: describedMost})
	if err != nil {
		return nil, err
	}
	options := &adminv1.SignInOptions{Password: !settings.GetPasswordRefused()}
	for _, p := range found {
		if !p.GetDisabled() {
			options.Providers = append(options.Providers, &adminv1.SignInOption{Name: p.GetName(), Title: titleOf(p)})
		}
	}
	return options, nil
}

func titleOf(p *adminv1.SignInProvider) string {
	if p.GetTitle() != "" {
		return p.GetTitle()
	}
	return p.GetName()
}

// flow is what a browser keeps, sealed, while its person is at a provider.
type flow struct {
	Provider string    `json:"provider"`
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Redirect string    `json:"redirect"`
	Return   string    `json:"return"`
	Expires  time.Time `json:"expires"`
}

// Departure sends somebody to a provider.
type Departure struct {
	Location string        // where to
	Cookie   string        // what the browser must bring back
	Lasts    time.Duration // how long that is good
}

// Begin sends somebody to a provider, by name. origin is where the console is for them ("https://console.example.com"), unless the settings
// say it; back is the path to return to in the end.
func (f *Federation) Begin(ctx context.Context, name, origin, back string) (*Departure, error) {
	p, err := f.Store.FindProvider(ctx, name)
	if err == nil && p.GetDisabled() {
		err = problem.Errorf(problem.NotFound, "there is no sign-in provider %q", name)
	}
	if err != nil {
		return nil, err
	}
	settings, err := f.Settings.SignInSettings(ctx)
	if err != nil {
		return nil, err
	}
	if settings.GetConsoleUrl() != "" {
		origin = settings.GetConsoleUrl()
	}
	d, err := f.describe(ctx, p)
	if err != nil {
		return nil, err
	}
	begun := flow{
		Provider: p.GetId(), State: rand.Text() + rand.Text(), Nonce: rand.Text() + rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Redirect: origin + CallbackPath, Return: localPath(back), Expires: f.Now().Add(flowLife),
	}
	text, err := json.Marshal(begun)
	if err != nil {
		return nil, err
	}
	sealed, err := f.Sealer.Seal(flowPurpose, text)
	if err != nil {
		return nil, err
	}
	client := oauthClient(p, &d, begun.Redirect, "")
	return &Departure{
		Location: client.AuthCodeURL(begun.State, oidc.Nonce(begun.Nonce), oauth2.S256ChallengeOption(begun.Verifier)),
		Cookie:   base64.RawURLEncoding.EncodeToString(sealed), Lasts: flowLife,
	}, nil
}

// localPath returns a path of the console to return to; "/" for what could lead elsewhere.
func localPath(path string) string {
	u, err := url.Parse(path)
	plain := err == nil && u.Scheme == "" && u.Host == "" && u.Opaque == "" && strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//")
	if !plain || len(path) > 512 || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == '\\' || r > '~' }) || strings.HasPrefix(path, "/api/") {
		return "/"
	}
	return path
}

func oauthClient(p *adminv1.SignInProvider, d *description, redirect, secret string) *oauth2.Config {
	endpoint := d.provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams // also of a client without a secret, who names itself alone
	if secret != "" && (len(d.AuthMethods) == 0 || slices.Contains(d.AuthMethods, "client_secret_basic")) {
		endpoint.AuthStyle = oauth2.AuthStyleInHeader // the method where none is said, and the one that RFC 6749 prefers
	}
	scopes := p.GetScopes()
	if len(scopes) == 0 {
		scopes = []string{"profile", "email"}
	}
	if !slices.Contains(scopes, oidc.ScopeOpenID) {
		scopes = append([]string{oidc.ScopeOpenID}, scopes...)
	}
	return &oauth2.Config{ClientID: p.GetClientId(), ClientSecret: secret, Endpoint: endpoint, RedirectURL: redirect, Scopes: scopes}
}

// describe returns what a provider says of itself, asked for once by all who want to know.
func (f *Federation) describe(ctx context.Context, p *adminv1.SignInProvider) (description, error) {
	key := p.GetId() + " " + p.GetIssuer()
	f.mu.Lock()
	held, ok := f.described.Get(key)
	f.mu.Unlock()
	if !ok || !f.Now().Before(held.until) {
		found, _, _ := f.asking.Do(key, func() (any, error) { return f.ask(context.WithoutCancel(ctx), p, key), nil })
		held, _ = found.(description)
	}
	if held.failed != nil {
		return held, problem.Wrap(held.failed, problem.SignInRefused, "the provider can't be asked how to sign in there; try again")
	}
	return held, nil
}

func (f *Federation) ask(ctx context.Context, p *adminv1.SignInProvider, key string) description {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, f.HTTP), providerTimeout)
	defer cancel()
	var d description
	d.provider, d.failed = oidc.NewProvider(ctx, p.GetIssuer())
	if d.failed == nil {
		d.failed = d.provider.Claims(&d)
	}
	if d.failed == nil {
		d.failed = f.CheckURL(d.Authorize)
	}
	d.until = f.Now().Add(describedFor)
	if d.failed != nil {
		d.until = f.Now().Add(failedFor)
		f.Logger.WarnContext(ctx, "a sign-in provider can't be asked", "provider", p.GetName(), "error", d.failed)
	}
	f.mu.Lock()
	f.described.Add(key, d)
	f.mu.Unlock()
	return d
}

// Arrival is somebody who came back from a provider.
type Arrival struct {
	Admission

	Return string // path to go on to
}

// Finish lets in who comes back from a provider, with what their browser kept and what the provider sent along. A return is taken once. The
// error says why nobody is let in; that of a provider is in the log alone.
func (f *Federation) Finish(ctx context.Context, cookie string, sent url.Values, from From) (*Arrival, error) {
	passed, wait := f.throttle.Try(from.Address, "")
	if wait > 0 {
		return nil, &TooSoonError{wait}
	}
	ctx, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	begun, err := f.open(cookie, sent)
	if err != nil {
		return nil, err
	}
	taken, err := f.Store.TakeReturn(ctx, sha256.Sum256([]byte(begun.State)), begun.Expires)
	if err != nil {
		return nil, err
	}
	if !taken {
		return nil, failed(&Account{}, problem.SignInRefused, "this sign-in has come back already; begin anew")
	}
	p, err := f.Store.FindProvider(ctx, begun.Provider)
	if problem.CodeOf(err) == problem.NotFound || err == nil && p.GetDisabled() {
		return nil, failed(&Account{}, problem.SignInRefused, "the sign-in provider is gone or disabled")
	}
	if err != nil {
		return nil, err
	}
	person, err := f.identify(ctx, p, begun, sent)
	if err != nil {
		f.Logger.WarnContext(ctx, "a sign-in at a provider failed", "provider", p.GetName(), "error", err)
		return nil, failedBecause(err)
	}
	admission, err := f.enter(ctx, p.GetId(), person, from)
	if err != nil {
		return nil, err
	}
	passed()
	return &Arrival{Admission: *admission, Return: begun.Return}, nil
}

// failedBecause shows of an error what may be shown.
func failedBecause(err error) error {
	var known *problem.Error
	if errors.As(err, &known) {
		return &FailedError{reason: known}
	}
	return &FailedError{reason: problem.Wrap(err, problem.SignInRefused, "the provider's answer doesn't hold; the server's log tells why")}
}

// open returns the sign-in that a browser began, if what comes back is of it.
func (f *Federation) open(cookie string, sent url.Values) (*flow, error) {
	stranger := failed(&Account{}, problem.SignInRefused, "this browser has begun no such sign-in, or took longer than 10 minutes; begin anew")
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	if err != nil {
		return nil, stranger
	}
	text, err := f.Sealer.Open(flowPurpose, sealed)
	if err != nil {
		return nil, stranger
	}
	var begun flow
	if err := json.Unmarshal(text, &begun); err != nil {
		return nil, stranger
	}
	states := sent["state"]
	if len(states) != 1 || subtle.ConstantTimeCompare([]byte(states[0]), []byte(begun.State)) != 1 || !f.Now().Before(begun.Expires) {
		return nil, stranger
	}
	return &begun, nil
}

// identify asks the provider whom it has sent.
func (f *Federation) identify(ctx context.Context, p *adminv1.SignInProvider, begun *flow, sent url.Values) (*person, error) {
	if sent.Has("error") {
		return nil, problem.Wrap(fmt.Errorf("it says %.64q: %.256q", sent.Get("error"), sent.Get("error_description")), problem.SignInRefused, "the provider let nobody in")
	}
	d, err := f.describe(ctx, p)
	if err != nil {
		return nil, err
	}
	if named := sent["iss"]; len(named) > 1 || len(named) == 1 && named[0] != p.GetIssuer() || len(named) == 0 && d.NamesItself {
		return nil, errors.New("the answer is another issuer's (RFC 9207)")
	}
	code := sent["code"]
	if len(code) != 1 || code[0] == "" {
		return nil, errors.New("it sent no code, or several")
	}
	secret, err := f.secret(ctx, p)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, f.HTTP)
	client := oauthClient(p, &d, begun.Redirect, secret)
	token, err := client.Exchange(ctx, code[0], oauth2.VerifierOption(begun.Verifier))
	if err != nil {
		return nil, fmt.Errorf("exchange the code: %w", withoutBody(err))
	}
	raw, _ := token.Extra("id_token").(string)
	claims, err := verifyIDToken(ctx, d.provider, raw, expected{issuer: p.GetIssuer(), client: p.GetClientId(), nonce: begun.Nonce, now: f.Now()})
	if err != nil {
		return nil, fmt.Errorf("verify the ID token: %w", err)
	}
	who := personOf(claims, p.GetGroupClaim())
	if d.UserInfoFrom != "" && who.incomplete(p) {
		return f.complete(ctx, d.provider, p, token, who)
	}
	return who, nil
}

// withoutBody leaves out of an error what the provider answered with: it may repeat what it was sent.
func withoutBody(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return fmt.Errorf("it answers %.64q", refused.ErrorCode)
	}
	return err
}

func (f *Federation) secret(ctx context.Context, p *adminv1.SignInProvider) (string, error) {
	sealed, err := f.Store.ProviderSecret(ctx, p.GetId())
	if err != nil || sealed == nil {
		return "", err
	}
	plain, err := f.Sealer.Open(ProviderSealedFor(p.GetId()), sealed)
	if err != nil {
		return "", fmt.Errorf("open the client secret of %s: %w", p.GetName(), err)
	}
	return string(plain), nil
}

// complete asks the provider for what its ID token leaves out (OpenID Connect Core section 5.3), of the same person.
func (f *Federation) complete(ctx context.Context, asked *oidc.Provider, p *adminv1.SignInProvider, token *oauth2.Token, who *person) (*person, error) {
	info, err := asked.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, fmt.Errorf("ask who it is: %w", err)
	}
	if info.Subject != who.subject {
		return nil, errors.New("the user info is another person's than the ID token")
	}
	var raw json.RawMessage
	if err := info.Claims(&raw); err != nil {
		return nil, fmt.Errorf("read who it is: %w", err)
	}
	claims, err := strictObject(raw)
	if err != nil {
		return nil, fmt.Errorf("read who it is: %w", err)
	}
	who.add(personOf(claims, p.GetGroupClaim()))
	return who, nil
}
