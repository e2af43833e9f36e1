package directory

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// wrap makes bytes a field of the message around them.
func wrap(number protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), body)
}

func TestBadEntriesAreRefused(t *testing.T) {
	sum, own := digestOf(1), idOf(1)
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)
	labelWithMore := wrap(3, append(append(wrap(1, []byte("k")), wrap(2, []byte("v"))...), unknown...))
	raw := func(like *edgev1.EntryChange, entry []byte) *edgev1.EntryChange {
		return &edgev1.EntryChange{Key: like.GetKey(), Entry: entry}
	}
	key := func(change func(*directoryv1.ApiKey)) *edgev1.EntryChange {
		k := &directoryv1.ApiKey{Digest: sum[:], Id: own[:], Consumer: own[:]}
		change(k)
		c := keyEntry(t, k)
		c.Key = sum[:]
		return c
	}
	tests := map[string]struct {
		change *edgev1.EntryChange
		want   error
	}{
		"no key":                    {&edgev1.EntryChange{Entry: []byte{1}}, ErrMalformed},
		"short key":                 {&edgev1.EntryChange{Key: sum[:31]}, ErrMalformed},
		"garbage":                   {raw(apiKey(t, 1, 1), []byte{0xff}), nil},
		"no body":                   {raw(apiKey(t, 1, 1), wrap(2, nil)), ErrMalformed},
		"too large":                 {raw(secret(t, 1, ""), bytes.Repeat([]byte{1}, maxEntry+1)), ErrMalformed},
		"unknown field in entry":    {raw(consumer(t, 1, ""), append(consumer(t, 1, "").GetEntry(), unknown...)), ErrUnknownField},
		"unknown field in body":     {raw(consumer(t, 1, ""), wrap(1, append(wrap(1, own[:]), unknown...))), ErrUnknownField},
		"unknown field in label":    {raw(consumer(t, 1, ""), wrap(1, append(wrap(1, own[:]), labelWithMore...))), ErrUnknownField},
		"name as number":            {raw(consumer(t, 1, ""), wrap(1, append(wrap(1, own[:]), protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 1)...))), ErrUnknownField},
		"digest under another key":  {raw(apiKey(t, 2, 1), apiKey(t, 1, 1).GetEntry()), ErrKeyMismatch},
		"consumer under a secret's": {raw(secret(t, 1, ""), consumer(t, 1, "").GetEntry()), ErrKeyMismatch},
		"secret of another id":      {raw(secret(t, 2, ""), secret(t, 1, "").GetEntry()), ErrKeyMismatch},
		"pepper of another version": {raw(pepper(t, 2), pepper(t, 1).GetEntry()), ErrKeyMismatch},
		"pepper without version":    {pepper(t, 0), ErrMalformed},
		"short pepper":              {raw(pepper(t, 1), wrap(4, []byte{8, 1, 18, 1, 'x'})), ErrMalformed},
		"node of 15 bytes":          {fleet(t, own[:15]), ErrMalformed},
		"nodes in no order":         {fleet(t, []byte("node------------"), []byte("-------------node")[:16], []byte("a---------------")), ErrMalformed},
		"node twice":                {fleet(t, own[:], own[:]), ErrMalformed},
		"fleet under another key":   {raw(consumer(t, 1, ""), fleet(t, own[:]).GetEntry()), ErrKeyMismatch},
		"short digest":              {key(func(k *directoryv1.ApiKey) { k.Digest = sum[:31] }), ErrMalformed},
		"short id":                  {key(func(k *directoryv1.ApiKey) { k.Id = own[:15] }), ErrMalformed},
		"no consumer":               {key(func(k *directoryv1.ApiKey) { k.Consumer = nil }), ErrMalformed},
		"expires before 1970":       {key(func(k *directoryv1.ApiKey) { k.ExpiresAtMs = -1 }), ErrMalformed},
		"block of nobody":           {blockEntry(t, 1, &directoryv1.Block{}), ErrMalformed},
		"block of a short id":       {blockEntry(t, 1, &directoryv1.Block{Target: &directoryv1.Block_Consumer{Consumer: own[:15]}}), ErrMalformed},
		"block of a long id":        {blockEntry(t, 1, &directoryv1.Block{Target: &directoryv1.Block_ApiKey{ApiKey: sum[:]}}), ErrMalformed},
		"block of one address":      {blockedRange(t, 1, "10.0.0.1", 0), ErrMalformed},
		"block of half of IPv4":     {blockedRange(t, 1, "::ffff:0.0.0.0/95", 0), ErrMalformed},
		"block that ends in 1969":   {blockedConsumer(t, 1, 1, -1), ErrMalformed},
		"block of another id":       {raw(blockedConsumer(t, 2, 1, 0), blockedConsumer(t, 1, 1, 0).GetEntry()), ErrKeyMismatch},
		"unknown field in block":    {raw(blockedConsumer(t, 1, 1, 0), wrap(5, append(wrap(1, own[:]), unknown...))), ErrUnknownField},
		"address without bits":      {key(func(k *directoryv1.ApiKey) { k.Addresses = []string{"10.0.0.1"} }), ErrMalformed},
	}
	d := New()
	_, before := d.Head()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			good := apiKey(t, 77, 1)
			_, err := d.Prepare([]*edgev1.EntryChange{good, tt.change})
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("delta: %v", err)
			}
			if _, err := d.PrepareSnapshot(all([]*edgev1.EntryChange{good, tt.change})); err == nil {
				t.Error("the snapshot is taken")
			}
			if err != nil && strings.Contains(err.Error(), "10.0.0.1") {
				t.Errorf("%v holds content", err)
			}
		})
	}
	if _, after := d.Head(); after != before {
		t.Error("something was applied")
	}
}

