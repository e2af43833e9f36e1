package edgetest

import (
	"bytes"
	"crypto/rand"
	"net/netip"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jwk"
	"github.com/sallyport/sallyport/proto/password"
)

var pepperSecret = bytes.Repeat([]byte("pepper.."), 4)

// Consumer adds or changes a consumer.
func (e *Edge) Consumer(t testing.TB, name string, suspended bool) id.ID {
	t.Helper()
	return e.Describe(t, &directoryv1.Consumer{Name: name, Suspended: suspended})
}

// Describe adds or changes a consumer, with all that the directory says of it but its id, which its name gives.
func (e *Edge) Describe(t testing.TB, c *directoryv1.Consumer) id.ID {
	t.Helper()
	sum := digest.KeyOf("consumers", c.GetName())
	self := id.ID(sum[:16])
	e.people[c.GetName()] = self
	c.Id = self[:]
	e.commit(t, Entry(t, digest.KeyOf("consumers", id.Text(id.Consumer, self)), &directoryv1.Entry{Body: &directoryv1.Entry_Consumer{Consumer: c}}))
	return self
}

// Key is what a test wants of an API key.
type Key struct {
	Scopes    []string
	Expires   time.Time
	Addresses []netip.Prefix
	// Routes are ids of routes and services that it is bound to.
	Routes []id.ID
	// Text is that of a key that another system made; "": it is made here.
	Text string
	// Watched says that somebody wants to know from where it is used.
	Watched bool
}

// Key adds an API key of a consumer, whom it adds if need be, and returns its text.
func (e *Edge) Key(t testing.TB, consumer string, k Key) string {
	t.Helper()
	owner, known := e.people[consumer]
	if !known {
		owner = e.Consumer(t, consumer, false)
	}
	text := k.Text
	if text == "" {
		made, err := apikey.Generate(rand.Reader, "test")
		if err != nil {
			t.Fatal(err)
		}
		text = made.Reveal()
	}
	e.commit(t, KeyEntry(t, text, owner, k))
	return text
}

// KeyEntry returns the directory's entry of a key.
func KeyEntry(t testing.TB, text string, owner id.ID, k Key) *edgev1.EntryChange {
	t.Helper()
	sum := Digest(t, text)
	self := id.ID(sum[:16])
	entry := &directoryv1.ApiKey{Digest: sum[:], Id: self[:], Consumer: owner[:], Scopes: k.Scopes, Watched: k.Watched, Imported: k.Text != ""}
	for _, route := range k.Routes {
		entry.Routes = append(entry.Routes, route[:])
	}
	if !k.Expires.IsZero() {
		entry.ExpiresAtMs = k.Expires.UnixMilli()
	}
	for _, p := range k.Addresses {
		entry.Addresses = append(entry.Addresses, p.String())
	}
	return Entry(t, digest.Key(sum), &directoryv1.Entry{Body: &directoryv1.Entry_ApiKey{ApiKey: entry}})
}

// Password is what a test wants of a password.
type Password struct {
	Username, Text string
	Scopes         []string
	Expires        time.Time
	Addresses      []netip.Prefix
}

// Password adds or changes a username and password of a consumer, whom it adds if need be.
func (e *Edge) Password(t testing.TB, consumer string, p Password) {
	t.Helper()
	owner, known := e.people[consumer]
	if !known {
		owner = e.Consumer(t, consumer, false)
	}
	key, of := digest.KeyOf("passwords", p.Username), password.New(p.Text)
	entry := &directoryv1.Password{Id: key[16:], Username: p.Username, Consumer: owner[:], Digest: of.Message(), Scopes: p.Scopes}
	if !p.Expires.IsZero() {
		entry.ExpiresAtMs = p.Expires.UnixMilli()
	}
	for _, a := range p.Addresses {
		entry.Addresses = append(entry.Addresses, a.String())
	}
	e.commit(t, Entry(t, key, &directoryv1.Entry{Body: &directoryv1.Entry_Password{Password: entry}}))
}

// RevokePassword removes a username.
func (e *Edge) RevokePassword(t testing.TB, username string) {
	t.Helper()
	key := digest.KeyOf("passwords", username)
	e.commit(t, &edgev1.EntryChange{Key: key[:]})
}

