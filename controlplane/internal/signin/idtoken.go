package signin

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

const (
	// maxIDToken bounds an ID token, in bytes.
	maxIDToken = 64 << 10
	// clockSkew is how far a provider's clock may be from ours.
	clockSkew = time.Minute
	// maxGroups bounds how many of a person's groups are looked at.
	maxGroups = 4096
)

// algorithms are what ID tokens may be signed with: neither "none" nor what anybody can make who knows the client secret.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// expected is what an ID token must be of.
type expected struct {
	issuer, client, nonce string
	now                   time.Time
}

// verifyIDToken returns the claims of an ID token that holds (OpenID Connect Core section 3.1.3.7). go-oidc checks the signature; what it
// reads of the claims it reads as encoding/json does, which takes "EXP" for "exp" and the last of two: so they are read again, strictly.
func verifyIDToken(ctx context.Context, provider *oidc.Provider, raw string, want expected) (*jsontree.Value, error) {
	if raw == "" || len(raw) > maxIDToken || strings.ContainsFunc(raw, notCompact) {
		return nil, errors.New("there is none, or it isn't in the compact form")
	}
	verifier := provider.VerifierContext(ctx, &oidc.Config{
		ClientID: want.client, SupportedSigningAlgs: algorithms, Now: func() time.Time { return want.now.Add(-clockSkew) },
	})
	if _, err := verifier.Verify(ctx, raw); err != nil {
		return nil, err
	}
	parts := strings.Split(raw, ".")
	payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return nil, errors.New("its payload isn't base64url")
	}
	claims, err := strictObject(payload)
	if err != nil {
		return nil, err
	}
	return claims, want.check(claims)
}

func notCompact(r rune) bool {
	return r != '.' && r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// strictObject reads a JSON object in which no name is there twice.
func strictObject(text []byte) (*jsontree.Value, error) {
	root, violations, err := jsontree.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("it isn't JSON: %w", err)
	case len(violations) > 0:
		return nil, fmt.Errorf("%s %s", violations[0].Pointer, violations[0].Detail)
	case root.Kind != jsontree.Object:
		return nil, errors.New("it isn't an object")
	}
	return &root, nil
}

// check holds claims to whom they must be of.
func (want *expected) check(claims *jsontree.Value) error {
	audience := textsOf(claims.Member("aud"))
	azp := claims.Member("azp")
	expires, hasExpiry := timeOf(claims.Member("exp"))
	issued, hasIssue := timeOf(claims.Member("iat"))
	subject := textOf(claims.Member("sub"))
	switch {
	case textOf(claims.Member("iss")) != want.issuer:
		return errors.New("it is another issuer's")
	case !slices.Contains(audience, want.client):
		return errors.New("it is for another client")
	case len(audience) > 1 && azp == nil, azp != nil && textOf(azp) != want.client:
		return errors.New("it was made for another client (azp)")
	case !hasExpiry || !want.now.Add(-clockSkew).Before(expires):
		return errors.New("it has expired, or doesn't say when")
	case !hasIssue || issued.After(want.now.Add(clockSkew)):
		return errors.New("it is of a time to come, or doesn't say of which")
	case subtle.ConstantTimeCompare([]byte(textOf(claims.Member("nonce"))), []byte(want.nonce)) != 1:
		return errors.New("it is of another sign-in (nonce)")
	case subject == "" || len(subject) > 255:
		return errors.New("it names nobody")
	}
	if before, ok := timeOf(claims.Member("nbf")); ok && before.After(want.now.Add(clockSkew)) {
		return errors.New("it isn't valid yet")
	}
	return nil
}

func textOf(v *jsontree.Value) string {
	if v == nil || v.Kind != jsontree.String {
		return ""
	}
	return v.Text
}

// textsOf returns the texts of a list, or of one text.
func textsOf(v *jsontree.Value) []string {
	switch {
	case v == nil:
		return nil
	case v.Kind == jsontree.String:
		return []string{v.Text}
	case v.Kind != jsontree.Array || len(v.Items) > maxGroups:
		return nil
	}
	var texts []string
	for i := range v.Items {
		if v.Items[i].Kind == jsontree.String {
			texts = append(texts, v.Items[i].Text)
		}
	}
	return texts
}

func timeOf(v *jsontree.Value) (time.Time, bool) {
	if v == nil || v.Kind != jsontree.Number {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseFloat(v.Text, 64)
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// person is whom a provider has sent.
type person struct {
	subject  string
	email    string // verified; "": none is
	nickname string // what they like to be called, for the name of a new user
	fullName string
	groups   []string
	grouped  bool // it says which groups
}

func personOf(claims *jsontree.Value, groupClaim string) *person {
	p := &person{subject: textOf(claims.Member("sub")), nickname: textOf(claims.Member("preferred_username")), fullName: textOf(claims.Member("name"))}
	verified := claims.Member("email_verified")
	isVerified := verified != nil && (verified.Kind == jsontree.Bool && verified.True || textOf(verified) == "true") // some say it as a text
	if email := textOf(claims.Member("email")); isVerified && len(email) <= 254 && strings.Count(email, "@") == 1 {
		p.email = email
	}
	if groupClaim != "" {
		groups := claims.Member(groupClaim)
		p.groups, p.grouped = textsOf(groups), groups != nil
	}
	return p
}

// incomplete tells whether something is missing that the provider decides by, or shows.
func (p *person) incomplete(by *adminv1.SignInProvider) bool {
	return p.email == "" || by.GetGroupClaim() != "" && !p.grouped
}

// add takes what is missing from what else is known of the same person.
func (p *person) add(more *person) {
	if p.email == "" {
		p.email = more.email
	}
	if p.nickname == "" {
		p.nickname = more.nickname
	}
	if p.fullName == "" {
		p.fullName = more.fullName
	}
	if !p.grouped {
		p.groups, p.grouped = more.groups, more.grouped
	}
}

// of tells whether the person's address is in one of the domains, or there are none.
func (p *person) of(domains []string) bool {
	if len(domains) == 0 {
		return true
	}
	_, domain, _ := strings.Cut(p.email, "@")
	return slices.Contains(domains, strings.ToLower(domain))
}
