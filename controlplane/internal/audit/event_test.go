package audit

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

func TestWhatTheContractCallsSecretIsMaskedAtAnyDepth(t *testing.T) {
	for _, m := range []proto.Message{
		&adminv1.ApiKey{Name: "web", Key: "spk_secret-material"},
		&adminv1.AccessToken{Name: "ci", Token: "spat_secret-material"},
		&adminv1.JoinToken{Name: "join", Token: "secret-material"},
		&adminv1.Secret{Name: "s", Value: "secret-material"},
	} {
		text, err := proto.Marshal(Masked(m))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("secret-material")) || !bytes.Contains(text, []byte(masked)) {
			t.Errorf("%T: %q", m, text)
		}
		if original, err := proto.Marshal(m); err != nil || !bytes.Contains(original, []byte("secret-material")) {
			t.Errorf("%T: the message itself was changed", m)
		}
	}
}

func TestAnEventsSizeIsBoundedWhateverItChanges(t *testing.T) {
	d := NewDraft(Origin{Operation: "applyChanges"})
	for i := range 200 {
		d.Note(Change{Action: "create", Collection: "consumers", ID: strings.Repeat("x", i+1), After: &adminv1.Consumer{Description: strings.Repeat("y", 100_000)}})
	}
	e, err := d.Prepare()
	if err != nil {
		t.Fatal(err)
	}
	if size := proto.Size(e); size > 5<<20 || len(e.GetChanges()) != 200 {
		t.Errorf("%d bytes, %d changes", size, len(e.GetChanges()))
	}
	last := e.GetChanges()[199]
	if last.GetAfter() != nil || len(last.GetLeftOut()) != 32 || e.GetChanges()[0].GetAfter() == nil {
		t.Error("it isn't told what was left out")
	}
}

func TestANumberThatJSONCannotHoldRefusesNoWrite(t *testing.T) {
	d := NewDraft(Origin{Operation: "x"})
	d.Note(Change{Action: "create", Collection: "environments", ID: "env_1", After: &adminv1.Environment{Name: "a", Sequence: math.MaxUint64}})
	e, err := d.Prepare()
	if err != nil || len(e.GetChanges()[0].GetLeftOut()) != 32 {
		t.Fatalf("%v, %v", e, err)
	}
}

func TestAnEventIsWrittenOnceAndAQuietOneOnlyWithAChange(t *testing.T) {
	ctx := Ensure(t.Context(), System, "settleFleet")
	d := DraftOf(ctx)
	if e, err := d.Prepare(); e != nil || err != nil {
		t.Errorf("a quiet draft without a change is %v, %v", e, err)
	}
	Note(ctx, Change{Action: "update", Collection: "fleet"})
	if e, err := d.Prepare(); e == nil || err != nil {
		t.Errorf("with a change it is %v, %v", e, err)
	}
	d.Written()
	if e, err := d.Prepare(); e != nil || err != nil {
		t.Errorf("written it is %v, %v", e, err)
	}
	if next := DraftOf(Ensure(ctx, Command, "again")); next == d || next.origin.Actor != System || next.origin.Operation != "again" {
		t.Errorf("the next of the same request is %+v", next)
	}
}

func TestAHashIsOverAllThatIsBefore(t *testing.T) {
	first, err := Place(&adminv1.AuditEvent{Operation: "a"}, 1, make([]byte, 32), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	second, err := Place(&adminv1.AuditEvent{Operation: "b"}, 2, first.Hash, time.Now())
	if err != nil || second.check() != nil {
		t.Fatal(err, second.check())
	}
	if again := HashOf(make([]byte, 32), second.Record); bytes.Equal(again[:], second.Hash) {
		t.Error("the same record behind another event has the same hash")
	}
}