func TestSnapshotRefusesRemovalsDuplicatesAndReadErrors(t *testing.T) {
	d := New()
	if _, err := d.PrepareSnapshot(all([]*edgev1.EntryChange{gone(apiKey(t, 1, 1))})); !errors.Is(err, ErrMalformed) {
		t.Errorf("removal: %v", err)
	}
	if _, err := d.PrepareSnapshot(all([]*edgev1.EntryChange{consumer(t, 1, "a"), consumer(t, 1, "b")})); !errors.Is(err, ErrMalformed) {
		t.Errorf("duplicate: %v", err)
	}
	broken := errors.New("broken")
	_, err := d.PrepareSnapshot(func(yield func(*edgev1.EntryChange, error) bool) { yield(nil, broken) })
	if !errors.Is(err, broken) {
		t.Errorf("read error: %v", err)
	}
}

// strict knows the wire types that the contract uses today.
func TestStrictKnowsEveryKindOfTheContract(t *testing.T) {
	var walk func(protoreflect.MessageDescriptor)
	walk = func(m protoreflect.MessageDescriptor) {
		for i := range m.Fields().Len() {
			field := m.Fields().Get(i)
			if wireType(field.Kind()) < 0 || field.IsPacked() {
				t.Errorf("%s is of a kind that strict refuses", field.FullName())
			}
			if field.Message() != nil {
				walk(field.Message())
			}
		}
	}
	walk(entryDescriptor)
}

// checkPlain fails if the quick way to read an entry takes it for something else than the one that reads any.
func checkPlain(t *testing.T, stored []byte) (plain bool) {
	t.Helper()
	var quick, slow fact
	quickKey, plain := quick.takePlain(stored)
	if !plain {
		return false
	}
	slowKey, err := slow.takeAny(stored)
	if err != nil {
		t.Fatalf("%x is taken, but %v", stored, err)
	}
	if quickKey != slowKey || !reflect.DeepEqual(emptyAsNil(quick), emptyAsNil(slow)) {
		t.Fatalf("%x is taken for\n%+v, not for\n%+v", stored, quick, slow)
	}
	return true
}

func emptyAsNil(f fact) fact {
	f.scopes, f.addresses, f.ranges = append([]byte(nil), f.scopes...), append([]byte(nil), f.addresses...), append([]netip.Prefix(nil), f.ranges...)
	f.routes = append([]byte(nil), f.routes...)
	return f
}

