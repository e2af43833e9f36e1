// Package apikey is the form of an API key and the digest it is stored and found by.
//
// A key reads
//
//	spk_<environment>_<id>_<secret><checksum>
//
// with the environment's name in [a-z0-9-]{1,32}, and the rest base 62 (0-9A-Za-z) of fixed width:
// 11 characters of public id (8 random bytes), 27 of secret (20 random bytes, 160 bits), 6 of
// CRC-32 (IEEE) over everything before them. The checksum is no protection: it lets an edge refuse
// a mistyped key, or a scanner recognise a leaked one, without a look-up.
//
// Keys are never stored. What is stored is
//
//	digest = HMAC-SHA-256(pepper, SHA-256(key))
//
// so that a dump without its environment's [Pepper] is of no use, and so that keys which another
// system kept as plain SHA-256 can be taken over ([Pepper.DigestOfSHA256]).
//
// Such a key has another form: wherever some are taken over, a text that isn't of ours may be a key all the same ([MaxImported]).
//
// The package owns both and nothing else: no storage, no expiry, no choice among several peppers.
// A key goes in as text; parts that may be shown, or a digest, come out. No error holds any of it.
package apikey
