package signin

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestAPasswordIsKeptAsArgon2idWithASaltOfItsOwn(t *testing.T) {
	p := NewPasswords()
	const password = "correct horse battery staple"
	first, err := p.Digest(t.Context(), password)
	if err != nil || !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q, %v", first, err)
	}
	if second, _ := p.Digest(t.Context(), password); second == first {
		t.Error("two digests of one password are the same")
	}
	for given, want := range map[string]bool{password: true, password + " ": false, strings.ToUpper(password): false, "": false, strings.Repeat("x", 2000): false} {
		if same, err := p.Verify(t.Context(), first, given); err != nil || same != want {
			t.Errorf("%.30q: %v, %v", given, same, err)
		}
	}
	if same, err := p.Verify(t.Context(), "", password); err != nil || same {
		t.Errorf("without a digest: %v, %v", same, err)
	}
	for _, foreign := range []string{"plain", strings.Replace(first, "m=19456", "m=8", 1), strings.Replace(first, "argon2id", "argon2i", 1), first + "=", first[:len(first)-1]} {
		if same, err := p.Verify(t.Context(), foreign, password); !errors.Is(err, errDigest) || same {
			t.Errorf("%q: %v, %v", foreign, same, err)
		}
	}
}

// A crowd must not take the memory of the control plane.
func TestFewPasswordsAreCheckedAtOnceAndABoundedCrowdWaits(t *testing.T) {
	p := NewPasswords()
	for range hashesAtOnce {
		p.slots <- struct{}{}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Digest(gone, "x"); problem.CodeOf(err) != problem.Unavailable {
		t.Errorf("who has gone: %v", err)
	}
	p.waiting.Store(hashesWaiting)
	if _, err := p.Digest(t.Context(), "x"); problem.CodeOf(err) != problem.Unavailable {
		t.Errorf("one more than may wait: %v", err)
	}
	if p.waiting.Load() != hashesWaiting {
		t.Errorf("%d wait", p.waiting.Load())
	}
}
