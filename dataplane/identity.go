package dataplane

import (
	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/policies/identitytoken"
)

// identitySamples tells what was signed to tell services who calls.
func identitySamples(one func(metric string, value float64, labels ...string), counts identitytoken.Counts) {
	one(admin.IdentityTokens, float64(counts.Signed), "signed")
	one(admin.IdentityTokens, float64(counts.Evicted), "evicted")
	one(admin.IdentityTokensHeld, float64(counts.Tokens))
	one(admin.IdentityTokensBytes, float64(counts.Bytes))
}
