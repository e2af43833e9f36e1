package identitykey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/jwk"
)

var now = time.UnixMilli(1_700_000_000_000)

func made(t *testing.T, version uint32, signsFrom time.Time) *directoryv1.IdentityKey {
	t.Helper()
	m, err := New(version, now, signsFrom)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parsed(t *testing.T, m *directoryv1.IdentityKey) *Key {
	t.Helper()
	k, err := Parse(m)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWhatIsSignedIsGoodByThePublishedKeyOfItsName(t *testing.T) {
	k := parsed(t, made(t, 3, now))
	public, unusable, err := jwk.ParseSet(Set([]*Key{k, parsed(t, made(t, 2, now))}))
	if err != nil || len(unusable) != 0 || len(public) != 4 {
		t.Fatalf("%d keys, %v %v", len(public), unusable, err)
	}
	byID := map[string]jwk.Key{}
	for _, p := range public {
		byID[p.ID] = p
	}
	message := []byte("head.payload")
	es, err := k.AppendSignature(nil, ES256, message)
	if err != nil || len(es) != 64 {
		t.Fatal(len(es), err)
	}
	sum := sha256.Sum256(message)
	p256 := byID[k.ID(ES256)]
	if !ecdsa.Verify(p256.Public.(*ecdsa.PublicKey), sum[:], new(big.Int).SetBytes(es[:32]), new(big.Int).SetBytes(es[32:])) || p256.Algorithm != ES256.String() {
		t.Error("the signature by ES256 isn't good")
	}
	ed, err := k.AppendSignature(nil, EdDSA, message)
	if err != nil || !ed25519.Verify(byID[k.ID(EdDSA)].Public.(ed25519.PublicKey), message, ed) || byID[k.ID(EdDSA)].Algorithm != EdDSA.String() {
		t.Errorf("the signature by EdDSA isn't good: %v", err)
	}
}

func TestNoKeyIsShown(t *testing.T) {
	m := made(t, 1, now)
	k := parsed(t, m)
	set := Set([]*Key{k})
	if bytes.Contains(set, []byte(`"d"`)) || bytes.Contains(set, m.GetP256()) || bytes.Contains(set, m.GetEd25519()) {
		t.Error("the set holds a private key")
	}
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s", k, k, k, k)} {
		if strings.Trim(text, " ") != strings.TrimSpace(strings.Repeat("identity key ", strings.Count(text, "key"))) {
			t.Errorf("a key is written as %q", text)
		}
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*directoryv1.IdentityKey){
		"no version":  func(m *directoryv1.IdentityKey) { m.Version = 0 },
		"short seed":  func(m *directoryv1.IdentityKey) { m.Ed25519 = m.Ed25519[1:] },
		"no scalar":   func(m *directoryv1.IdentityKey) { m.P256 = nil },
		"zero scalar": func(m *directoryv1.IdentityKey) { m.P256 = make([]byte, 32) },
		"too large":   func(m *directoryv1.IdentityKey) { m.P256 = bytes.Repeat([]byte{0xff}, 32) },
	} {
		m := made(t, 1, now)
		spoil(m)
		if _, err := Parse(m); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if Signer(nil, now) != nil || string(Set(nil)) != `{"keys":[]}` {
		t.Error("of no keys one signs, or is published")
	}
}

func TestTheNewestThatHasBegunSigns(t *testing.T) {
	keys := []*Key{parsed(t, made(t, 3, now.Add(Lead))), parsed(t, made(t, 2, now)), parsed(t, made(t, 1, now.Add(-time.Hour)))}
	for after, want := range map[time.Duration]uint32{-2 * time.Hour: 1, -time.Second: 1, 0: 2, Lead - 1: 2, Lead: 3, 1000 * time.Hour: 3} {
		if got := Signer(keys, now.Add(after)).Version; got != want {
			t.Errorf("after %v key %d signs, not %d", after, got, want)
		}
	}
}

func TestAKeyIsPublishedUntilTheLastTokenThatItSignedHasEnded(t *testing.T) {
	keys := []*directoryv1.IdentityKey{made(t, 3, now.Add(Lead)), made(t, 2, now), made(t, 1, now.Add(-time.Hour))}
	for after, want := range map[time.Duration]int{0: 3, Overlap - 1: 3, Overlap: 2, Lead + Overlap - 1: 2, Lead + Overlap: 1} {
		if got := Needed(keys, now.Add(after)); got != want {
			t.Errorf("after %v %d keys are needed, not %d", after, got, want)
		}
	}
	if Lead < SetAge || Overlap < MostLifetime {
		t.Error("who keeps the set for as long as they may would meet a key that they don't know")
	}
}
