// Package jointoken is the form of the token by which a new node joins an environment.
//
// A token reads
//
//	spj_<id>_<secret>_<authority>
//
// with fixed widths: 11 characters base 62 (0-9A-Za-z) of public id (8 random bytes), 27 of secret
// (20 random bytes, 160 bits), and 43 of the SHA-256 of the control plane's certificate authority's
// public key (its SubjectPublicKeyInfo, DER), in base64url without padding (RFC 4648, section 5).
// The last is what lets a node know whom it gives the secret to, before it has any certificate.
//
// The control plane keeps the id and the SHA-256 of the secret, never the token. The package owns
// the form alone: neither expiry, nor uses, nor what a token is good for.
package jointoken
