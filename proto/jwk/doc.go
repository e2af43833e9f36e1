// Package jwk reads the public keys of token issuers as JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037), strictly, and writes them
// in one canonical form.
//
// It owns what a key that checks signatures may be: RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 and P-521, and Ed25519; which
// algorithms a key fits; and its thumbprint (RFC 7638). Every plane asks it, so that a key which one took is a key to all. It owns neither
// fetching nor keeping keys, nor signatures (package token of the edge).
//
// What has two readings is refused: names given twice or in other letters, Base64url with padding, line breaks or bits that nobody looks
// at, numbers with zeros in front. So is what no issuer should have shown: a private member means that the key is nobody's secret any
// more, and a symmetric key can't be told from one. Keys that are known to be weak are refused whoever published them: moduli of the ROCA
// kind (CVE-2017-15361), even ones, exponents below 65537, and Ed25519 points of small order, for which anybody can sign.
//
// Bytes go in, keys come out, or errors that name the member and hold nothing of its value.
package jwk