// Whatever is done to an entry's bytes, the quick way refers it to the other or reads the same.
func TestPlainEntriesAreReadAsAnyAre(t *testing.T) {
	sum, own, of, route := digestOf(1), idOf(1), idOf(2), idOf(3)
	full := &directoryv1.ApiKey{
		Digest: sum[:], Id: own[:], Consumer: of[:], Scopes: []string{"read", "", "read"}, ExpiresAtMs: 1 << 40, Addresses: []string{"192.0.2.7/24", "::ffff:10.0.0.0/104"},
		Watched: true, Imported: true, Routes: [][]byte{route[:], of[:]},
	}
	for name, entry := range map[string][]byte{
		"key":                apiKey(t, 1, 1, "read", "team-7").GetEntry(),
		"key with all":       keyEntry(t, full).GetEntry(),
		"consumer":           consumer(t, 1, "näme").GetEntry(),
		"nameless":           consumer(t, 1, "").GetEntry(),
		"suspended consumer": consumerEntry(t, 1, &directoryv1.Consumer{Name: "n", Suspended: true}).GetEntry(),
	} {
		t.Run(name, func(t *testing.T) {
			if !checkPlain(t, entry) {
				t.Fatal("it goes the long way")
			}
			for at := range entry {
				checkPlain(t, entry[:at])
				checkPlain(t, append(bytes.Clone(entry[:at]), entry[at+1:]...))
				checkPlain(t, append(bytes.Clone(entry), entry[at:]...))
				for value := range 256 {
					changed := bytes.Clone(entry)
					changed[at] = byte(value)
					checkPlain(t, changed)
				}
			}
		})
	}
}

// A field that is there twice means the last one, one behind its place is none the less there: what isn't plain is still read.
func TestEntriesInAnotherFormAreRead(t *testing.T) {
	sum, own, of := digestOf(1), idOf(1), idOf(2)
	ids := append(wrap(2, own[:]), wrap(3, of[:])...)
	for name, body := range map[string][]byte{
		"in another order":  append(bytes.Clone(ids), wrap(1, sum[:])...),
		"id twice":          append(append(wrap(1, sum[:]), wrap(2, of[:])...), ids...),
		"length of 2 bytes": append(append(wrap(1, sum[:]), ids...), 4<<3|2, 0x80, 0),
	} {
		t.Run(name, func(t *testing.T) {
			d := New()
			load(t, d, 1, &edgev1.EntryChange{Key: sum[:], Entry: wrap(2, body)})
			if key, found := d.Key(sum); !found || key.ID != own || key.Consumer() != of {
				t.Errorf("%v, %v", key, found)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(apiKey(f, 1, 1, "read").GetKey(), apiKey(f, 1, 1, "read").GetEntry())
	for _, change := range []*edgev1.EntryChange{
		consumerEntry(f, 1, &directoryv1.Consumer{Name: "n", Labels: map[string]string{"a": "b"}}), secret(f, 1, "x"), pepper(f, 1), gone(pepper(f, 2)),
		blockedConsumer(f, 1, 2, 0), blockedKey(f, 2, 3, 1_800_000_000_000), blockedRange(f, 3, "192.0.2.0/24", 0), blockedRange(f, 4, "2001:db8::/32", 7),
		blockedRange(f, 5, "::ffff:192.0.2.0/120", 0), blockEntry(f, 6, &directoryv1.Block{}), gone(blockedConsumer(f, 1, 2, 0)),
	} {
		f.Add(change.GetKey(), change.GetEntry())
	}
	f.Fuzz(func(t *testing.T, key, entry []byte) {
		change := &edgev1.EntryChange{Key: key, Entry: entry}
		checkPlain(t, entry)
		d := New()
		prepared, err := d.Prepare([]*edgev1.EntryChange{change})
		if err != nil {
			return
		}
		m := model{}
		m.apply([]*edgev1.EntryChange{change})
		if prepared.Digest() != m.digest() {
			t.Fatal("the digest is another than the model's")
		}
		if err := d.Commit(prepared, 1); err != nil {
			t.Fatal(err)
		}
	})
}
