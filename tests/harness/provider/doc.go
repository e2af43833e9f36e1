// Package provider runs a real OpenID provider (oidc-provider, certified) for stories about tokens and signing in.
//
// It owns the provider's process, which `make` has installed what it needs for, and the ways to a token that a client of a provider has.
// What the gateway makes of the token is the stories'.
package provider
