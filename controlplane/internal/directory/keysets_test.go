package directory_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/jwk"
)

const someIssuer = "iss_01k00000000000000000000001"

// point is a new public key without a name.
func point(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(public)
}

// named is a key of that point as an issuer shows it.
func named(t *testing.T, kid, x string) jwk.Key {
	t.Helper()
	k, err := jwk.Parse(fmt.Appendf(nil, `{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q}`, kid, x))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func told(changes []directory.KeyChange) string {
	all := make([]string, len(changes))
	for i, c := range changes {
		all[i] = c.Action + " " + c.Key.KeyID
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestAKeySetIsWhatItsIssuerShowsAndRemembersWhatItTookBack(t *testing.T) {
	x, y := point(t), point(t)
	set := directory.KeySet{Issuer: someIssuer}
	begin := time.UnixMilli(1_800_000_000_000)
	for i, step := range []struct {
		shown   []jwk.Key
		changes string
		good    int
		retired int
	}{
		{nil, "", 0, 0},
		{[]jwk.Key{named(t, "x", x)}, "add-key x", 1, 0},
		{[]jwk.Key{named(t, "x", x)}, "", 1, 0},
		{[]jwk.Key{named(t, "y", y), named(t, "x", x)}, "add-key y", 2, 0},
		{[]jwk.Key{named(t, "x", x), named(t, "y", y)}, "", 2, 0},
		{[]jwk.Key{named(t, "x", x), named(t, "again", x), named(t, "y", y)}, "rename-key again", 3, 0}, // one key by two names
		{[]jwk.Key{named(t, "again", x), named(t, "y", y)}, "", 2, 0},                                   // it has the other still
		{[]jwk.Key{named(t, "y", y)}, "retire-key again", 1, 1},
		{[]jwk.Key{named(t, "y", y)}, "", 1, 1},
		{[]jwk.Key{named(t, "back", x)}, "retire-key y, return-key back", 1, 1},
		{nil, "retire-key back", 0, 2},
	} {
		now := begin.Add(time.Duration(i) * time.Hour)
		before := set
		next, changes := set.Shown(step.shown, now)
		if got := told(changes); got != step.changes || len(next.Keys) != step.good || len(next.Retired) != step.retired {
			t.Errorf("step %d: %q, %d good, %d retired", i, got, len(next.Keys), len(next.Retired))
		}
		for _, k := range next.Keys {
			if was := slices.IndexFunc(before.Keys, func(o directory.IssuerKey) bool { return o.Thumbprint == k.Thumbprint }); was >= 0 && !k.Since.Equal(before.Keys[was].Since) {
				t.Errorf("step %d: %s was first seen another time", i, k.KeyID)
			}
			if slices.ContainsFunc(next.Retired, func(o directory.IssuerKey) bool { return o.Thumbprint == k.Thumbprint }) {
				t.Errorf("step %d: %s is good and retired", i, k.KeyID)
			}
		}
		set = next
	}
}

func TestAnEntryHoldsTheLatestKeysThatWereRetired(t *testing.T) {
	set := directory.KeySet{Issuer: someIssuer}
	begin := time.UnixMilli(1_800_000_000_000)
	for i := range 300 {
		set, _ = set.Shown([]jwk.Key{named(t, fmt.Sprint("k", i), point(t))}, begin.Add(time.Duration(i)*time.Second))
	}
	if len(set.Retired) != 256 || set.Retired[255].KeyID != "k298" {
		t.Errorf("%d are remembered", len(set.Retired))
	}
	entry, err := set.Entry()
	if err != nil {
		t.Fatal(err)
	}
	var sent directoryv1.Entry
	if err := proto.Unmarshal(entry.Bytes, &sent); err != nil {
		t.Fatal(err)
	}
	earliest := begin.Add(time.Duration(300-64) * time.Second).UnixMilli()
	for _, k := range sent.GetKeySet().GetRetired() {
		if len(k.GetThumbprint()) != 32 || k.GetRetiredAtMs() < earliest {
			t.Errorf("sent is %v", k)
		}
	}
	if len(sent.GetKeySet().GetRetired()) != 64 || len(sent.GetKeySet().GetKeys()) != 1 || len(sent.GetKeySet().GetIssuer()) != 16 || entry.Key != directory.KeySetKey(someIssuer) {
		t.Errorf("sent are %d retired", len(sent.GetKeySet().GetRetired()))
	}
	if _, err := (directory.KeySet{Issuer: "con_01k00000000000000000000001"}).Entry(); err == nil {
		t.Error("an entry of no issuer was made")
	}
}
