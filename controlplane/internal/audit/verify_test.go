package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// ledger is a database with an environment, its chains, and who signs their heads.
type ledger struct {
	t           testing.TB
	db          *postgres.DB
	signer      *fleet.Signer
	stats       *audit.Stats
	dsn         string
	environment string
}

func newLedger(t testing.TB) *ledger {
	t.Helper()
	ctx := context.Background()
	l := &ledger{t: t, dsn: postgrestest.Database(t, postgres.Migrate), stats: new(audit.Stats)}
	var err error
	if l.db, err = postgres.Open(ctx, l.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.db.Close)
	root, err := secrets.ParseRootKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secrets.Open(ctx, root, l.db)
	if err != nil {
		t.Fatal(err)
	}
	if l.signer, err = fleet.LoadSigner(ctx, vault); err != nil {
		t.Fatal(err)
	}
	made, err := environments.New(l.db, vault).Create(ctx, &adminv1.Environment{Name: "production"}, access.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	l.environment = made.GetId()
	return l
}

// write writes events into the environment's chain, as node groups are made.
func (l *ledger) write(n int) {
	l.t.Helper()
	groups := fleet.NewGroups(l.db.Fleet())
	for range n {
		name := fmt.Sprintf("g-%d", time.Now().UnixNano())
		ctx := audit.WithDraft(context.Background(), audit.NewDraft(audit.Origin{Actor: audit.Command, Operation: "createNodeGroup"}))
		if _, err := groups.Create(ctx, l.environment, &adminv1.NodeGroup{Name: name}); err != nil {
			l.t.Fatal(err)
		}
	}
}

// tamper changes the table as somebody does who owns the database.
func (l *ledger) tamper(statements ...string) {
	l.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, l.dsn)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range append([]string{"ALTER TABLE audit_events DISABLE TRIGGER ALL"}, statements...) {
		if _, err := conn.Exec(ctx, strings.ReplaceAll(statement, "$chain", "'"+l.environment+"'")); err != nil {
			l.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// rechain changes an event and then writes everything behind it anew, consistently, the head included.
func (l *ledger) rechain(edit func(record []byte) []byte) {
	l.t.Helper()
	ctx := context.Background()
	var rows []audit.Stored
	err := l.db.Audit().Walk(ctx, l.environment, 0, time.Time{}, time.Time{}, func(s audit.Stored) error {
		rows = append(rows, s)
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, l.dsn)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	previous := make([]byte, 32)
	for _, s := range rows {
		record := edit(s.Record)
		hash := audit.HashOf(previous, record)
		if _, err := conn.Exec(ctx, "UPDATE audit_events SET record = $1, previous = $2, hash = $3 WHERE chain = $4 AND number = $5",
			record, previous, hash[:], s.Chain, int64(s.Number)); err != nil {
			l.t.Fatal(err)
		}
		previous = hash[:]
	}
	if _, err := conn.Exec(ctx, "UPDATE audit_heads SET hash = $1 WHERE chain = $2", previous, l.environment); err != nil {
		l.t.Fatal(err)
	}
}

func (l *ledger) verify(heads ...*edgev1.SignedAuditHead) error {
	_, err := audit.Verify(context.Background(), l.db.Audit(), l.signer, audit.Verification{Heads: heads})
	return err
}

// head signs how far the chains go now.
func (l *ledger) head() *edgev1.SignedAuditHead {
	l.t.Helper()
	heads, err := l.db.Audit().Heads(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}
	head := &edgev1.AuditHead{Environment: l.environment}
	for _, h := range heads {
		switch h.Chain {
		case l.environment:
			head.Epoch, head.Number, head.Hash = h.Epoch, h.Number, h.Hash
		case "":
			head.GlobalNumber, head.GlobalHash = h.Number, h.Hash
		}
	}
	signed, err := l.signer.SignAudit(head)
	if err != nil {
		l.t.Fatal(err)
	}
	return signed
}

func (l *ledger) heads() *audit.Heads {
	return audit.NewHeads(l.db.Audit(), l.signer, slog.New(slog.DiscardHandler), l.stats)
}

func TestARecordThatNobodyTouchedHolds(t *testing.T) {
	l := newLedger(t)
	l.write(250) // more than is read at once
	done, err := audit.Verify(t.Context(), l.db.Audit(), l.signer, audit.Verification{Heads: []*edgev1.SignedAuditHead{l.head()}})
	if err != nil || done.Events != 251 || done.Chains != 2 || done.Heads != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	done, err = audit.Verify(t.Context(), l.db.Audit(), l.signer, audit.Verification{Environment: l.environment, From: 200})
	if err != nil || done.Events != 51 {
		t.Fatalf("from 200: %+v, %v", done, err)
	}
}

func TestEveryEditRemovalAndReorderIsFound(t *testing.T) {
	const event = " WHERE chain = $chain AND number = "
	tests := map[string]struct {
		number     uint64
		statements []string
	}{
		"a record's last byte": {4, []string{"UPDATE audit_events SET record = set_byte(record, length(record) - 1, 0)" + event + "4"}},
		"a hash":               {4, []string{"UPDATE audit_events SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1)" + event + "4"}},
		"a previous hash":      {4, []string{"UPDATE audit_events SET previous = set_byte(previous, 0, get_byte(previous, 0) # 1)" + event + "4"}},
		"the first removed":    {1, []string{"DELETE FROM audit_events" + event + "1"}},
		"the middle removed":   {4, []string{"DELETE FROM audit_events" + event + "4"}},
		"the last removed":     {8, []string{"DELETE FROM audit_events" + event + "8"}},
		"one removed and the rest moved up": {4, []string{
			"DELETE FROM audit_events" + event + "4", "UPDATE audit_events SET number = -number" + event + "ANY('{5,6,7,8}')",
			"UPDATE audit_events SET number = -number - 1 WHERE chain = $chain AND number < 0",
		}},
		"two swapped": {4, []string{
			"UPDATE audit_events SET number = 100" + event + "4", "UPDATE audit_events SET number = 4" + event + "5", "UPDATE audit_events SET number = 5" + event + "100",
		}},
		"one added at the end": {9, []string{
			"INSERT INTO audit_events SELECT chain, 9, record, previous, hash, id || 'x', at, actor, actor_name, operation, outcome, code, request_id, address, environment, opened_epoch, objects FROM audit_events" + event + "8",
		}},
		"the head moved back": {8, []string{"UPDATE audit_heads SET (number, hash) = (SELECT number, hash FROM audit_events" + event + "7) WHERE chain = $chain"}},
		"the head removed":    {8, []string{"DELETE FROM audit_heads WHERE chain = $chain"}},
		"all removed":         {8, []string{"DELETE FROM audit_events WHERE chain = $chain"}},
	}
	for column, value := range map[string]string{
		"id": "'evt_x'", "at": "at + interval '1 microsecond'", "actor": "'nobody'", "actor_name": "'nobody'", "operation": "'listRoutes'", "outcome": "'denied'",
		"code": "'forbidden'", "request_id": "'req_x'", "address": "'192.0.2.9'", "environment": "''", "opened_epoch": "7", "objects": "'{}'",
	} {
		tests["the column "+column] = struct {
			number     uint64
			statements []string
		}{4, []string{"UPDATE audit_events SET " + column + " = " + value + event + "4"}}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			l.write(8)
			if err := l.verify(); err != nil {
				t.Fatal(err)
			}
			l.tamper(tt.statements...)
			var broken *audit.BrokenError
			if err := l.verify(); !errors.As(err, &broken) || broken.Chain != l.environment || broken.Number != tt.number {
				t.Fatalf("it is told as %v", err)
			}
		})
	}
}

func TestAWhollyRechainedRecordIsFoundByWhoeverKeptAHead(t *testing.T) {
	edit := func(record []byte) []byte {
		return []byte(strings.ReplaceAll(string(record), "createNodeGroup", "createNobGroups"))
	}
	rewrite := func(l *ledger) {
		l.write(5)
		l.tamper("UPDATE audit_events SET operation = 'createNobGroups' WHERE chain = $chain")
		l.rechain(edit)
	}
	t.Run("nobody", func(t *testing.T) { // what it is about: the table alone can't tell
		l := newLedger(t)
		rewrite(l)
		if err := l.verify(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("an auditor", func(t *testing.T) {
		l := newLedger(t)
		l.write(3)
		kept := l.head()
		rewrite(l)
		wantBroken(t, l.verify(kept), 3)
	})
	t.Run("a node", func(t *testing.T) {
		l := newLedger(t)
		l.write(3)
		if err := l.heads().Witnessed(t.Context(), l.environment, "node_1", l.head()); err != nil {
			t.Fatal(err)
		}
		rewrite(l)
		wantBroken(t, l.verify(), 3)
	})
	t.Run("a node, whose kept head was changed too", func(t *testing.T) {
		l := newLedger(t)
		l.write(3)
		if err := l.heads().Witnessed(t.Context(), l.environment, "node_1", l.head()); err != nil {
			t.Fatal(err)
		}
		l.tamper("UPDATE audit_witnesses SET signed = set_byte(signed, 60, get_byte(signed, 60) # 1)")
		if err := l.verify(); err == nil {
			t.Fatal("a head that isn't as it was signed is believed")
		}
	})
}

func wantBroken(t *testing.T, err error, number uint64) {
	t.Helper()
	var broken *audit.BrokenError
	if !errors.As(err, &broken) || broken.Number != number {
		t.Fatalf("it is told as %v", err)
	}
}

func TestTheTableTakesNoChangeBySlip(t *testing.T) {
	l := newLedger(t)
	l.write(1)
	conn, err := pgx.Connect(t.Context(), l.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, statement := range []string{"UPDATE audit_events SET actor = 'me'", "DELETE FROM audit_events", "TRUNCATE audit_events"} {
		if _, err := conn.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "never changed") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestWhatARestoredDatabaseLostIsNoForgery(t *testing.T) {
	l := newLedger(t)
	l.write(3)
	before := l.head()
	l.write(4)
	kept := l.head()
	// The dump of three events is restored, and somebody says so.
	l.tamper("DELETE FROM audit_events WHERE chain = $chain AND number > 3",
		"UPDATE audit_heads SET (number, hash) = (SELECT number, hash FROM audit_events WHERE chain = $chain AND number = 3) WHERE chain = $chain")
	if err := l.verify(before); err != nil {
		t.Fatal(err)
	}
	wantBroken(t, l.verify(kept), 7)
	l.openEpoch()
	l.write(9)
	done, err := audit.Verify(t.Context(), l.db.Audit(), l.signer, audit.Verification{Heads: []*edgev1.SignedAuditHead{before, kept}})
	if err != nil || len(done.Notes) == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	// What was before the opening holds as ever.
	l.tamper("UPDATE audit_events SET operation = 'createNobGroups' WHERE chain = $chain AND operation = 'createNodeGroup'")
	l.rechain(func(record []byte) []byte {
		return []byte(strings.ReplaceAll(string(record), "createNodeGroup", "createNobGroups"))
	})
	wantBroken(t, l.verify(before), 3)
}

func TestWritersOfOneChainLeaveNoGap(t *testing.T) {
	l := newLedger(t)
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			groups := fleet.NewGroups(l.db.Fleet())
			for i := range 10 {
				if _, err := groups.Create(context.Background(), l.environment, &adminv1.NodeGroup{Name: fmt.Sprintf("g-%d-%d", w, i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	done, err := audit.Verify(t.Context(), l.db.Audit(), l.signer, audit.Verification{Environment: l.environment})
	if err != nil || done.Events != 80 {
		t.Fatalf("%+v, %v", done, err)
	}
}

func (l *ledger) openEpoch() {
	l.t.Helper()
	histories := epochs.New(l.db.Epochs(), nil, l.signer, slog.New(slog.DiscardHandler), new(epochs.Stats))
	if _, err := histories.OpenByHand(context.Background(), l.environment, "yesterday's dump", access.Actor{ID: "command"}); err != nil {
		l.t.Fatal(err)
	}
}
