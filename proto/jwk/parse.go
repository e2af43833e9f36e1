package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// Bounds of a key.
const (
	leastRSA = 2048 // bits, RFC 7518 section 3.3
	mostRSA  = 8192 // bits: beyond, one token costs others theirs
	leastE   = 65537
	mostE    = 1<<31 - 1 // what the standard library takes
	mostID   = 256       // bytes
	mostKey  = 32 << 10  // bytes of JSON: the key, and the certificates that may be with it
)

var (
	// members are those whose meaning we know. One of them in other letters is a key that two readers read in two ways.
	members = []string{"kty", "use", "key_ops", "alg", "kid", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi", "oth", "k"}
	// private are those that no public key has (RFC 7518, sections 6.2.2, 6.3.2 and 6.4).
	private = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
)

// Errors of a key that is refused.
var (
	errNoObject  = errors.New("jwk: no JSON object")
	errSymmetric = errors.New("jwk: kty: a symmetric key; whoever can check with it can sign, so an issuer can't publish it")
	errKind      = errors.New("jwk: kty: none of RSA, EC and OKP")
	errPrivate   = errors.New("jwk: has private members: the key is no secret any more, let the issuer replace it")
	errUse       = errors.New(`jwk: use: isn't "sig": the key isn't meant for signatures`)
	errOps       = errors.New(`jwk: key_ops: isn't a list with "verify", each operation once`)
	errAlgorithm = errors.New("jwk: alg: no signature algorithm that fits the key")
	errID        = fmt.Errorf("jwk: kid: isn't a text of 1 to %d bytes without control characters", mostID)
	errSize      = fmt.Errorf("jwk: n: isn't of %d to %d bits", leastRSA, mostRSA)
	errEven      = errors.New("jwk: n: is even, and no product of two primes")
	errROCA      = errors.New("jwk: n: was made by a generator whose keys can be factored (ROCA, CVE-2017-15361)")
	errExponent  = fmt.Errorf("jwk: e: isn't an odd number from %d to %d", leastE, mostE)
	errCurve     = errors.New("jwk: crv: none of P-256, P-384 and P-521")
	errPoint     = errors.New("jwk: x, y: no point on the curve")
	errOKP       = errors.New("jwk: crv: isn't Ed25519")
	errSmall     = errors.New("jwk: x: a point of small order, for which anybody can sign")
	errLong      = fmt.Errorf("jwk: more than %d bytes", mostKey)
)

// Parse reads one public key. Members that it doesn't know are left alone (RFC 7517, section 4), x5c among them: whom a certificate
// trusts is no matter here.
func Parse(data []byte) (Key, error) {
	if len(data) > mostKey {
		return Key{}, errLong
	}
	root, violations, err := jsontree.Parse(data)
	switch {
	case err != nil:
		return Key{}, fmt.Errorf("jwk: %w", err)
	case len(violations) > 0:
		return Key{}, fmt.Errorf("jwk: %s: %s", violations[0].Pointer, violations[0].Detail)
	}
	return read(&root)
}

// read makes a key of a JSON object in which each name is there once.
func read(object *jsontree.Value) (Key, error) {
	if object.Kind != jsontree.Object {
		return Key{}, errNoObject
	}
	if err := checkNames(object.Members); err != nil {
		return Key{}, err
	}
	kind, err := text(object, "kty")
	if err != nil {
		return Key{}, err
	}
	if kind == "oct" {
		return Key{}, errSymmetric
	}
	if slices.ContainsFunc(object.Members, func(m jsontree.Member) bool { return slices.Contains(private, m.Name) }) {
		return Key{}, errPrivate
	}
	if err := checkPurpose(object); err != nil {
		return Key{}, err
	}
	var k Key
	if k.ID, err = readID(object); err != nil {
		return Key{}, err
	}
	if k.Public, err = readPublic(object, kind); err != nil {
		return Key{}, err
	}
	if k.Algorithm, err = readAlgorithm(object, k.Public); err != nil {
		return Key{}, err
	}
	k.Thumbprint = sha256.Sum256(k.appendJSON(nil, false))
	return k, nil
}

func checkNames(all []jsontree.Member) error {
	for i := range all {
		for _, known := range members {
			if name := all[i].Name; name != known && strings.EqualFold(name, known) {
				return fmt.Errorf("jwk: a member is %q in other letters", known)
			}
		}
	}
	return nil
}

// checkPurpose refuses keys that are for something else than checking signatures (RFC 7517, sections 4.2 and 4.3).
func checkPurpose(object *jsontree.Value) error {
	if use := object.Member("use"); use != nil && (use.Kind != jsontree.String || use.Text != "sig") {
		return errUse
	}
	operations := object.Member("key_ops")
	if operations == nil {
		return nil
	}
	if operations.Kind != jsontree.Array {
		return errOps
	}
	seen := make(map[string]bool, len(operations.Items))
	for _, one := range operations.Items {
		if one.Kind != jsontree.String || seen[one.Text] {
			return errOps
		}
		seen[one.Text] = true
	}
	if !seen["verify"] {
		return errOps
	}
	return nil
}

func readID(object *jsontree.Value) (string, error) {
	id := object.Member("kid")
	if id == nil {
		return "", nil
	}
	if id.Kind != jsontree.String || !GoodID(id.Text) {
		return "", errID
	}
	return id.Text, nil
}

// GoodID tells whether a text may be the id of a key, in a key set as in a token.
func GoodID(id string) bool {
	return id != "" && len(id) <= mostID && !strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}

func readAlgorithm(object *jsontree.Value, public crypto.PublicKey) (string, error) {
	name := object.Member("alg")
	if name == nil {
		return "", nil
	}
	if name.Kind != jsontree.String {
		return "", errAlgorithm
	}
	algorithm := AlgorithmNamed(name.Text)
	if algorithm == configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_UNSPECIFIED || !fits(public, algorithm) {
		return "", errAlgorithm
	}
	return AlgorithmName(algorithm), nil
}

func readPublic(object *jsontree.Value, kind string) (crypto.PublicKey, error) {
	switch kind {
	case "RSA":
		return readRSA(object)
	case "EC":
		return readEC(object)
	case "OKP":
		return readEd25519(object)
	default:
		return nil, errKind
	}
}

func readRSA(object *jsontree.Value) (crypto.PublicKey, error) {
	n, err := number(object, "n")
	if err != nil {
		return nil, err
	}
	e, err := number(object, "e")
	if err != nil {
		return nil, err
	}
	switch {
	case n.BitLen() < leastRSA || n.BitLen() > mostRSA:
		return nil, errSize
	case n.Bit(0) == 0:
		return nil, errEven
	case !e.IsInt64() || e.Int64() < leastE || e.Int64() > mostE || e.Bit(0) == 0:
		return nil, errExponent
	case isROCA(n):
		return nil, errROCA
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

func readEC(object *jsontree.Value) (crypto.PublicKey, error) {
	name, err := text(object, "crv")
	if err != nil {
		return nil, err
	}
	var curve elliptic.Curve
	switch name {
	case "P-256":
		curve = elliptic.P256()
	case "P-384":
		curve = elliptic.P384()
	case "P-521":
		curve = elliptic.P521()
	default:
		return nil, errCurve
	}
	// Each coordinate is as long as the curve's, zeros included (RFC 7518, section 6.2.1.2).
	size := (curve.Params().BitSize + 7) / 8
	x, err := octets(object, "x", size)
	if err != nil {
		return nil, err
	}
	y, err := octets(object, "y", size)
	if err != nil {
		return nil, err
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, errPoint
	}
	return public, nil
}

func readEd25519(object *jsontree.Value) (crypto.PublicKey, error) {
	curve, err := text(object, "crv")
	if err != nil {
		return nil, err
	}
	if curve != "Ed25519" {
		return nil, errOKP
	}
	if object.Member("y") != nil {
		return nil, errors.New("jwk: y: an Ed25519 key has none")
	}
	x, err := octets(object, "x", ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	if isSmallOrder(x) {
		return nil, errSmall
	}
	return ed25519.PublicKey(x), nil
}

func text(object *jsontree.Value, name string) (string, error) {
	v := object.Member(name)
	if v == nil || v.Kind != jsontree.String {
		return "", fmt.Errorf("jwk: %s: isn't there as a text", name)
	}
	return v.Text, nil
}

// octets returns a member's bytes, of a size that is fixed.
func octets(object *jsontree.Value, name string, size int) ([]byte, error) {
	b, err := decode(object, name)
	if err == nil && len(b) != size {
		return nil, fmt.Errorf("jwk: %s: isn't %d bytes", name, size)
	}
	return b, err
}

// number returns a member that is a Base64urlUInt (RFC 7518, section 2), which has no zeros in front.
func number(object *jsontree.Value, name string) (*big.Int, error) {
	b, err := decode(object, name)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || b[0] == 0 {
		return nil, fmt.Errorf("jwk: %s: no number without zero bytes in front", name)
	}
	if len(b) > mostRSA/8 {
		return nil, fmt.Errorf("jwk: %s: a number of more than %d bits", name, mostRSA)
	}
	return new(big.Int).SetBytes(b), nil
}

// decode reads a member in Base64url without padding (RFC 7515, section 2), of which there is one spelling for any bytes.
func decode(object *jsontree.Value, name string) ([]byte, error) {
	encoded, err := text(object, name)
	if err != nil {
		return nil, err
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") { // which the decoder passes over
		return nil, fmt.Errorf("jwk: %s: no Base64url, or not the one spelling of it (RFC 7515 section 2: no padding, no spaces)", name)
	}
	return b, nil
}