// Revoke removes a key.
func (e *Edge) Revoke(t testing.TB, text string) {
	t.Helper()
	sum := Digest(t, text)
	e.commit(t, &edgev1.EntryChange{Key: sum[:]})
}

// Block adds a block; b says of whom and until when.
func (e *Edge) Block(t testing.TB, b *directoryv1.Block) {
	t.Helper()
	self := id.New(e.Now)
	b.Id = self[:]
	e.commit(t, Entry(t, digest.KeyOf("blocks", id.Text(id.Block, self)), &directoryv1.Entry{Body: &directoryv1.Entry_Block{Block: b}}))
}

// Keys puts the keys of an issuer, as the control plane would: those that are good, and the thumbprints of those that were taken back.
func (e *Edge) Keys(t testing.TB, issuer string, keys []jwk.Key, retired ...[32]byte) {
	t.Helper()
	self := e.idOf("issuers", issuer)
	set := &directoryv1.KeySet{Issuer: self[:]}
	for _, key := range keys {
		set.Keys = append(set.Keys, key.AppendJSON(nil))
	}
	slices.SortFunc(set.Keys, bytes.Compare)
	for i := range retired {
		set.Retired = append(set.Retired, &directoryv1.RetiredKey{Thumbprint: retired[i][:], RetiredAtMs: e.Now.UnixMilli()})
	}
	e.commit(t, Entry(t, digest.KeyOf("key-sets", id.Text(id.Issuer, self)), &directoryv1.Entry{Body: &directoryv1.Entry_KeySet{KeySet: set}}))
}

// Digest returns a key's digest under the pepper of every Edge.
func Digest(t testing.TB, text string) apikey.Digest {
	t.Helper()
	pepper, err := apikey.NewPepper(pepperSecret)
	if err != nil {
		t.Fatal(err)
	}
	return pepper.Digest(text)
}

// Entry returns the change that puts an entry.
func Entry(t testing.TB, key digest.Key, entry *directoryv1.Entry) *edgev1.EntryChange {
	t.Helper()
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(entry)
	if err != nil {
		t.Fatal(err)
	}
	return &edgev1.EntryChange{Key: key[:], Entry: data}
}

// Fill puts many entries at once.
func (e *Edge) Fill(t testing.TB, changes []*edgev1.EntryChange) {
	t.Helper()
	e.commit(t, changes...)
}

// Fleet says who is in the fleet, in the order of their ids.
func (e *Edge) Fleet(t testing.TB, nodes ...id.ID) {
	t.Helper()
	fleet := &directoryv1.Fleet{}
	for _, node := range nodes {
		fleet.Nodes = append(fleet.Nodes, node[:])
	}
	e.commit(t, Entry(t, digest.KeyOf("fleets", "fleet"), &directoryv1.Entry{Body: &directoryv1.Entry_Fleet{Fleet: fleet}}))
}

// IdentityKeys says what identity tokens are signed with, newest first.
func (e *Edge) IdentityKeys(t testing.TB, keys ...*directoryv1.IdentityKey) {
	t.Helper()
	e.commit(t, Entry(t, digest.KeyOf("identity-keys", "identity-keys"), &directoryv1.Entry{Body: &directoryv1.Entry_IdentityKeys{
		IdentityKeys: &directoryv1.IdentityKeys{Keys: keys},
	}}))
}

func (e *Edge) addPepper(t testing.TB) {
	t.Helper()
	e.commit(t, Entry(t, digest.KeyOf("peppers", "1"), &directoryv1.Entry{Body: &directoryv1.Entry_Pepper{
		Pepper: &directoryv1.Pepper{Version: 1, Value: pepperSecret},
	}}))
}

func (e *Edge) commit(t testing.TB, changes ...*edgev1.EntryChange) {
	t.Helper()
	change, err := e.Directory.Prepare(changes)
	if err != nil {
		t.Fatal(err)
	}
	e.sequence++
	if err := e.Directory.Commit(change, e.sequence); err != nil {
		t.Fatal(err)
	}
}
