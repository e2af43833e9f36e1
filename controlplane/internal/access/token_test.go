package access

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proto/id"
)

func TestASecretNamesItsTokenAndHas256RandomBits(t *testing.T) {
	tokenID := id.Text(IDPrefix, id.New(time.Now()))
	first, second := newSecret(tokenID), newSecret(tokenID)
	if first == second {
		t.Fatal("two secrets are the same")
	}
	if got, ok := parseSecret(first); !ok || got != tokenID {
		t.Fatalf("parsed %q, %v", got, ok)
	}
	_, random, _ := strings.Cut(strings.TrimPrefix(first, secretPrefix), "_")
	if raw, err := secretEncoding.DecodeString(random); err != nil || len(raw) != 32 {
		t.Fatalf("%d random bytes, %v", len(raw), err)
	}
}

func TestWhatCannotBeASecretIsRefusedWithoutALookUp(t *testing.T) {
	good := newSecret(id.Text(IDPrefix, id.New(time.Now())))
	tests := map[string]string{
		"empty":             "",
		"prefix alone":      secretPrefix,
		"other prefix":      "spk_" + strings.TrimPrefix(good, secretPrefix),
		"upper case":        strings.ToUpper(good),
		"one short":         good[:len(good)-1],
		"one long":          good + "0",
		"a stray character": good[:len(good)-1] + "!",
		"a newline behind":  good + "\n",
		"no id":             secretPrefix + "_" + good[len(good)-52:],
		"an id overflows":   secretPrefix + "z" + good[len(secretPrefix)+1:],
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if got, ok := parseSecret(text); ok {
				t.Fatalf("%q names %q", text, got)
			}
		})
	}
}

func FuzzParseSecretTakesOnlyWhatNewSecretMakes(f *testing.F) {
	f.Add(newSecret(id.Text(IDPrefix, id.New(time.Now()))))
	f.Add("spat__")
	f.Fuzz(func(t *testing.T, text string) {
		tokenID, ok := parseSecret(text)
		if !ok {
			return
		}
		if _, err := id.Parse(IDPrefix, tokenID); err != nil {
			t.Fatalf("%q names %q: %v", text, tokenID, err)
		}
		if !strings.HasPrefix(text, secretPrefix+strings.TrimPrefix(tokenID, IDPrefix+"_")+"_") {
			t.Fatalf("%q names another id, %q", text, tokenID)
		}
	})
}

func TestATokenExpiresAtItsTimeAndNotBefore(t *testing.T) {
	end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	token := Token{ExpiresAt: end}
	if token.expired(end.Add(-time.Nanosecond)) {
		t.Error("it expired early")
	}
	if !token.expired(end) {
		t.Error("it outlived its time")
	}
	if (&Token{}).expired(end) {
		t.Error("a token without an end expired")
	}
}
