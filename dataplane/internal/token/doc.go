// Package token reads and verifies JSON Web Tokens (RFC 7519) as signed compact texts (RFC 7515), with the care of RFC 8725.
//
// It owns the grammar ([Parse]), who signed ([Token.Verify] with a [KeySet]), the memory of that ([Cache]) and what an issuer asks of its
// tokens at a moment ([Rules]). It owns neither where keys come from (package issuers), nor whom a token speaks of (policies).
//
// Text goes in; out comes a [Token], which nobody vouches for; out of Verify a [Verified], which only a good signature makes. The signature
// itself is the standard library's work.
//
// # What is refused
//
// Whatever has two readings, even with a good signature, since the service behind may read the other one: any spelling of Base64url but the
// one of RFC 7515, names given twice or in other letters, JSON serialisation, what follows the token, claims of the wrong type. Beyond that:
//
//   - Algorithms that aren't on the issuer's list, or don't fit the key. "none" and HMAC aren't known here at all.
//   - Headers that bring a key or say where one is (jwk, x5c, jku, x5u). Keys come from the issuer's key set alone, so that nothing is ever
//     fetched because of a token (RFC 8725, sections 3.6 and 3.10). To pass them over would be safe here; but a service that reads the
//     token again may follow them. x5t is but a name, and left alone.
//   - Any "crit", since no extension is known (RFC 7515, section 4.1.11), and "b64" and "zip", which change what is signed or meant.
//   - Payloads that are tokens themselves ("cty", RFC 7519, section 5.2), and encrypted tokens.
//   - Ids of keys that are empty, overlong or hold control characters. Any other text is looked up among the names that the issuer gave,
//     and does nothing else.
//
// An ECDSA signature must be R and S at full length (RFC 7518, section 3.4), never DER. To any good one there is a second (n-S), which no
// standard forbids, and which is taken: it says nothing that the first didn't. Nothing here, nor a block, tells tokens apart by their text;
// the cache by text merely finds the twin absent and verifies it.
//
// # On every request
//
// The cache remembers that a key signed these claims, nothing else. [KeySet.Check] asks each time whether that key is still the issuer's,
// and [Rules.Check] all that depends on the moment or on the configuration. Neither allocates.
package token
