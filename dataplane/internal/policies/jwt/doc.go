// Package jwt is the stage of the kind "jwt": it proves a consumer by a token of an issuer that is trusted (RFC 6750, RFC 7519).
//
// A request, step by step. The places are searched in order, and the first that holds anything decides; two values in it are refused, since
// the edge and the service might read different ones. An Authorization of another scheme, or with an API key, holds nothing of ours. A token
// that was verified before is found again as it is, to the letter; else it is read strictly, its "iss" picks the issuer among those of the
// policy, and the issuer's keys of now verify it. What is remembered is only that a key signed these claims. On every request, remembered or
// not, the issuer must still have that key, and the token be in time and all that its issuer and the policy ask of it; then the consumer is
// found anew in the directory, and held, like the token itself, against state and blocks. Scopes come last: whoever lacks one is known.
//
// A key that nobody knows is a 401, and somebody is asked for new ones beside the request (package issuers); where the policy lets a request
// wait for that, it waits here.
//
// Wrong signatures and keys that nobody knows are counted against the address that they come from (package backoff). A token whose signature was
// wrong several times is then refused unseen for a while, unless the issuer's keys change; an address with many of them is answered
// too_many_failures, and nobody there waits for a key any more. A good token is counted under its own text alone, and verified whatever else comes
// from its address.
//
// In the end the token is taken out of the request, from all places, unless the policy forwards it.
//
// It owns where a token is found and what becomes of the request. It doesn't own the grammar and signatures (token), issuers and keys
// (issuers), nor consumers and blocks (directory). No token, nor any part of one, is in an error, a reason or a log.
package jwt
