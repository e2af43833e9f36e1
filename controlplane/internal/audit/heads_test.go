package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// watch is heads whose clock the test moves.
type watch struct {
	*audit.Heads
	l   *ledger
	now time.Time
}

func (l *ledger) watch() *watch {
	w := &watch{Heads: l.heads(), l: l, now: time.Now()}
	w.At(func() time.Time { return w.now })
	return w
}

// look looks twice, as far apart as a doubt must last.
func (w *watch) look() {
	w.l.t.Helper()
	for range 2 {
		if err := w.Look(w.l.t.Context()); err != nil {
			w.l.t.Fatal(err)
		}
		w.now = w.now.Add(audit.Doubt)
	}
}

func (w *watch) signed() *edgev1.AuditHead {
	w.l.t.Helper()
	signed, _ := w.Signed(w.l.environment)
	head, err := w.l.signer.VerifyAudit(signed)
	if err != nil {
		w.l.t.Fatal(err)
	}
	return head
}

func (w *watch) wantAlarm(about string) {
	w.l.t.Helper()
	alarms, silent := w.Alarms(w.l.environment)
	if len(alarms) != 1 || !silent || !strings.Contains(alarms[0], about) {
		w.l.t.Fatalf("alarms %q, silent %v; want one about %q", alarms, silent, about)
	}
	events, err := w.l.db.Audit().Events(w.l.t.Context(), w.l.environment, audit.Question{Limit: 10, Outcome: audit.OutcomeAlarm})
	if err != nil || len(events) != 1 {
		w.l.t.Fatalf("%d events of the alarm, %v", len(events), err)
	}
}

func TestAHeadIsSignedWhenAChainMovesAndThenOnly(t *testing.T) {
	l := newLedger(t)
	w := l.watch()
	l.write(2)
	w.look()
	first, changed := w.Signed(l.environment)
	if head := w.signed(); head.GetNumber() != 2 || head.GetGlobalNumber() != 1 || head.GetEpoch() != 1 {
		t.Fatalf("signed is %v", head)
	}
	w.look()
	if again, _ := w.Signed(l.environment); again != first {
		t.Error("it was signed again, though nothing moved")
	}
	l.write(1)
	w.look()
	select {
	case <-changed:
	default:
		t.Error("nobody was told")
	}
	if head := w.signed(); head.GetNumber() != 3 {
		t.Errorf("signed is %v", head)
	}
}

func TestARecordThatIsRechainedUnderARunningReplicaIsAnAlarmAndNothingMoreIsSigned(t *testing.T) {
	l := newLedger(t)
	w := l.watch()
	l.write(5)
	w.look()
	before, _ := w.Signed(l.environment)
	l.tamper()
	l.rechain(func(record []byte) []byte {
		return []byte(strings.ReplaceAll(string(record), "createNodeGroup", "createNobGroups"))
	})
	w.look()
	w.wantAlarm("event 5")
	l.write(3)
	w.look()
	if after, _ := w.Signed(l.environment); after != before {
		t.Error("a head was signed after the alarm: nodes would forget what they saw")
	}
	w.wantAlarm("event 5") // once
}

func TestARecordThatIsRechainedWhileNothingRunsIsFoundByTheNextProcess(t *testing.T) {
	l := newLedger(t)
	l.write(5)
	l.watch().look()
	l.tamper()
	l.rechain(func(record []byte) []byte {
		return []byte(strings.ReplaceAll(string(record), "createNodeGroup", "createNobGroups"))
	})
	w := l.watch()
	w.look()
	w.wantAlarm("event 5")
}

func TestARecordWhoseKeptHeadsAreGoneTooIsFoundByANodesHello(t *testing.T) {
	l := newLedger(t)
	l.write(5)
	kept := l.head()
	l.tamper("DELETE FROM audit_witnesses")
	l.rechain(func(record []byte) []byte {
		return []byte(strings.ReplaceAll(string(record), "createNodeGroup", "createNobGroups"))
	})
	w := l.watch()
	w.look()
	if alarms, _ := w.Alarms(l.environment); len(alarms) > 0 {
		t.Fatalf("there is an alarm before the node came: %q", alarms)
	}
	if err := w.Witnessed(t.Context(), l.environment, "node_1", kept); err != nil {
		t.Fatal(err)
	}
	w.look()
	w.wantAlarm("node_1")
}

func TestAnEventThatIsGoneIsAnAlarmUntilANewEpochSaysSo(t *testing.T) {
	l := newLedger(t)
	w := l.watch()
	l.write(5)
	w.look()
	l.tamper("DELETE FROM audit_events WHERE chain = $chain AND number > 3",
		"UPDATE audit_heads SET (number, hash) = (SELECT number, hash FROM audit_events WHERE chain = $chain AND number = 3) WHERE chain = $chain")
	w.look()
	w.wantAlarm("event 5")
	l.openEpoch()
	w.look()
	if head := w.signed(); head.GetEpoch() != 2 || head.GetNumber() != 5 { // three, the alarm, and the opening
		t.Errorf("signed is %v", head)
	}
	if _, silent := w.Alarms(l.environment); silent {
		t.Error("nothing is signed in the new epoch")
	}
}

func TestADatabaseThatFailedOverIsNoAlarmIfAnEpochBeginsSoon(t *testing.T) {
	l := newLedger(t)
	w := l.watch()
	l.write(5)
	w.look()
	l.tamper("DELETE FROM audit_events WHERE chain = $chain AND number > 3",
		"UPDATE audit_heads SET (number, hash) = (SELECT number, hash FROM audit_events WHERE chain = $chain AND number = 3) WHERE chain = $chain")
	if err := w.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.openEpoch()
	w.look()
	if alarms, silent := w.Alarms(l.environment); len(alarms) > 0 || silent {
		t.Errorf("alarms %q, silent %v", alarms, silent)
	}
}

func TestAHeadThatNobodySignedIsNoProof(t *testing.T) {
	l := newLedger(t)
	w := l.watch()
	l.write(2)
	forged := l.head()
	forged.Signature[0] ^= 1
	if err := w.Witnessed(t.Context(), l.environment, "node_1", forged); err == nil {
		t.Error("a head with a wrong signature is taken")
	}
	unknown := l.head()
	unknown.KeyId = "another"
	if err := w.Witnessed(t.Context(), l.environment, "node_1", unknown); err != nil {
		t.Error(err)
	}
	if err := w.Witnessed(t.Context(), "env_another", "node_1", l.head()); err != nil {
		t.Error(err)
	}
	if kept, err := l.db.Audit().Witnesses(t.Context(), l.environment); err != nil || len(kept) > 0 {
		t.Errorf("%d heads are kept, %v", len(kept), err)
	}
}

func TestAWitnessNeverGoesBack(t *testing.T) {
	l := newLedger(t)
	w := l.watch()
	l.write(2)
	older := l.head()
	l.write(2)
	for _, signed := range []*edgev1.SignedAuditHead{l.head(), older} {
		if err := w.Witnessed(t.Context(), l.environment, "node_1", signed); err != nil {
			t.Fatal(err)
		}
	}
	status, err := audit.NewLog(l.db.Audit(), w.Heads).Status(t.Context(), l.environment)
	if err != nil || len(status.GetWitnesses()) != 1 || status.GetWitnesses()[0].GetNumber() != 4 || !status.GetIntact() {
		t.Fatalf("%v, %v", status, err)
	}
}
