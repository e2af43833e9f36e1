package publish_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// tickets returns what a node has of ticket keys; nil: nothing.
func (r *replica) tickets() []*directoryv1.TicketKey {
	r.t.Helper()
	var found []*directoryv1.TicketKey
	_, err := r.db.Lanes(r.vault).DirectoryEntries(r.t.Context(), r.env, func(c *edgev1.EntryChange) error {
		var e directoryv1.Entry
		if err := proto.Unmarshal(c.GetEntry(), &e); err != nil {
			return err
		}
		if e.GetTicketKeys() != nil {
			found = e.GetTicketKeys().GetKeys()
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

func versions(keys []*directoryv1.TicketKey) (all []uint32) {
	for _, k := range keys {
		all = append(all, k.GetVersion())
	}
	return all
}

// speakTLS writes a certificate.
func (r *replica) speakTLS() {
	r.t.Helper()
	leaf := certificatetest.NewAuthority(r.t).Issue(r.t, "api.test")
	r.must(create("secrets", secretBody(r.t, "key", leaf.Key)), create("certificates", certificate(r.t, "api", leaf.Chain, "key", "api.test")))
}

func TestTicketKeysBeginWithTheFirstCertificateAndThreeAreKept(t *testing.T) {
	t.Parallel()
	r := start(t)
	if _, err := r.publisher.RotateTickets(t.Context(), r.env); asProblem(t, err).Code != problem.NotFound {
		t.Errorf("without a certificate: %v", err)
	}
	equal(t, "keys before a certificate", len(r.tickets()), 0)
	r.speakTLS()
	first := r.tickets()
	if !slices.Equal(versions(first), []uint32{1}) || len(first[0].GetValue()) != 32 || first[0].GetCreatedAtMs() == 0 {
		t.Fatalf("began with %v", versions(first))
	}
	r.must(patch("certificates", "api", `{"description":"changed"}`))
	if got := r.tickets(); !proto.Equal(got[0], first[0]) {
		t.Error("another certificate made another key")
	}
	for want := range 4 {
		made, err := r.another().publisher.RotateTickets(t.Context(), r.env)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "version", made.Version, uint32(want+2))
	}
	last := r.tickets()
	if !slices.Equal(versions(last), []uint32{5, 4, 3}) {
		t.Errorf("kept %v", versions(last))
	}
	seen := make(map[string]bool)
	for _, k := range append(last, first...) {
		seen[string(k.GetValue())] = true
	}
	equal(t, "different keys", len(seen), 4)
	r.consistent()
}

func TestTicketKeysAreRenewedWhenTheirLifeEndsByOneReplicaOfMany(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.speakTLS()
	if err := r.publisher.SettleAllTickets(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	equal(t, "keys within their life", len(r.tickets()), 1)
	if _, err := r.db.Pool().Exec(t.Context(), `UPDATE ticket_keys SET rotated_at = rotated_at - interval '2 hours'`); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		replica := r.another()
		all.Go(func() {
			if err := replica.publisher.SettleAllTickets(t.Context(), time.Hour); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := versions(r.tickets()); !slices.Equal(got, []uint32{2, 1}) {
		t.Errorf("kept %v", got)
	}
	r.consistent()
}

// A dump holds keys that were retired since: of which of them that is true nobody knows.
func TestOfAnEpochThatHasEndedNoTicketKeyIsKept(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.speakTLS()
	if _, err := r.publisher.RotateTickets(t.Context(), r.env); err != nil {
		t.Fatal(err)
	}
	before := r.tickets()
	if _, err := r.db.Pool().Exec(t.Context(), `UPDATE environments SET epoch = epoch + 1`); err != nil {
		t.Fatal(err)
	}
	if err := r.another().publisher.SettleAllTickets(t.Context(), publish.TicketLife); err != nil {
		t.Fatal(err)
	}
	after := r.tickets()
	if !slices.Equal(versions(after), []uint32{3}) {
		t.Fatalf("kept %v", versions(after))
	}
	for _, k := range before {
		if bytes.Equal(k.GetValue(), after[0].GetValue()) {
			t.Error("a key of the epoch before is there again")
		}
	}
}

func TestTicketKeysAreInNoRevisionNoEventAndNotReadableInTheDatabase(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.speakTLS()
	if _, err := r.publisher.RotateTickets(t.Context(), r.env); err != nil {
		t.Fatal(err)
	}
	for _, k := range r.tickets() {
		for _, where := range []string{
			`SELECT count(*) FROM directory_entries WHERE position($1::bytea IN entry) > 0`,
			`SELECT count(*) FROM audit_events WHERE position($1::bytea IN record) > 0`,
			`SELECT count(*) FROM objects WHERE position($1::bytea IN stored) > 0`,
		} {
			var n int
			if err := r.db.Pool().QueryRow(t.Context(), where, k.GetValue()).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s: %d %v", where, n, err)
			}
		}
	}
	var operations []string
	rows, err := r.db.Pool().Query(t.Context(), `SELECT operation FROM audit_events ORDER BY number`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var operation string
		if err := rows.Scan(&operation); err != nil {
			t.Fatal(err)
		}
		operations = append(operations, operation)
	}
	if n := strings.Count(strings.Join(operations, " "), "rotateTicketKeys"); n != 1 {
		t.Errorf("%d events of the rotation in %v", n, operations)
	}
}

func TestTicketKeysOfALostRootKeyAreReplaced(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.speakTLS()
	before := r.tickets()
	if err := r.publisher.ForgetSealed(t.Context(), r.env); err != nil {
		t.Fatal(err)
	}
	after := r.tickets()
	if !slices.Equal(versions(after), []uint32{2}) || bytes.Equal(after[0].GetValue(), before[0].GetValue()) {
		t.Errorf("kept %v", versions(after))
	}
	if _, err := r.publisher.RotateTickets(t.Context(), r.env); err != nil {
		t.Error(err)
	}
}
