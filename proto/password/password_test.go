package password_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/password"
)

func TestADigestFitsItsPasswordAlone(t *testing.T) {
	d := password.New("correct horse")
	for text, want := range map[string]bool{"correct horse": true, "correct horse ": false, "Correct horse": false, "": false} {
		if d.Fits(text) != want {
			t.Errorf("%q fits: %v", text, !want)
		}
	}
	if again := password.New("correct horse"); again == d {
		t.Error("two digests of one password are the same: no salt of their own")
	}
	nobody := password.Nobody()
	if nobody.Fits("") || nobody.Fits("correct horse") {
		t.Error("somebody is nobody")
	}
}

func TestADigestCostsWhatIsPromised(t *testing.T) {
	for _, d := range []password.Digest{password.New("x"), password.Nobody()} {
		if m := d.Message(); m.GetMemoryKib() != 19456 || m.GetPasses() != 2 || len(m.GetSalt()) != 16 || len(m.GetHash()) != 32 {
			t.Errorf("%d KiB, %d passes, salt of %d, hash of %d", m.GetMemoryKib(), m.GetPasses(), len(m.GetSalt()), len(m.GetHash()))
		}
	}
}

func TestADigestIsReadAsItWasWrittenAndWithinBounds(t *testing.T) {
	d := password.New("x")
	read, err := password.Of(d.Message())
	if err != nil || read != d || !read.Fits("x") {
		t.Fatalf("%v", err)
	}
	for name, change := range map[string]func(*directoryv1.Argon2Id){
		"no memory":       func(m *directoryv1.Argon2Id) { m.MemoryKib = 0 },
		"too much memory": func(m *directoryv1.Argon2Id) { m.MemoryKib = 1 << 20 },
		"no pass":         func(m *directoryv1.Argon2Id) { m.Passes = 0 },
		"too many passes": func(m *directoryv1.Argon2Id) { m.Passes = 9 },
		"short salt":      func(m *directoryv1.Argon2Id) { m.Salt = m.Salt[1:] },
		"long hash":       func(m *directoryv1.Argon2Id) { m.Hash = append(m.Hash, 0) },
	} {
		m := proto.Clone(d.Message()).(*directoryv1.Argon2Id)
		change(m)
		if _, err := password.Of(m); !errors.Is(err, password.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := password.Of(nil); err == nil {
		t.Error("nothing is a digest")
	}
}

func TestADigestIsMaskedHoweverItIsPrinted(t *testing.T) {
	d := password.New("x")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, d); !strings.HasSuffix(got, "password digest") || len(got) > 40 {
			t.Errorf("%s prints %q", format, got)
		}
	}
}

func BenchmarkFits(b *testing.B) {
	d := password.New("x")
	for b.Loop() {
		d.Fits("y")
	}
}
