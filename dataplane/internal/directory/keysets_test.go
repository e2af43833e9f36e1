package directory

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// keySet returns the key set of the n-th issuer.
func keySet(t testing.TB, n int, m *directoryv1.KeySet) *edgev1.EntryChange {
	t.Helper()
	own := idOf(n)
	m.Issuer = own[:]
	key := digest.KeyOf("key-sets", id.Text("iss", own))
	return &edgev1.EntryChange{Key: key[:], Entry: stored(t, &directoryv1.Entry{Body: &directoryv1.Entry_KeySet{KeySet: m}})}
}

func thumbprint(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func TestKeySetsComeAndGoLikeAnyEntry(t *testing.T) {
	one := keySet(t, 1, &directoryv1.KeySet{Keys: [][]byte{[]byte("a"), []byte("b")}})
	rotated := keySet(t, 1, &directoryv1.KeySet{Keys: [][]byte{[]byte("b")}, Retired: []*directoryv1.RetiredKey{{Thumbprint: thumbprint(7), RetiredAtMs: 5}}})
	two := keySet(t, 2, &directoryv1.KeySet{Keys: [][]byte{[]byte("c")}})
	others := []*edgev1.EntryChange{consumer(t, 1, "shop"), pepper(t, 1)}
	d, before := New(), New()
	apply(t, d, others...)
	apply(t, before, others...)
	if d.KeySet(idOf(1)) != nil {
		t.Fatal("keys of nobody")
	}
	apply(t, d, one, two)
	was, other := d.KeySet(idOf(1)), d.KeySet(idOf(2))
	if len(was.Keys) != 2 || string(other.Keys[0]) != "c" || was.Issuer != idOf(1) {
		t.Fatalf("%+v, %+v", was, other)
	}
	apply(t, d, consumer(t, 3, "other"), gone(consumer(t, 3, "")))
	if d.KeySet(idOf(1)) != was {
		t.Error("another pointer, though nothing changed")
	}
	apply(t, d, rotated)
	is := d.KeySet(idOf(1))
	if len(is.Keys) != 1 || len(is.Retired) != 1 || is.Retired[0] != (RetiredKey{Thumbprint: [32]byte(thumbprint(7)), AtMs: 5}) || len(was.Keys) != 2 {
		t.Errorf("%+v became %+v", was, is)
	}
	if d.KeySet(idOf(2)) != other {
		t.Error("another issuer's keys changed too")
	}
	loaded := New()
	load(t, loaded, 4, append(others, rotated, two)...)
	if headOf(loaded) != headOf(d) || len(loaded.KeySet(idOf(1)).Retired) != 1 || loaded.KeySet(idOf(2)) == nil {
		t.Error("by changes and by a snapshot they are others")
	}
	apply(t, d, gone(one), gone(two))
	if d.KeySet(idOf(1)) != nil || d.KeySet(idOf(2)) != nil || headOf(d) != headOf(before) {
		t.Error("keys that are gone are there")
	}
}

func TestAKeySetThatIsntTheControlPlanesIsRefused(t *testing.T) {
	many := &directoryv1.KeySet{}
	retired := &directoryv1.KeySet{}
	for i := range byte(65) {
		many.Keys = append(many.Keys, []byte{i})
		retired.Retired = append(retired.Retired, &directoryv1.RetiredKey{Thumbprint: thumbprint(i)})
	}
	foreign := keySet(t, 1, &directoryv1.KeySet{})
	foreign.Key = keySet(t, 2, &directoryv1.KeySet{}).GetKey()
	for name, tt := range map[string]struct {
		change *edgev1.EntryChange
		want   error
	}{
		"too many keys":     {keySet(t, 1, many), ErrMalformed},
		"too many retired":  {keySet(t, 1, retired), ErrMalformed},
		"empty key":         {keySet(t, 1, &directoryv1.KeySet{Keys: [][]byte{{}}}), ErrMalformed},
		"huge key":          {keySet(t, 1, &directoryv1.KeySet{Keys: [][]byte{make([]byte, maxSetKey+1)}}), ErrMalformed},
		"key twice":         {keySet(t, 1, &directoryv1.KeySet{Keys: [][]byte{[]byte("a"), []byte("a")}}), ErrMalformed},
		"out of order":      {keySet(t, 1, &directoryv1.KeySet{Keys: [][]byte{[]byte("b"), []byte("a")}}), ErrMalformed},
		"short thumbprint":  {keySet(t, 1, &directoryv1.KeySet{Retired: []*directoryv1.RetiredKey{{Thumbprint: thumbprint(1)[:31]}}}), ErrMalformed},
		"another's key":     {foreign, ErrKeyMismatch},
		"block of no jti":   {blockedToken(t, 1, 1, "", 0), ErrMalformed},
		"block of long sub": {blockedSubject(t, 1, 1, string(make([]byte, maxIssued+1)), 0), ErrMalformed},
		"block of no issuer": {blockEntry(t, 1, &directoryv1.Block{Target: &directoryv1.Block_Token{
			Token: &directoryv1.IssuedToken{Id: "a"},
		}}), ErrMalformed},
	} {
		if _, err := New().Prepare([]*edgev1.EntryChange{tt.change}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
