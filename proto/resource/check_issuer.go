package resource

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/jwk"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// maxAuthorities is how long authorities may be; longer ones are told of by their field's rule, and not read.
const maxAuthorities = 65536

// maxInlineKeys is how many keys of an issuer are kept.
const maxInlineKeys = 64

// checkIssuer checks where an issuer's keys come from, and the claims that are asked for. Keys and authorities are never quoted: a private
// key may have been given where none belongs.
func checkIssuer(m *configv1.Issuer) []problem.Violation {
	violations := checkIssuerName(m)
	violations = append(violations, checkIssuerKeys(m)...)
	if text := m.GetAuthorities(); text != "" && len(text) <= maxAuthorities {
		if err := checkAuthorities([]byte(text)); err != nil {
			violations = append(violations, problem.Violation{
				Pointer: "/authorities", Code: problem.ViolationInvalidFormat, Allowed: authoritiesWords, Detail: err.Error(),
			})
		}
	}
	violations = append(violations, checkClaimPaths("/required_claims", m.GetRequiredClaims())...)
	violations = append(violations, checkClaimPaths("/scope_claims", m.GetScopeClaims())...)
	return append(violations, checkConsumerMapping(m.GetConsumer())...)
}

// checkIssuerName checks what tokens say in "iss". Where a discovery document is looked for below it, it is an address.
func checkIssuerName(m *configv1.Issuer) []problem.Violation {
	name := m.GetIssuer()
	if name == "" {
		return nil // told of by its rule
	}
	err := plainText(name)
	if err == nil && m.GetDiscovery() != nil && m.GetDiscovery().GetUrl() == "" {
		err = checkFetched(name)
	}
	if err == nil {
		return nil
	}
	return []problem.Violation{{Pointer: "/issuer", Code: problem.ViolationInvalidFormat, Given: form.Given(name), Detail: err.Error(), Allowed: fetchedWords}}
}

func checkIssuerKeys(m *configv1.Issuer) []problem.Violation {
	switch keys := m.GetKeys().(type) {
	case *configv1.Issuer_Discovery:
		if keys.Discovery.GetUrl() == "" {
			return nil
		}
		return checkFetchedAt("/discovery/url", keys.Discovery.GetUrl())
	case *configv1.Issuer_JwksUrl:
		return checkFetchedAt("/jwks_url", keys.JwksUrl)
	case *configv1.Issuer_Jwks:
		violations := checkInlineKeys(keys.Jwks)
		if m.FetchFrom != nil && m.GetFetchFrom() != configv1.FetchFrom_FETCH_FROM_CONTROL {
			violations = append(violations, problem.Violation{
				Pointer: "/fetch_from", Code: problem.ViolationInvalidValue, Detail: "nobody fetches keys that are given here; leave it out",
			})
		}
		return violations
	default:
		return nil // told of by its rule
	}
}

// checkInlineKeys reads keys that were given. All of them must be of use: whoever gives one means it.
func checkInlineKeys(text string) []problem.Violation {
	const allowed = `a JSON Web Key Set of public keys: {"keys":[{"kty":"EC","crv":"P-256","x":"…","y":"…","kid":"…"}]}`
	refuse := func(detail string) []problem.Violation {
		return []problem.Violation{{Pointer: "/jwks", Code: problem.ViolationInvalidFormat, Detail: detail, Allowed: allowed}}
	}
	keys, unusable, err := jwk.ParseSet([]byte(text))
	switch {
	case err != nil:
		return refuse(err.Error())
	case len(keys)+len(unusable) == 0:
		return refuse("there is no key in it")
	case len(keys) > maxInlineKeys:
		return refuse(fmt.Sprintf("there are %d keys in it, and at most %d are kept", len(keys), maxInlineKeys))
	}
	var violations []problem.Violation
	for _, u := range unusable {
		violations = append(violations, refuse(fmt.Sprintf("key %d (kid %q): %v", u.Index, u.ID, u.Err))...)
	}
	return violations
}

const fetchedWords = `"https://login.example.com", or http on this machine itself: "http://127.0.0.1:8080"`

var (
	errNoURL     = errors.New("it can't be read as a URL")
	errNotHTTPS  = errors.New("it must begin with https://; plain http is for an address of this machine alone (127.0.0.1, [::1])")
	errHostless  = errors.New("it names no host")
	errUser      = errors.New("it must hold no user or password: a URL ends up in logs")
	errFragment  = errors.New("it must hold no fragment (#…): nobody is asked for it")
	errNotPlain  = errors.New("it must be text without control characters, and without spaces around it")
	errEmptyStep = errors.New("a path has a name between any two dots, and at both ends")
)

func checkFetchedAt(pointer, address string) []problem.Violation {
	if err := checkFetched(address); err != nil {
		return []problem.Violation{{Pointer: pointer, Code: problem.ViolationInvalidFormat, Given: form.Given(address), Detail: err.Error(), Allowed: fetchedWords}}
	}
	return nil
}

// checkFetched returns what is wrong with an address that is fetched. Whether it may be reached is known only when it is connected to.
func checkFetched(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errNoURL
	case u.Hostname() == "":
		return errHostless
	case u.Scheme != "https" && (u.Scheme != "http" || !ownHost(u.Hostname())):
		return errNotHTTPS
	case u.User != nil:
		return errUser
	case strings.Contains(address, "#"):
		return errFragment
	}
	return nil
}

// ownHost tells whether a host is an address of the machine itself. No name is trusted to stay there.
func ownHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func checkConsumerMapping(m *configv1.ConsumerMapping) []problem.Violation {
	switch by := m.GetBy().(type) {
	case *configv1.ConsumerMapping_NameClaim:
		return checkClaimPath("/consumer/name_claim", by.NameClaim)
	case *configv1.ConsumerMapping_IdClaim:
		return checkClaimPath("/consumer/id_claim", by.IdClaim)
	case *configv1.ConsumerMapping_Consumer:
		if m.GetOtherwise() != "" {
			return []problem.Violation{{
				Pointer: "/consumer/otherwise", Code: problem.ViolationMutuallyExcluded, Detail: "every bearer is the one consumer already; leave it out",
			}}
		}
	}
	return nil
}

// checkClaimPaths checks a list of names of claims, or paths into them.
func checkClaimPaths(pointer string, paths []string) []problem.Violation {
	var violations []problem.Violation
	for i, path := range paths {
		violations = append(violations, checkClaimPath(pointer+problem.Pointer(i), path)...)
	}
	return violations
}

func checkClaimPath(pointer, path string) []problem.Violation {
	if path == "" {
		return nil // told of by its rule
	}
	err := plainText(path)
	if err == nil && !strings.Contains(path, "://") && strings.Contains("."+path+".", "..") { // a claim may be called like an address, with dots anywhere
		err = errEmptyStep
	}
	if err == nil {
		return nil
	}
	return []problem.Violation{{
		Pointer: pointer, Code: problem.ViolationInvalidFormat, Given: form.Given(path), Detail: err.Error(),
		Allowed: `"client_id", "realm_access.roles", "https://example.com/roles"`,
	}}
}

func plainText(text string) error {
	if !utf8.ValidString(text) || strings.TrimSpace(text) != text || strings.ContainsFunc(text, unicode.IsControl) {
		return errNotPlain
	}
	return nil
}
