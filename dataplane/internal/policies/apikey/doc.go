// Package apikey is the stage of the kind "api-key": it proves a consumer by an API key.
//
// A request, step by step: the places are searched in order, and the first that holds anything decides; two values in it
// are refused, since the edge and the upstream might read different ones. In Authorization, a scheme other than Bearer and ApiKey or a token
// (RFC 7519) is somebody else's, and no key. The key's checksum is tried before anything is
// looked up, but where the directory holds keys that other systems made, which have none. Its digest is looked up under each live pepper,
// newest first. Expiry, address pins, the consumer, the scopes and the routes are checked in this order, each with a code of its own. Then the caller is identified, and every key is taken
// out of what goes upstream: from the place that decided and from all others that were configured.
//
// Keys that nobody knows are counted against the address that they come from (package backoff): after fifty different ones they are refused
// with too_many_failures. Known ones pass whatever else comes from there.
//
// It owns where a key is found and what a key must satisfy. It doesn't own the key's format and digest (proto/apikey),
// nor the keys (directory). No key, nor any part of one, is in an error, a reason or a log.
package apikey
