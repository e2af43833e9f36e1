// Package apikey is the stage of the kind "api-key": it proves a consumer by an API key.
//
// A request, step by step: the places are searched in order, and the first that holds anything decides; two values in it
// are refused, since the edge and the upstream might read different ones. The key's checksum is tried before anything is
// looked up, but where the directory holds keys that other systems made, which have none. Its digest is looked up under each live pepper,
// newest first. Expiry, address pins, the consumer, the scopes and the routes are checked in this order, each with a code of its own. Then the caller is identified, and every key is taken
// out of what goes upstream: from the place that decided and from all others that were configured.
//
// It owns where a key is found and what a key must satisfy. It doesn't own the key's format and digest (proto/apikey),
// nor the keys (directory). No key, nor any part of one, is in an error, a reason or a log.
package apikey
