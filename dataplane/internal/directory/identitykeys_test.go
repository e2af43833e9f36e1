package directory

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/identitykey"
)

// identityEntry says that the second of two keys and all behind it sign from the beginning on, the first from an hour on.
func identityEntry(t *testing.T, versions ...uint32) *edgev1.EntryChange {
	t.Helper()
	keys := &directoryv1.IdentityKeys{}
	for i, version := range versions {
		from := time.Unix(0, 0)
		if i == 0 {
			from = from.Add(time.Hour)
		}
		key, err := identitykey.New(version, time.Unix(0, 0), from)
		if err != nil {
			t.Fatal(err)
		}
		keys.Keys = append(keys.Keys, key)
	}
	return identityChange(t, keys)
}

func identityChange(t *testing.T, keys *directoryv1.IdentityKeys) *edgev1.EntryChange {
	t.Helper()
	key := digest.KeyOf("identity-keys", "identity-keys")
	return &edgev1.EntryChange{Key: key[:], Entry: stored(t, &directoryv1.Entry{Body: &directoryv1.Entry_IdentityKeys{IdentityKeys: keys}})}
}

func TestIdentityKeysComeAndGoLikeAnyEntry(t *testing.T) {
	others := []*edgev1.EntryChange{consumer(t, 1, "shop"), apiKey(t, 2, 1), secret(t, 3, "s"), pepper(t, 1), fleet(t), ticketEntry(t, 1)}
	d, before := New(), New()
	if d.IdentityKeys() != nil || d.IdentityKeys().Signer(time.Unix(0, 0)) != nil || string(d.IdentityKeys().Set()) != `{"keys":[]}` {
		t.Error("an empty directory has identity keys")
	}
	apply(t, d, others...)
	apply(t, before, others...)
	first, second := identityEntry(t, 1), identityEntry(t, 2, 1)
	apply(t, d, first)
	apply(t, d, second)
	was := d.IdentityKeys()
	if was.Signer(time.Unix(3599, 0)).Version != 1 || was.Signer(time.Unix(3600, 0)).Version != 2 || bytes.Count(was.Set(), []byte(`"kid"`)) != 4 {
		t.Errorf("the set is %s", was.Set())
	}
	apply(t, d, consumer(t, 1, "shop"))
	if d.IdentityKeys() != was {
		t.Error("another pointer, though nothing changed")
	}
	loaded := New()
	load(t, loaded, 4, append(others, second)...)
	if !bytes.Equal(loaded.IdentityKeys().Set(), was.Set()) || headOf(loaded) != headOf(d) {
		t.Error("by changes and by a snapshot they are different")
	}
	apply(t, d, gone(first))
	if d.IdentityKeys() != nil || headOf(d) != headOf(before) {
		t.Error("keys that are gone are still there")
	}
	for _, text := range []string{fmt.Sprint(was), fmt.Sprintf("%+v", was), fmt.Sprintf("%#v", was)} {
		if text != "identity keys" {
			t.Errorf("printed %q", text)
		}
	}
}

func TestIdentityKeysThatCantSignAreRefusedWhole(t *testing.T) {
	d := New()
	apply(t, d, identityEntry(t, 4))
	short, err := identitykey.New(1, time.Unix(0, 0), time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	short.P256 = short.GetP256()[1:]
	for name, bad := range map[string]*edgev1.EntryChange{
		"none": identityEntry(t), "nine": identityEntry(t, 9, 8, 7, 6, 5, 4, 3, 2, 1), "out of order": identityEntry(t, 1, 2), "twice": identityEntry(t, 2, 2),
		"without version": identityEntry(t, 0), "a short key": identityChange(t, &directoryv1.IdentityKeys{Keys: []*directoryv1.IdentityKey{short}}),
	} {
		if _, err := d.Prepare([]*edgev1.EntryChange{bad}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d.IdentityKeys().Signer(time.Unix(0, 0)).Version != 4 {
		t.Error("the keys before are gone")
	}
}
