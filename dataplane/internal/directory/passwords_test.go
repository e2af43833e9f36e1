package directory

import (
	"bytes"
	"errors"
	"iter"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// passwordEntry is the n-th password, of a username and consumer; change may bend it.
func passwordEntry(t testing.TB, n, consumer int, username string, change func(*directoryv1.Password)) *edgev1.EntryChange {
	t.Helper()
	self, of := idOf(n), idOf(consumer)
	p := &directoryv1.Password{
		Id: self[:], Username: username, Consumer: of[:], Scopes: []string{"write", "read"},
		Digest: &directoryv1.Argon2Id{MemoryKib: 64, Passes: 1, Salt: bytes.Repeat([]byte{byte(n)}, 16), Hash: bytes.Repeat([]byte{byte(n)}, 32)},
	}
	if change != nil {
		change(p)
	}
	key := digest.KeyOf("passwords", username)
	return &edgev1.EntryChange{Key: key[:], Entry: stored(t, &directoryv1.Entry{Body: &directoryv1.Entry_Password{Password: p}})}
}

func commit(t testing.TB, d *Directory, changes ...*edgev1.EntryChange) {
	t.Helper()
	c, err := d.Prepare(changes)
	if err != nil {
		t.Fatal(err)
	}
	sequence, _ := d.Head()
	if err := d.Commit(c, sequence+1); err != nil {
		t.Fatal(err)
	}
}

func TestAPasswordIsFoundByItsUsernameUntilItIsGone(t *testing.T) {
	d := New()
	commit(t, d, consumer(t, 1, "alice"), passwordEntry(t, 10, 1, "alice@example.com", nil), passwordEntry(t, 11, 1, "Alice@example.com", nil))
	p, ok := d.Password("alice@example.com")
	if !ok || p.ID != idOf(10) || p.Consumer != idOf(1) || !p.Scopes.Has("read") || d.Counts().Passwords != 2 {
		t.Fatalf("%+v %v %+v", p, ok, d.Counts())
	}
	if _, ok := d.Password("bob"); ok {
		t.Error("an unknown username is found")
	}
	if n := testing.AllocsPerRun(100, func() { d.Password("alice@example.com") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	changed := passwordEntry(t, 10, 1, "alice@example.com", func(p *directoryv1.Password) { p.Scopes = nil })
	commit(t, d, changed)
	if p, _ := d.Password("alice@example.com"); p.Scopes.Len() != 0 || d.Counts().Passwords != 2 {
		t.Error("the change isn't in force")
	}
	commit(t, d, &edgev1.EntryChange{Key: changed.GetKey()})
	if _, ok := d.Password("alice@example.com"); ok || d.Counts().Passwords != 1 {
		t.Error("the password is still there")
	}
}

func TestASnapshotHoldsPasswordsAsDeltasDo(t *testing.T) {
	entries := []*edgev1.EntryChange{consumer(t, 1, "alice"), passwordEntry(t, 10, 1, "a", nil), passwordEntry(t, 11, 1, "b", nil)}
	by, whole := New(), New()
	commit(t, by, entries...)
	c, err := whole.PrepareSnapshot(iter.Seq2[*edgev1.EntryChange, error](func(yield func(*edgev1.EntryChange, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.Commit(c, 1); err != nil {
		t.Fatal(err)
	}
	_, one := by.Head()
	_, other := whole.Head()
	if _, ok := whole.Password("b"); !ok || one != other || whole.Counts() != by.Counts() {
		t.Fatalf("found %v, digests agree: %v", ok, one == other)
	}
	again := whole.state.Load().renumbered()
	if _, ok := again.passwords.get(passwordPlace(passwordKey("a"))); !ok {
		t.Error("renumbering loses passwords")
	}
}

func TestWhoWasLetInByAPasswordIsDeniedOnceItIsAnotherOne(t *testing.T) {
	home := netip.MustParseAddr("192.0.2.1")
	now := time.UnixMilli(5000)
	for name, test := range map[string]struct {
		change *edgev1.EntryChange
		want   problem.Code
	}{
		"the same":               {change: passwordEntry(t, 10, 1, "a", nil)},
		"other scopes":           {change: passwordEntry(t, 10, 1, "a", func(p *directoryv1.Password) { p.Scopes = nil })},
		"another password":       {change: passwordEntry(t, 10, 1, "a", func(p *directoryv1.Password) { p.Digest.Salt[0]++ }), want: problem.CredentialInvalid},
		"another object":         {change: passwordEntry(t, 12, 1, "a", nil), want: problem.CredentialInvalid},
		"gone":                   {change: &edgev1.EntryChange{Key: passwordEntry(t, 10, 1, "a", nil).GetKey()}, want: problem.CredentialInvalid},
		"expired":                {change: passwordEntry(t, 10, 1, "a", func(p *directoryv1.Password) { p.ExpiresAtMs = 5000 }), want: problem.CredentialExpired},
		"pinned elsewhere":       {change: passwordEntry(t, 10, 1, "a", func(p *directoryv1.Password) { p.Addresses = []string{"10.0.0.0/8"} }), want: problem.AddressNotAllowed},
		"consumer suspended":     {change: consumerEntry(t, 1, &directoryv1.Consumer{Suspended: true}), want: problem.ConsumerSuspended},
		"consumer blocked":       {change: blockedConsumer(t, 1, 1, 0), want: problem.Blocked},
		"address blocked":        {change: blockedRange(t, 1, "192.0.2.0/24", 0), want: problem.Blocked},
		"another user's changed": {change: passwordEntry(t, 11, 1, "b", nil)},
	} {
		d := New()
		commit(t, d, consumer(t, 1, "alice"), passwordEntry(t, 10, 1, "a", nil))
		was, _ := d.Password("a")
		commit(t, d, test.change)
		if code, _ := d.Denied(Bearer{Password: was, Consumer: idOf(1), Address: home}, now); code != test.want {
			t.Errorf("%s: %q", name, code)
		}
	}
}

func TestAPasswordThatCantBeCheckedIsRefusedWhole(t *testing.T) {
	for name, change := range map[string]func(*directoryv1.Password){
		"no id":            func(p *directoryv1.Password) { p.Id = nil },
		"no consumer":      func(p *directoryv1.Password) { p.Consumer = nil },
		"no digest":        func(p *directoryv1.Password) { p.Digest = nil },
		"a costly digest":  func(p *directoryv1.Password) { p.Digest.MemoryKib = 1 << 30 },
		"negative expiry":  func(p *directoryv1.Password) { p.ExpiresAtMs = -1 },
		"no range":         func(p *directoryv1.Password) { p.Addresses = []string{"nowhere"} },
		"another username": func(p *directoryv1.Password) { p.Username = "b" },
		"no username":      func(p *directoryv1.Password) { p.Username = "" },
	} {
		if _, err := New().Prepare([]*edgev1.EntryChange{passwordEntry(t, 1, 1, "a", change)}); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrKeyMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
