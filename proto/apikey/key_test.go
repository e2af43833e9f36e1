package apikey

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

var form = regexp.MustCompile(`\Aspk_[a-z0-9-]{1,32}_[0-9A-Za-z]{11}_[0-9A-Za-z]{33}\z`)

func generate(t testing.TB, environment string) Key {
	t.Helper()
	key, err := Generate(rand.Reader, environment)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestGeneratedKeyHasTheDocumentedForm(t *testing.T) {
	for _, environment := range []string{"p", "production", "eu-1", strings.Repeat("z", MaxEnvironment)} {
		key := generate(t, environment)
		text := key.Reveal()
		if !form.MatchString(text) {
			t.Fatalf("%q has another form", text)
		}
		parts, err := Parse(text)
		if err != nil || parts != key.Parts() || parts.Environment != environment {
			t.Fatalf("%q: %+v, %v", text, parts, err)
		}
		if !strings.HasPrefix(text, parts.Prefix+"_") || parts.Prefix != "spk_"+environment+"_"+parts.ID || !strings.HasSuffix(text, parts.LastFour) || len(parts.LastFour) != 4 {
			t.Fatalf("%q: %+v", text, parts)
		}
	}
}

// The form is a contract: keys made by an earlier version must stay keys.
func TestFormIsStable(t *testing.T) {
	tests := []struct {
		random []byte
		want   string
	}{
		{make([]byte, 28), "spk_test_00000000000_000000000000000000000000000" + "0Yneu0"},
		{bytes.Repeat([]byte{0xff}, 28), "spk_test_LygHa16AHYF_aWgEPTl1tmebfsQzFP4bxwgy80V" + "44oX9o"},
	}
	for _, tt := range tests {
		key, err := Generate(bytes.NewReader(tt.random), "test")
		if err != nil || key.Reveal() != tt.want {
			t.Errorf("got %s, want %s, %v", key.Reveal(), tt.want, err)
		}
	}
}

func TestGenerateRefusesBadEnvironmentsAndRandomness(t *testing.T) {
	for _, environment := range []string{"", "Prod", "a_b", "a.b", "ü", strings.Repeat("z", MaxEnvironment+1)} {
		if _, err := Generate(rand.Reader, environment); !errors.Is(err, ErrEnvironment) {
			t.Errorf("%q: %v", environment, err)
		}
	}
	broken := errors.New("broken")
	if _, err := Generate(iotest.ErrReader(broken), "test"); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := Generate(bytes.NewReader(make([]byte, 27)), "test"); err == nil {
		t.Error("27 bytes were enough")
	}
}

func TestEveryMistypedCharacterIsFound(t *testing.T) {
	text := generate(t, "production").Reveal()
	for i := range text {
		for _, c := range []byte("0aZ-_ \x00\xff") {
			if mistyped := text[:i] + string([]byte{c}) + text[i+1:]; mistyped != text && Check(mistyped) {
				t.Fatalf("byte %d as %q went through", i, c)
			}
		}
		if i+1 < len(text) && text[i] != text[i+1] {
			if Check(text[:i] + text[i+1:i+2] + text[i:i+1] + text[i+2:]) {
				t.Fatalf("bytes %d and %d changed places", i, i+1)
			}
		}
		if Check(text[:i]) {
			t.Fatalf("cut to %d bytes went through", i)
		}
	}
	for _, s := range []string{text + "0", " " + text, text + "\n", strings.ToUpper(text)} {
		if Check(s) {
			t.Errorf("%q went through", s)
		}
	}
}

func TestKeyIsMaskedHoweverItIsPrinted(t *testing.T) {
	key := generate(t, "production")
	secret := key.Reveal()[len(key.Parts().Prefix)+1:]
	printed := []string{fmt.Sprint(key), fmt.Sprintf("%+v %#v %s %q %x %d", key, key, key, key, key, key), fmt.Sprintf("%+v", struct{ K Key }{key}), fmt.Sprint(&key)}
	body, err := json.Marshal(map[string]any{"key": key})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(printed, string(body)) {
		if strings.Contains(s, secret[:8]) || strings.Contains(s, fmt.Sprintf("%x", secret[:8])) {
			t.Errorf("%q holds the secret", s)
		}
		if !strings.Contains(s, key.Parts().Prefix) {
			t.Errorf("%q lacks the prefix", s)
		}
	}
}

func TestErrorsHoldNothingOfTheKey(t *testing.T) {
	text := generate(t, "production").Reveal()
	for _, s := range []string{text + "0", text[:len(text)-1] + "-", "spk_A" + text[5:]} {
		if _, err := Parse(s); err == nil || strings.Contains(err.Error(), s[16:24]) {
			t.Errorf("got %v", err)
		}
	}
}

func TestParseAndCheckDoNotAllocate(t *testing.T) {
	text := generate(t, "production").Reveal()
	bad := text[:len(text)-1] + "-"
	allocs := testing.AllocsPerRun(100, func() {
		if !Check(text) || Check(bad) {
			t.Error("wrong verdict")
		}
	})
	if allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

func FuzzParse(f *testing.F) {
	for _, environment := range []string{"a", "production"} {
		f.Add(generate(f, environment).Reveal())
	}
	f.Add("")
	f.Add("spk_")
	f.Add("spk_a_0123456789a_0123456789a0123456789a0123456789ab")
	f.Fuzz(func(t *testing.T, s string) {
		parts, err := Parse(s)
		if Check(s) != (err == nil) {
			t.Fatal("Check and Parse differ")
		}
		if err != nil {
			return
		}
		if !form.MatchString(s) {
			t.Fatalf("%q was taken", s)
		}
		if parts.Prefix != Scheme+parts.Environment+"_"+parts.ID {
			t.Fatalf("%+v", parts)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	text := generate(b, "production").Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if !Check(text) {
			b.Fatal("refused")
		}
	}
}
