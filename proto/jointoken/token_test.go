package jointoken

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

var form = regexp.MustCompile(`\Aspj_[0-9A-Za-z]{11}_[0-9A-Za-z]{27}_[0-9A-Za-z_-]{43}\z`)

func make1(t testing.TB) Token {
	t.Helper()
	token, err := New(rand.Reader, sha256.Sum256([]byte("authority")))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokenHasTheDocumentedFormAndComesBack(t *testing.T) {
	for range 200 {
		token := make1(t)
		rand.Read(token.Authority[:]) // base64url may hold the separator
		if !form.MatchString(token.String()) || len(token.String()) != Length {
			t.Fatalf("%q has another form", token.String())
		}
		parsed, err := Parse(token.String())
		if err != nil || parsed != token || parsed.SecretDigest() != token.SecretDigest() {
			t.Fatalf("%+v, %v", parsed, err)
		}
	}
}

// The form is a contract between control planes and nodes of different versions.
func TestFormIsStable(t *testing.T) {
	tests := []struct {
		random []byte
		want   string
	}{
		{make([]byte, 28), "spj_00000000000_000000000000000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
		{bytes.Repeat([]byte{255}, 28), "spj_LygHa16AHYF_aWgEPTl1tmebfsQzFP4bxwgy80V_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
	}
	for _, tt := range tests {
		token, err := New(bytes.NewReader(tt.random), [32]byte{})
		if err != nil || token.String() != tt.want {
			t.Errorf("got %s, want %s, %v", token.String(), tt.want, err)
		}
	}
	token, err := Parse(tests[0].want)
	if want := sha256.Sum256([]byte(strings.Repeat("0", 27))); err != nil || token.SecretDigest() != want {
		t.Errorf("digest %x, want %x, %v", token.SecretDigest(), want, err)
	}
}

func TestDamagedTokensAreRefusedWithoutShowingThem(t *testing.T) {
	text := make1(t).String()
	at := func(i int, c string) string { return text[:i] + c + text[i+1:] }
	tests := map[string]struct {
		text string
		want error
	}{
		"empty":                      {"", ErrForm},
		"an API key":                 {"spk_" + text[4:], ErrForm},
		"cut":                        {text[:Length-1], ErrForm},
		"with a line break behind":   {text + "\n", ErrForm},
		"id with a dash":             {at(6, "-"), ErrForm},
		"secret with a dash":         {at(secretAt+3, "-"), ErrForm},
		"separator after id":         {at(secretAt-1, "x"), ErrForm},
		"separator after secret":     {at(authorityAt-1, "x"), ErrForm},
		"authority with a dot":       {at(authorityAt+3, "."), ErrAuthority},
		"authority with line breaks": {at(authorityAt+3, "\n"), ErrAuthority},
		"authority with loose bits":  {text[:Length-1] + "B", ErrAuthority},
	}
	for name, tt := range tests {
		if _, err := Parse(tt.text); !errors.Is(err, tt.want) || strings.Contains(fmt.Sprint(err), text[secretAt:secretAt+6]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokenIsMaskedHoweverItIsPrinted(t *testing.T) {
	token := make1(t)
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "token", token)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "token", token)
	body, err := json.Marshal(map[string]any{"token": token})
	if err != nil {
		t.Fatal(err)
	}
	printed := []string{fmt.Sprint(token), fmt.Sprintf("%s %q %+v %#v %x", token, token, token, token, &token), logged.String(), string(body)}
	for _, s := range printed {
		if secret := token.secret[:8]; strings.Contains(s, secret) || strings.Contains(s, fmt.Sprintf("%x", secret)) {
			t.Errorf("%q holds the secret", s)
		}
		if !strings.Contains(s, token.ID) {
			t.Errorf("%q lacks the id", s)
		}
	}
}

func TestNewReportsFailingRandomness(t *testing.T) {
	broken := errors.New("broken")
	if _, err := New(iotest.ErrReader(broken), [32]byte{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(make1(f).String())
	f.Add(Scheme)
	f.Fuzz(func(t *testing.T, s string) {
		token, err := Parse(s)
		if err == nil && (token.String() != s || !form.MatchString(s)) {
			t.Fatalf("%q was taken and reads %q", s, token.String())
		}
	})
}
