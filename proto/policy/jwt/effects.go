package jwt

import (
	"fmt"
	"slices"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// Codes of what a change means, in pairs of opposites.
const (
	issuerTrusted   = "issuer_trusted"
	issuerDistrust  = "issuer_not_trusted"
	scopeRequired   = "scope_required"
	scopeDropped    = "scope_not_required"
	audienceTaken   = "audience_taken"
	audienceDropped = "audience_not_taken"
	tokenForwarded  = "token_forwarded"
	tokenHeld       = "token_not_forwarded"
)

// effects says whose tokens are taken, what of them is needed, and whether services get them.
func effects(before, after *policyv1.Jwt) []policy.Effect {
	var all []policy.Effect
	difference(before.GetIssuers(), after.GetIssuers(), func(issuer string, comes bool) {
		if comes {
			all = append(all, policy.Effect{Code: issuerTrusted, Opposite: issuerDistrust, Severity: policy.Danger, Text: fmt.Sprintf("tokens of the issuer %s are taken", issuer)})
		} else {
			all = append(all, policy.Effect{Code: issuerDistrust, Opposite: issuerTrusted, Severity: policy.Attention, Text: fmt.Sprintf("tokens of the issuer %s are no longer taken", issuer)})
		}
	})
	difference(before.GetRequiredScopes(), after.GetRequiredScopes(), func(scope string, comes bool) {
		if comes {
			all = append(all, policy.Effect{Code: scopeRequired, Opposite: scopeDropped, Severity: policy.Attention, Text: fmt.Sprintf("requests need the scope %q", scope)})
		} else {
			all = append(all, policy.Effect{Code: scopeDropped, Opposite: scopeRequired, Severity: policy.Danger, Text: fmt.Sprintf("requests no longer need the scope %q", scope)})
		}
	})
	all = append(all, audiences(before, after)...)
	switch was, is := before.GetForwardToken(), after.GetForwardToken(); {
	case is && !was:
		all = append(all, policy.Effect{Code: tokenForwarded, Opposite: tokenHeld, Severity: policy.Danger, Text: "services get the tokens of their callers"})
	case was && !is:
		all = append(all, policy.Effect{Code: tokenHeld, Opposite: tokenForwarded, Severity: policy.Attention, Text: "services no longer get the tokens of their callers"})
	}
	return all
}

// audiences says what an audience that comes or goes means: no audience at all is each that the issuers' tokens may have.
func audiences(before, after *policyv1.Jwt) []policy.Effect {
	was, is := before.GetAudiences(), after.GetAudiences()
	switch {
	case len(was) > 0 && len(is) == 0 && after != nil:
		return []policy.Effect{{Code: audienceTaken, Opposite: audienceDropped, Severity: policy.Danger, Text: "tokens for any audience of their issuer are taken"}}
	case len(was) == 0 && len(is) > 0 && before != nil:
		return []policy.Effect{{Code: audienceDropped, Opposite: audienceTaken, Severity: policy.Attention, Text: fmt.Sprintf("only tokens for %s are taken", list(is))}}
	case before == nil || after == nil:
		return nil
	}
	var all []policy.Effect
	difference(was, is, func(audience string, comes bool) {
		if comes {
			all = append(all, policy.Effect{Code: audienceTaken, Opposite: audienceDropped, Severity: policy.Danger, Text: fmt.Sprintf("tokens for %q are taken", audience)})
		} else {
			all = append(all, policy.Effect{Code: audienceDropped, Opposite: audienceTaken, Severity: policy.Attention, Text: fmt.Sprintf("tokens for %q are no longer taken", audience)})
		}
	})
	return all
}

// difference tells of each text that comes, then of each that goes.
func difference(before, after []string, tell func(text string, comes bool)) {
	for _, text := range after {
		if !slices.Contains(before, text) {
			tell(text, true)
		}
	}
	for _, text := range before {
		if !slices.Contains(after, text) {
			tell(text, false)
		}
	}
}

func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = fmt.Sprintf("%q", text)
	}
	return strings.Join(quoted, " or ")
}
