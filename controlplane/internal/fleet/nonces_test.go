package fleet_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
)

func newNonces(t *testing.T, m *materials) *fleet.Nonces {
	t.Helper()
	nonces, err := fleet.LoadNonces(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return nonces
}

func TestNonceIsGoodForAMinuteOnEveryReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &materials{}
		here, there := newNonces(t, m), newNonces(t, m)
		certificate := []byte("certificate")
		nonce := here.For(certificate)
		if slices.Equal(nonce, here.For(certificate)) {
			t.Error("two nonces are the same")
		}
		time.Sleep(time.Minute - time.Millisecond)
		if err := there.Check(nonce, certificate); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Millisecond)
		for name, nonces := range map[string]*fleet.Nonces{"here": here, "there": there} {
			if err := nonces.Check(nonce, certificate); err == nil {
				t.Errorf("%s it outlives its minute", name)
			}
		}
	})
}

func TestNonceServesForItsCertificateAndInstallationAlone(t *testing.T) {
	nonces := newNonces(t, &materials{})
	nonce := nonces.For([]byte("a"))
	if nonces.Check(nonce, []byte("b")) == nil {
		t.Error("it serves for another certificate")
	}
	if newNonces(t, &materials{}).Check(nonce, []byte("a")) == nil {
		t.Error("it serves for another installation")
	}
}

func FuzzNoncesTakeNothingTheyDidNotMake(f *testing.F) {
	nonces, err := fleet.LoadNonces(f.Context(), &materials{})
	if err != nil {
		f.Fatal(err)
	}
	good := nonces.For([]byte("a"))
	f.Add(good, []byte("b"))
	f.Add(good[:40], []byte("a"))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, nonce, certificate []byte) {
		made := slices.Equal(nonce, good) && string(certificate) == "a"
		if err := nonces.Check(nonce, certificate); err == nil && !made {
			t.Errorf("%x is taken", nonce)
		}
	})
}
