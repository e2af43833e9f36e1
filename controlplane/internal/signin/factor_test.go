package signin

import (
	"bytes"
	"encoding/base32"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// The test vectors of RFC 6238, appendix B (SHA-1), with the 6 digits that apps show.
func TestCodesAreThoseOfRFC6238(t *testing.T) {
	secret := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	for at, whole := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		eight := totpOptions
		eight.Digits = otp.DigitsEight
		if code, err := totp.GenerateCodeCustom(secret, time.Unix(at, 0), eight); err != nil || code != whole {
			t.Errorf("at %d: %s, %v", at, code, err)
		}
		step, ok, err := stepOf(secret, whole[2:], time.Unix(at, 0))
		if err != nil || !ok || step != at/stepSeconds {
			t.Errorf("at %d: step %d, %v, %v", at, step, ok, err)
		}
	}
}

func TestACodeIsGoodForTheStepBesideItAndNoFurther(t *testing.T) {
	secret := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	now := time.Unix(1_800_000_000, 0)
	for aside, want := range map[int64]bool{-2: false, -1: true, 0: true, 1: true, 2: false} {
		code, err := totp.GenerateCodeCustom(secret, now.Add(time.Duration(aside*stepSeconds)*time.Second), totpOptions)
		if err != nil {
			t.Fatal(err)
		}
		step, ok, err := stepOf(secret, code, now)
		if err != nil || ok != want || ok && step != now.Unix()/stepSeconds+aside {
			t.Errorf("%d steps aside: %d, %v, %v", aside, step, ok, err)
		}
	}
	for _, none := range []string{"", "00000", "1234567", "abcdef", "١٢٣٤٥٦"} {
		if _, ok, err := stepOf(secret, none, now); ok || err != nil {
			t.Errorf("%q is a code: %v", none, err)
		}
	}
}

func TestARecoveryCodeIsItsUsersAndMayBeTypedAsItIsShownOrNot(t *testing.T) {
	key := []byte("key")
	codes := newRecoveryCodes()
	shown, ok := recoveryDigest(key, "usr_1", codes[0])
	if !ok || len(shown) != 32 {
		t.Fatalf("%q is none", codes[0])
	}
	seen := map[string]bool{}
	for _, c := range codes {
		seen[c] = true
	}
	if len(seen) != 10 || len(codes[0]) != 19 {
		t.Errorf("the codes are %q", codes)
	}
	typed, _ := recoveryDigest(key, "usr_1", " "+codes[0][:4]+codes[0][5:])
	if !bytes.Equal(typed, shown) {
		t.Error("typed otherwise it is another")
	}
	for name, other := range map[string][]byte{"another user": digestOf(t, key, "usr_2", codes[0]), "another key": digestOf(t, []byte("other"), "usr_1", codes[0]), "another code": digestOf(t, key, "usr_1", codes[1])} {
		if bytes.Equal(other, shown) {
			t.Errorf("%s has the same digest", name)
		}
	}
	if _, ok := recoveryDigest(key, "usr_1", "123456"); ok {
		t.Error("a code of an app is a recovery code")
	}
}

func digestOf(t *testing.T, key []byte, user, code string) []byte {
	t.Helper()
	digest, ok := recoveryDigest(key, user, code)
	if !ok {
		t.Fatalf("%q is none", code)
	}
	return digest
}
