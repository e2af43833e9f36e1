package jwt

import (
	"fmt"
	"strconv"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says of each issuer where its tokens are taken from and what they must be good for. Whether one is
// only a request shows, so that the kind judges no caller without one.
func access(config *policyv1.Jwt, names policy.Names) []policy.Statement {
	taken := "is taken from " + policy.List(places(config), "or", policy.Bare)
	if audiences := config.GetAudiences(); len(audiences) > 0 {
		taken += ", for the audience " + policy.List(audiences, "or", strconv.Quote)
	}
	if scopes := config.GetRequiredScopes(); len(scopes) > 0 {
		taken += ", with the scope " + policy.List(scopes, "and", strconv.Quote)
	}
	var said []policy.Statement
	for _, issuer := range config.GetIssuers() {
		said = append(said, policy.Statement{
			Part: policy.Way, Code: "token", Text: fmt.Sprintf("A token of the issuer %q %s.", names(issuer), taken), Values: []string{issuer},
		})
	}
	if config.GetForwardToken() {
		said = append(said, policy.Statement{Part: policy.Note, Code: tokenForwarded, Text: "The service gets the token of its caller."})
	}
	return said
}

func places(config *policyv1.Jwt) []string {
	var all []string
	for _, location := range config.GetLocations() {
		switch place := location.GetPlace().(type) {
		case *policyv1.TokenLocation_Header:
			text := fmt.Sprintf("the header %q", place.Header)
			if strings.EqualFold(place.Header, "Authorization") {
				text += " (Bearer)"
			}
			all = append(all, text)
		case *policyv1.TokenLocation_Query:
			all = append(all, fmt.Sprintf("the query parameter %q", place.Query))
		case *policyv1.TokenLocation_Cookie:
			all = append(all, fmt.Sprintf("the cookie %q", place.Cookie))
		}
	}
	return all
}
