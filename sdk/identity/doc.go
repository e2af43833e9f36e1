// Package identity checks the identity tokens by which a Sallyport gateway tells a service who calls. It needs the standard library alone.
//
// It owns the checking, and a set of the gateway's public keys that it fetches when it needs them: at the first token, when a token names a
// key that it doesn't know, and when the set is older than [MaxAge]. It does not own what a caller may do: that is the service's.
//
// A service behind the gateway:
//
//	checker, err := identity.New(identity.Config{
//		KeysURL:  "http://edge.internal:8080/.well-known/identity-keys",
//		Issuer:   "https://gateway.example.com",
//		Audience: "orders",
//	})
//	http.Handle("/", checker.Require(orders))
//
// Handlers ask [From] for the caller. What isn't signed by the gateway, is meant for another service, has ended or hasn't begun is answered 401.
package identity
