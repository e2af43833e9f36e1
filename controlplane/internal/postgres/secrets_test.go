package postgres_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/secrets"
)

func TestReplicasThatNeedMaterialAtOnceGetTheSame(t *testing.T) {
	t.Parallel()
	db := open(t)
	v := vault(t, db)
	got := make([]string, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			material, err := v.Material(t.Context(), "signing-key", func() ([]byte, error) { return []byte(rand.Text()), nil })
			if err != nil {
				t.Errorf("material: %v", err)
			}
			got[i] = string(material)
		})
	}
	wg.Wait()
	for _, material := range got {
		if material == "" || material != got[0] {
			t.Errorf("got %q and %q", material, got[0])
		}
	}
}

func TestWrongRootKeyIsSaidAtTheStart(t *testing.T) {
	t.Parallel()
	db := open(t)
	vault(t, db)
	other, err := secrets.ParseRootKey(strings.Repeat("ff", 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.Open(t.Context(), other, db); !errors.Is(err, secrets.ErrWrongRootKey) {
		t.Errorf("got %v", err)
	}
}
