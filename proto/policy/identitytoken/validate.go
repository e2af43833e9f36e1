package identitytoken

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy/headers"
	"github.com/sallyport/sallyport/proto/problem"
)

// own are the claims that the gateway says itself.
var own = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "consumer", "scope", "idp", "idp_sub"}

// forConfirmation are claims that bind a token to somebody's key or say on whose behalf they act (RFC 7800, RFC 8693): said again by somebody else they would be untrue.
var forConfirmation = []string{"cnf", "act", "may_act"}

func validate(config *policyv1.IdentityToken) []problem.Violation {
	return slices.Concat(
		problem.Prefix(validateToken(config.GetToken()), "/token"),
		problem.Prefix(validateHeaders(config.GetHeaders()), "/headers"),
	)
}

func validateToken(config *policyv1.SignedIdentity) []problem.Violation {
	if config == nil {
		return nil
	}
	var violations []problem.Violation
	if flaw := flawOfIssuer(config.GetIssuer()); flaw != "" {
		violations = append(violations, problem.Violation{
			Pointer: "/issuer", Code: problem.ViolationInvalidFormat, Given: shorten(config.GetIssuer()), Detail: flaw,
			Allowed: `an http or https URL without query and fragment ("https://gateway.example.com"), or a URN`,
		})
	}
	if flaw := flawOfText(config.GetAudience()); flaw != "" {
		violations = append(violations, problem.Violation{
			Pointer: "/audience", Code: problem.ViolationInvalidFormat, Given: shorten(config.GetAudience()), Detail: flaw,
		})
	}
	if why := Refused(config.GetHeader()); why != "" {
		violations = append(violations, problem.Violation{
			Pointer: "/header", Code: problem.ViolationInvalidValue, Given: shorten(config.GetHeader()), Detail: "can't hold the token: it " + why,
		})
	}
	return append(violations, problem.Prefix(validateClaims(config.GetClaims()), "/claims")...)
}

// flawOfIssuer says why no token can have this issuer; "" when one can, or when there is none, which the field rules refuse.
func flawOfIssuer(text string) string {
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || flawOfText(text) != "":
		return "is no URL"
	case u.Scheme == "urn" && u.Opaque != "":
		return ""
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return "is neither an http or https URL nor a URN"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return "has a user, a query or a fragment"
	}
	return ""
}

// flawOfText finds what is not to be seen: two texts that look alike must not be two.
func flawOfText(text string) string {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }) {
		return "has a space or a character that can't be seen"
	}
	return ""
}

func validateClaims(list []*policyv1.ForwardedClaim) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, c := range list {
		name, at := NameOf(c), problem.Pointer(i, "name")
		if c.GetName() == "" {
			at = problem.Pointer(i, "claim")
		}
		switch j, twice := first[name]; {
		case name == "":
		case twice:
			violations = append(violations, problem.Violation{
				Pointer: at, Code: problem.ViolationNotUnique, Given: shorten(name), Detail: fmt.Sprintf("is said by entry %d already", j),
			})
		case slices.ContainsFunc(own, func(o string) bool { return strings.EqualFold(o, name) }):
			violations = append(violations, problem.Violation{
				Pointer: at, Code: problem.ViolationInvalidValue, Given: shorten(name), Detail: "is a claim that the gateway says itself; give it another name",
			})
		case slices.ContainsFunc(forConfirmation, func(o string) bool { return strings.EqualFold(o, name) }):
			violations = append(violations, problem.Violation{
				Pointer: at, Code: problem.ViolationInvalidValue, Given: shorten(name),
				Detail: "binds a token to a key, or says who acts for whom, which is true of the caller's token alone; give it another name",
			})
		case flawOfText(name) != "":
			violations = append(violations, problem.Violation{
				Pointer: at, Code: problem.ViolationInvalidFormat, Given: shorten(name), Detail: flawOfText(name),
			})
		default:
			first[name] = i
		}
	}
	return violations
}

// NameOf is what a claim is called in the identity token.
func NameOf(c *policyv1.ForwardedClaim) string {
	if c.GetName() != "" {
		return c.GetName()
	}
	return c.GetClaim()
}

func validateHeaders(config *policyv1.IdentityHeaders) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, f := range config.GetFields() {
		name := headers.Fold(f.GetName())
		why := Refused(f.GetName())
		if name == authorization {
			why = "holds credentials, and a plain field is none"
		}
		if why != "" {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("fields", i, "name"), Code: problem.ViolationInvalidValue, Given: shorten(f.GetName()),
				Detail: "can't speak of the caller: it " + why,
			})
			continue
		}
		if j, twice := first[name]; twice && name != "" {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("fields", i, "name"), Code: problem.ViolationNotUnique, Given: shorten(f.GetName()),
				Detail: fmt.Sprintf("is written by entry %d already, or read as what that one writes", j),
			})
			continue
		}
		first[name] = i
	}
	return violations
}

func shorten(text string) string {
	const most = 40
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
