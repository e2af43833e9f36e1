package directory

import (
	"net/netip"
	"testing"
	"time"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

var (
	blockTime = time.UnixMilli(1_800_000_000_000)
	home      = netip.MustParseAddr("192.0.2.1")
)

func TestDeniedSaysWhatKeepsABearerOut(t *testing.T) {
	expiring := func(n int) *edgev1.EntryChange {
		sum, key, of := digestOf(n), idOf(n), idOf(1)
		return keyEntry(t, &directoryv1.ApiKey{
			Digest: sum[:], Id: key[:], Consumer: of[:], ExpiresAtMs: blockTime.UnixMilli(), Addresses: []string{"192.0.2.0/24"},
		})
	}
	bound := func(n int) *edgev1.EntryChange {
		sum, key, of, route := digestOf(n), idOf(n), idOf(1), idOf(70)
		return keyEntry(t, &directoryv1.ApiKey{Digest: sum[:], Id: key[:], Consumer: of[:], Routes: [][]byte{route[:]}})
	}
	base := []*edgev1.EntryChange{consumer(t, 1, "app"), apiKey(t, 10, 1), apiKey(t, 11, 2), expiring(12), bound(13)}
	using := func(n, route, service int) Bearer {
		return Bearer{Digest: digestOf(n), Route: idOf(route), Service: idOf(service)}
	}
	key := func(n int) Bearer { return Bearer{Digest: digestOf(n), Address: home} }
	far := key(12)
	far.Address = netip.MustParseAddr("198.51.100.1")
	for name, tt := range map[string]struct {
		with []*edgev1.EntryChange
		who  Bearer
		at   time.Duration
		want problem.Code
	}{
		"let in":                     {who: key(10)},
		"anybody":                    {who: Bearer{Address: home}},
		"consumer of another proof":  {who: Bearer{Consumer: idOf(1), Address: home}},
		"unknown consumer":           {who: Bearer{Consumer: idOf(2), Address: home}, want: problem.CredentialInvalid},
		"revoked key":                {who: key(9), want: problem.CredentialInvalid},
		"key of nobody":              {who: key(11), want: problem.CredentialInvalid},
		"key of who was let in":      {who: Bearer{Digest: digestOf(10), Consumer: idOf(1), Address: home}},
		"key of another by now":      {who: Bearer{Digest: digestOf(10), Consumer: idOf(2), Address: home}, want: problem.CredentialInvalid},
		"key before its expiry":      {who: key(12), at: -time.Millisecond},
		"key at its expiry":          {who: key(12), want: problem.CredentialExpired},
		"pinned key elsewhere":       {who: far, at: -time.Millisecond, want: problem.AddressNotAllowed},
		"its route":                  {who: using(13, 70, 80)},
		"its service":                {who: using(13, 80, 70)},
		"another route":              {who: using(13, 71, 80), want: problem.AccessDenied},
		"any route":                  {who: using(10, 71, 80)},
		"suspended":                  {with: []*edgev1.EntryChange{consumerEntry(t, 1, &directoryv1.Consumer{Suspended: true})}, who: key(10), want: problem.ConsumerSuspended},
		"suspended, no key":          {with: []*edgev1.EntryChange{consumerEntry(t, 1, &directoryv1.Consumer{Suspended: true})}, who: Bearer{Consumer: idOf(1)}, want: problem.ConsumerSuspended},
		"blocked consumer":           {with: []*edgev1.EntryChange{blockedConsumer(t, 1, 1, 0)}, who: key(10), want: problem.Blocked},
		"blocked consumer, no key":   {with: []*edgev1.EntryChange{blockedConsumer(t, 1, 1, 0)}, who: Bearer{Consumer: idOf(1)}, want: problem.Blocked},
		"blocked key":                {with: []*edgev1.EntryChange{blockedKey(t, 1, 10, 0)}, who: key(10), want: problem.Blocked},
		"another key is blocked":     {with: []*edgev1.EntryChange{blockedKey(t, 1, 12, 0)}, who: key(10)},
		"consumer's id as a key's":   {with: []*edgev1.EntryChange{blockedKey(t, 1, 1, 0)}, who: key(10)},
		"blocked address":            {with: []*edgev1.EntryChange{blockedRange(t, 1, "192.0.2.0/24", 0)}, who: Bearer{Address: home}, want: problem.Blocked},
		"blocked address, mapped":    {with: []*edgev1.EntryChange{blockedRange(t, 1, "192.0.2.1/32", 0)}, who: Bearer{Address: netip.MustParseAddr("::ffff:192.0.2.1")}, want: problem.Blocked},
		"before the block ends":      {with: []*edgev1.EntryChange{blockedConsumer(t, 1, 1, blockTime.UnixMilli())}, who: key(10), at: -time.Millisecond, want: problem.Blocked},
		"when the block ends":        {with: []*edgev1.EntryChange{blockedConsumer(t, 1, 1, blockTime.UnixMilli())}, who: key(10)},
		"one ends, one stays":        {with: []*edgev1.EntryChange{blockedConsumer(t, 1, 1, 1), blockedConsumer(t, 2, 1, 0)}, who: key(10), want: problem.Blocked},
		"address block before a key": {with: []*edgev1.EntryChange{blockedRange(t, 1, "0.0.0.0/0", 0)}, who: key(9), want: problem.Blocked},
	} {
		t.Run(name, func(t *testing.T) {
			d := New()
			load(t, d, 1, base...)
			apply(t, d, tt.with...)
			code, denied := d.Denied(tt.who, blockTime.Add(tt.at))
			if code != tt.want || denied != (tt.want != "") {
				t.Errorf("%q, %v, want %q", code, denied, tt.want)
			}
		})
	}
}

func TestABlockTakenOutLetsInAgainAndLeavesNothingBehind(t *testing.T) {
	d := New()
	load(t, d, 1, consumer(t, 1, "app"), apiKey(t, 10, 1))
	_, before := d.Head()
	blocks := []*edgev1.EntryChange{blockedConsumer(t, 1, 1, 0), blockedKey(t, 2, 10, 0), blockedRange(t, 3, "192.0.2.0/24", 0), blockedRange(t, 4, "2001:db8::/32", 0)}
	apply(t, d, blocks...)
	if _, denied := d.Denied(Bearer{Digest: digestOf(10)}, blockTime); !denied || d.Counts().Blocks != len(blocks) {
		t.Fatalf("denied %v, %+v", denied, d.Counts())
	}
	for _, b := range blocks {
		apply(t, d, gone(b))
	}
	if code, denied := d.Denied(Bearer{Digest: digestOf(10), Address: home}, blockTime); denied {
		t.Error(code)
	}
	if _, after := d.Head(); after != before || d.Counts().Blocks != 0 || d.state.Load().blocks.Load() != nil {
		t.Errorf("%+v stay", d.state.Load().blocks.Load())
	}
}

// An entry that comes again with other content, as nobody writes it today, isn't half believed.
func TestABlockThatChangesItsTargetFreesTheOldOne(t *testing.T) {
	d := New()
	apply(t, d, consumer(t, 1, "a"), consumer(t, 2, "b"), blockedConsumer(t, 1, 1, 0), blockedRange(t, 2, "192.0.2.0/24", 0))
	apply(t, d, blockedConsumer(t, 1, 2, 0), blockedRange(t, 2, "2001:db8::/32", 0))
	for n, want := range map[int]bool{1: false, 2: true} {
		if _, denied := d.Denied(Bearer{Consumer: idOf(n)}, blockTime); denied != want {
			t.Errorf("consumer %d denied: %v", n, denied)
		}
	}
	if d.AddressBlocked(home, blockTime) || !d.AddressBlocked(netip.MustParseAddr("2001:db8::9"), blockTime) {
		t.Error("the range is the old one")
	}
}

func TestADroppedChangeBlocksNobody(t *testing.T) {
	d := New()
	apply(t, d, consumer(t, 1, "a"), blockedRange(t, 9, "198.51.100.0/24", 0))
	if _, err := d.Prepare([]*edgev1.EntryChange{blockedConsumer(t, 1, 1, 0), blockedRange(t, 2, "192.0.2.0/24", 0), gone(blockedRange(t, 9, "198.51.100.0/24", 0))}); err != nil {
		t.Fatal(err)
	}
	if _, denied := d.Denied(Bearer{Consumer: idOf(1), Address: home}, blockTime); denied {
		t.Error("a change that was only prepared is in force")
	}
	if !d.AddressBlocked(netip.MustParseAddr("198.51.100.1"), blockTime) {
		t.Error("a block that was only prepared to go has gone")
	}
}

func TestAskingAllocatesNothing(t *testing.T) {
	d := New()
	apply(t, d, consumer(t, 1, "a"), apiKey(t, 10, 1), blockedRange(t, 1, "198.51.100.0/24", 0), blockedRange(t, 2, "2001:db8::/32", 0), blockedKey(t, 3, 11, 0), blockedConsumer(t, 4, 2, 0))
	who := Bearer{Digest: digestOf(10), Address: home}
	six := netip.MustParseAddr("2001:db9::1")
	if n := testing.AllocsPerRun(100, func() {
		if _, denied := d.Denied(who, blockTime); denied || d.AddressBlocked(six, blockTime) {
			t.Error("denied")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestBlocksWithoutARangeOfALengthDontAskForIt(t *testing.T) {
	b := (blocks{}).with(targetIPv4, 24, new(targets)).with(targetIPv4, 8, new(targets)).with(targetIPv4, 24, nil)
	if len(b.v4) != 1 || b.v4[0].bits != 8 || b.with(targetIPv4, 8, nil).orNil() != nil {
		t.Errorf("%+v", b.v4)
	}
	var none id.ID
	if b.address(home, 0) || b.consumer(none, 0) {
		t.Error("empty tables block somebody")
	}
}
