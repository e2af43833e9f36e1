package keylife_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/keylife"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

var (
	home = []byte{192, 0, 2, 1}
	away = []byte{198, 51, 100, 7}
)

func (w *world) useOf(name string) *adminv1.ApiKeyUse {
	w.t.Helper()
	use, err := w.keys.Use(w.t.Context(), w.request(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return use
}

func addresses(use *adminv1.ApiKeyUse) (all []string) {
	for _, a := range use.GetAddresses() {
		all = append(all, a.GetAddress())
	}
	return all
}

// What was used before the rotation tells nothing of whether the key is still needed.
func TestTheUseOfARotatedKeyCountsFromItsRotation(t *testing.T) {
	w := newWorld(t)
	key := w.key("web", "")
	before := time.Now().Add(-time.Hour)
	w.used(key, 5, before, home)
	if use := w.useOf("web"); use.GetRequests() != 5 || len(use.GetAddresses()) != 0 { // it wasn't made yet then
		t.Errorf("before: %v", use)
	}
	w.apply(publish.Rotate, "api-keys", "web", `{"overlap":"24h"}`)
	quiet := w.useOf("web")
	if quiet.GetRequests() != 0 || len(quiet.GetAddresses()) != 0 || quiet.GetRotatedTo() == "" || !quiet.GetRotatedAt().IsValid() || !quiet.GetExpiresAt().IsValid() {
		t.Errorf("rotated: %v", quiet)
	}
	w.exec("UPDATE api_keys SET rotated_at = rotated_at - interval '1 hour'")
	after := time.Now()
	w.used(key, 2, after, home, away, home)
	w.apply(publish.Patch, "api-keys", "web", `{"description":"changed since"}`)
	use := w.useOf("web")
	if use.GetRequests() != 2 || fmt.Sprint(addresses(use)) != "[192.0.2.1 198.51.100.7]" || use.GetMoreAddresses() {
		t.Errorf("used: %v", use)
	}
	if use.GetLastUsedAt().AsTime().UnixMilli() != after.UnixMilli() || !use.GetCoverage().GetComplete() {
		t.Errorf("used: %v", use)
	}
}

func TestTheAddressesOfAKeyAreBoundedAndTheLatestAreTold(t *testing.T) {
	w := newWorld(t)
	key := w.key("web", "")
	var many [][]byte
	for n := range 60 {
		many = append(many, []byte{10, 0, 0, byte(n)})
	}
	w.ago("web", time.Hour)
	w.used(key, 60, time.Now(), many...)
	if use := w.useOf("web"); len(use.GetAddresses()) != 50 || !use.GetMoreAddresses() || use.GetAddresses()[0].GetAddress() != "10.0.0.0" {
		t.Errorf("%d addresses, the first %v", len(use.GetAddresses()), use.GetAddresses()[0])
	}
}

const day = 24 * time.Hour

func TestKeysThatNobodyUsesAreRetiredAndOthersStay(t *testing.T) {
	w := newWorld(t)
	const retire = `,"retire_after_silence":"720h"`
	for _, name := range []string{"never-used", "used-long-ago", "used-lately"} {
		key := w.key(name, retire)
		w.ago(name, 60*day)
		switch name {
		case "used-long-ago":
			w.used(key, 1, time.Now().Add(-31*day))
		case "used-lately":
			w.used(key, 1, time.Now().Add(-29*day))
		}
	}
	w.key("young", retire)
	w.key("just-within-the-lag", retire)
	w.ago("just-within-the-lag", 30*day+30*time.Minute)
	w.key("without", "")
	w.ago("without", 60*day)
	if err := w.retirer.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, stays := range map[string]bool{
		"never-used": false, "used-long-ago": false, "used-lately": true, "young": true, "just-within-the-lag": true, "without": true,
	} {
		if w.has(name) != stays {
			t.Errorf("%s stays: %v, want %v", name, w.has(name), stays)
		}
	}
	denial, err := w.db.Denial(t.Context(), w.env, directory.APIKeys, "never-used")
	if err != nil || denial.Cause != publish.CauseSilent {
		t.Errorf("%+v, %v", denial, err)
	}
	if deeds := w.deeds(); deeds["retire"] != 2 || deeds["delete"] != 0 {
		t.Errorf("it is recorded as %v", deeds)
	}
}

// A node that can't be heard may have let the key in.
func TestNoKeyIsRetiredWhileItIsNotKnownThatAllUseWasReported(t *testing.T) {
	for name, trouble := range map[string]func(*world){
		"a node is silent":   func(w *world) { w.enrol("lost", time.Now().Add(-10*day)) },
		"a batch is missing": func(w *world) { w.report(7, w.key("other", ""), 1, time.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.key("silent", `,"retire_after_silence":"720h"`)
			w.ago("silent", 60*day)
			trouble(w)
			if err := w.retirer.Look(t.Context()); err != nil || !w.has("silent") {
				t.Fatalf("it was retired, or %v", err)
			}
		})
	}
}

func TestALookAtManyKeysGoesOnWhereTheOneBeforeEnded(t *testing.T) {
	w := newWorld(t)
	w.key("used", `,"retire_after_silence":"720h"`)
	// Silent for about as long as they may be: they are looked at, and stay.
	w.exec(`WITH k AS (SELECT *, row_number() OVER () AS one FROM api_keys), e AS (
		INSERT INTO directory_entries (environment, key, sequence, entry, hash, sealed)
		SELECT k.environment, decode(lpad(to_hex(n), 64, '0'), 'hex'), 100000 + n, '\x01', decode(repeat('11', 16), 'hex'), false FROM k, generate_series(1, $1::int) AS n)
		INSERT INTO api_keys (environment, id, name, consumer, prefix, last_four, entry_key, created_at, updated_at, retire_after_seconds)
		SELECT k.environment, 'key_01000000000000000000' || lpad(n::text, 6, '0'), 'many-' || n, k.consumer, '', '', decode(lpad(to_hex(n), 64, '0'), 'hex'),
			now() - interval '30 days', now(), 2591000 FROM k, generate_series(1, $1::int) AS n`, keylife.Pages)
	w.ago("used", 60*day)
	if err := w.retirer.Look(t.Context()); err != nil || !w.has("used") {
		t.Fatalf("the first look came to the last key, or %v", err)
	}
	if err := w.retirer.Look(t.Context()); err != nil || w.has("used") {
		t.Fatalf("the second look didn't come to the last key, or %v", err)
	}
}

func TestMoreKeysThanAreRevokedAtOnceAreRevokedByAskingAgain(t *testing.T) {
	w := newWorld(t)
	const all = 6000
	var ops []publish.Operation
	for range all {
		ops = append(ops, publish.Operation{Verb: publish.Create, Collection: "api-keys", Body: []byte(`{"consumer":"app"}`)})
	}
	r := w.request()
	if _, err := w.publisher.Apply(t.Context(), publish.Batch{Environment: w.env, Author: r.Author, Operations: ops}); err != nil {
		t.Fatal(err)
	}
	revoked := 0
	for more := true; more; {
		answer, _, err := w.keys.Revoke(t.Context(), r, &adminv1.RevokeApiKeysRequest{Consumer: "app"})
		if err != nil || len(answer.GetRevoked()) == 0 {
			t.Fatalf("%d revoked, then %v", revoked, err)
		}
		revoked += len(answer.GetRevoked())
		if more = answer.GetMore(); more != (revoked < all) {
			t.Fatalf("more: %v after %d", more, revoked)
		}
	}
	if revoked != all {
		t.Errorf("revoked %d of %d", revoked, all)
	}
}
