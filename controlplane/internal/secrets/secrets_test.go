package secrets

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const rootHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func root(t testing.TB) RootKey {
	t.Helper()
	key, err := ParseRootKey(rootHex)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestRootKeyIsReadInEveryForm(t *testing.T) {
	want := root(t)
	raw := want.bytes[:]
	for _, text := range []string{
		rootHex, strings.ToUpper(rootHex), " " + rootHex + "\n", base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
	} {
		if got, err := ParseRootKey(text); err != nil || got != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "short", rootHex[:62], rootHex + "00", "zz" + rootHex[2:], base64.StdEncoding.EncodeToString(raw[:31])} {
		if _, err := ParseRootKey(text); !errors.Is(err, ErrRootKey) || (text != "" && strings.Contains(err.Error(), text)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"raw": raw, "text": []byte(rootHex + "\n")} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadRootKey(path); err != nil || got != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadRootKey(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestRootKeyIsMaskedHoweverItIsPrinted(t *testing.T) {
	key := root(t)
	for _, s := range []string{fmt.Sprint(key), fmt.Sprintf("%+v %#v %x", key, key, key), fmt.Sprint(&key), fmt.Sprintf("%v", struct{ K RootKey }{key})} {
		if strings.Contains(s, "1 2 3") || strings.Contains(s, "010203") || strings.Contains(s, "0x1, 0x2") {
			t.Errorf("%q shows it", s)
		}
	}
	if _, err := json.Marshal(key); err == nil {
		t.Error("it can be marshalled")
	}
}

func TestSealedOpensOnlyForItsPurposeAndRootKey(t *testing.T) {
	s := New(root(t))
	sealed, err := s.Seal("a", []byte("plain text"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := s.Open("a", sealed); err != nil || string(plain) != "plain text" {
		t.Fatalf("%q, %v", plain, err)
	}
	if bytes.Contains(sealed, []byte("plain")) {
		t.Error("it isn't sealed")
	}
	if again, err := s.Seal("a", []byte("plain text")); err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealed twice alike: %v", err)
	}
	other, err := ParseRootKey(strings.Repeat("ff", 32))
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"other purpose": func() ([]byte, error) { return s.Open("b", sealed) },
		"other root":    func() ([]byte, error) { return New(other).Open("a", sealed) },
		"empty":         func() ([]byte, error) { return s.Open("a", nil) },
		"cut":           func() ([]byte, error) { return s.Open("a", sealed[:len(sealed)-1]) },
	} {
		if _, err := open(); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := s.Open("a", bad); !errors.Is(err, ErrSealed) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

// memory is a Store in memory: what Postgres does with it is tested there.
type memory struct {
	lock sync.Mutex
	kept map[string][]byte
}

func (m *memory) Material(_ context.Context, name string) ([]byte, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.kept[name], nil
}

func (m *memory) AddMaterial(_ context.Context, name string, sealed []byte) ([]byte, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.kept[name] == nil {
		m.kept[name] = sealed
	}
	return m.kept[name], nil
}

func TestMaterialMovedToAnotherNameDoesNotOpen(t *testing.T) {
	store := &memory{kept: map[string][]byte{}}
	v, err := Open(t.Context(), root(t), store)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Material(t.Context(), "a", func() ([]byte, error) { return []byte("x"), nil }); err != nil {
		t.Fatal(err)
	}
	store.kept["b"] = store.kept["a"]
	if _, err := v.Material(t.Context(), "b", nil); !errors.Is(err, ErrSealed) {
		t.Errorf("got %v", err)
	}
	broken := errors.New("broken")
	if _, err := v.Material(t.Context(), "c", func() ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func FuzzOpenNeverPanics(f *testing.F) {
	s := New(root(f))
	sealed, err := s.Seal("a", []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if plain, err := s.Open("a", data); err == nil && string(plain) != "x" {
			t.Errorf("%x opened as %q", data, plain)
		}
	})
}
