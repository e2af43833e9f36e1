package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource"
)

// Outcomes of an operation.
const (
	OutcomeDone   = "done"
	OutcomeDenied = "denied"
	OutcomeAlarm  = "alarm"
)

const (
	// hashContext is in front of what is hashed, so that no hash over anything else is one of an event.
	hashContext = "sallyport audit v1\x00"
	// maxObjects bounds what an event shows of objects, in bytes. Of those beyond it has a digest.
	maxObjects = 4 << 20
	// maxMessage bounds an event's message, in bytes.
	maxMessage = 4096
)

// Hash is an event's, over its record and all events before.
type Hash [sha256.Size]byte

// Stored is an event as it lies in the table.
type Stored struct {
	Chain          string
	Number         uint64
	Record         []byte
	Previous, Hash []byte
	Columns        Columns
}

// Columns are what events are looked up by. They are drawn from the record.
type Columns struct {
	ID                          string
	Time                        time.Time
	Actor, ActorName, Operation string
	Outcome, Code               string
	RequestID, Address          string
	Environment                 string
	OpenedEpoch                 uint64
	Objects                     []string
}

// HashOf is the hash of an event behind another one.
func HashOf(previous, record []byte) Hash {
	h := sha256.New()
	h.Write([]byte(hashContext))
	h.Write(previous)
	h.Write(record)
	return Hash(h.Sum(nil))
}

// Prepare returns the event as far as it is known before its place in the chain is; nil when there is nothing to write: it is
// written already, or nothing was changed that is worth an event.
func (d *Draft) Prepare() (*adminv1.AuditEvent, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.written || d.quiet && len(d.changes) == 0 {
		return nil, nil
	}
	e := &adminv1.AuditEvent{
		Chain: d.chain, Environment: d.environment,
		Actor:   &adminv1.AuditActor{Id: d.origin.Actor.ID, Name: d.origin.Actor.Name, Role: d.origin.Actor.Role},
		Address: d.origin.Address, Operation: d.origin.Operation, Route: d.origin.Route, RequestId: d.origin.RequestID,
		Outcome: d.outcome, Code: d.code, Message: shorten(d.message, maxMessage), Attempts: d.attempts,
		Revision: d.revision, Sequence: d.sequence, OpenedEpoch: d.opened,
	}
	if e.Outcome == "" {
		e.Outcome = OutcomeDone
	}
	room := maxObjects
	for _, c := range d.changes {
		shown, err := show(c, &room)
		if err != nil {
			return nil, fmt.Errorf("record a change of %s %s: %w", c.Collection, c.ID, err)
		}
		e.Changes = append(e.Changes, shown)
	}
	return e, nil
}

// show is a change without secret material; without the objects, where they would take more than the room.
func show(c Change, room *int) (*adminv1.AuditChange, error) {
	shown := &adminv1.AuditChange{Action: c.Action, Collection: c.Collection, Id: c.ID, Name: c.Name, Fields: c.Fields}
	if c.Fields == nil && c.Before != nil && c.After != nil && c.Before.ProtoReflect().Descriptor() == c.After.ProtoReflect().Descriptor() {
		shown.Fields = resource.Differences(c.Before, c.After)
	}
	objects := new(adminv1.AuditChange)
	var errs [2]error
	objects.Before, errs[0] = structOf(c.Before)
	objects.After, errs[1] = structOf(c.After)
	if err := errors.Join(errs[:]...); err != nil {
		return leaveOut(shown, c.Before, c.After) // a number that JSON can't hold: no reason to refuse the write
	}
	if *room -= proto.Size(objects); *room < 0 {
		return leaveOut(shown, objects)
	}
	shown.Before, shown.After = objects.GetBefore(), objects.GetAfter()
	return shown, nil
}

// structOf is an object as the API shows it, its secret material masked.
func structOf(m proto.Message) (*structpb.Struct, error) {
	if m == nil {
		return nil, nil
	}
	return resource.AsStruct(Masked(m))
}

// leaveOut is a change with the digest of its objects, masked, in their place.
func leaveOut(shown *adminv1.AuditChange, objects ...proto.Message) (*adminv1.AuditChange, error) {
	digest := sha256.New()
	for _, m := range objects {
		if m == nil {
			continue
		}
		text, err := deterministic(Masked(m))
		if err != nil {
			return nil, err
		}
		digest.Write(text)
	}
	shown.LeftOut = digest.Sum(nil)
	return shown, nil
}

// Place gives a prepared event its place behind another one, and returns it as it is stored.
func Place(e *adminv1.AuditEvent, number uint64, previous []byte, at time.Time) (Stored, error) {
	at = at.UTC().Truncate(time.Microsecond) // as fine as Postgres keeps it
	e.Id, e.Number, e.Time = id.Text(id.AuditEvent, id.New(at)), number, timestamppb.New(at)
	e.PreviousHash, e.Hash, e.Record = nil, nil, nil
	record, err := deterministic(e)
	if err != nil {
		return Stored{}, err
	}
	hash := HashOf(previous, record)
	return Stored{Chain: e.GetChain(), Number: number, Record: record, Previous: previous, Hash: hash[:], Columns: columnsOf(e)}, nil
}

func deterministic(m proto.Message) ([]byte, error) {
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("marshal %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return text, nil
}

// columnsOf are what an event is looked up by.
func columnsOf(e *adminv1.AuditEvent) Columns {
	return Columns{
		ID: e.GetId(), Time: e.GetTime().AsTime(), Actor: e.GetActor().GetId(), ActorName: e.GetActor().GetName(), Operation: e.GetOperation(),
		Outcome: e.GetOutcome(), Code: e.GetCode(), RequestID: e.GetRequestId(), Address: e.GetAddress(),
		Environment: e.GetEnvironment(), OpenedEpoch: e.GetOpenedEpoch(), Objects: objectsOf(e),
	}
}

// objectsOf are the words by which an event is found that changed something: the collection, the id, and collection/name.
func objectsOf(e *adminv1.AuditEvent) []string {
	words := []string{}
	for _, c := range e.GetChanges() {
		words = append(words, c.GetCollection(), c.GetId())
		if c.GetName() != "" {
			words = append(words, c.GetCollection()+"/"+c.GetName())
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// Event returns the event that is stored, with its hashes. What doesn't hold is an error.
func (s *Stored) Event() (*adminv1.AuditEvent, error) {
	e := new(adminv1.AuditEvent)
	if err := proto.Unmarshal(s.Record, e); err != nil {
		return nil, fmt.Errorf("event %d: its record can't be read: %w", s.Number, err)
	}
	e.PreviousHash, e.Hash, e.Record = s.Previous, s.Hash, s.Record
	return e, nil
}

// check tells whether the row is one by itself: its hash is that of its record, and its columns are its record's.
func (s *Stored) check() error {
	if own := HashOf(s.Previous, s.Record); !bytes.Equal(own[:], s.Hash) {
		return errors.New("its hash isn't that of its record and of the event before")
	}
	e, err := s.Event()
	if err != nil {
		return err
	}
	if len(e.ProtoReflect().GetUnknown()) > 0 {
		return errors.New("its record holds fields that this build doesn't know: verify it with the build that wrote it, or a newer one")
	}
	if e.GetChain() != s.Chain || e.GetNumber() != s.Number {
		return fmt.Errorf("its record says that it is number %d of %s", e.GetNumber(), chainName(e.GetChain()))
	}
	return s.Columns.equal(columnsOf(e))
}

func (c Columns) equal(want Columns) error {
	differs := func(name string) error { return fmt.Errorf("its column %s isn't what its record says", name) }
	for _, column := range []struct{ name, got, want string }{
		{"id", c.ID, want.ID},
		{"actor", c.Actor, want.Actor},
		{"actor_name", c.ActorName, want.ActorName},
		{"operation", c.Operation, want.Operation},
		{"outcome", c.Outcome, want.Outcome},
		{"code", c.Code, want.Code},
		{"request_id", c.RequestID, want.RequestID},
		{"address", c.Address, want.Address},
		{"environment", c.Environment, want.Environment},
	} {
		if column.got != column.want {
			return differs(column.name)
		}
	}
	switch {
	case !c.Time.Equal(want.Time):
		return differs("at")
	case c.OpenedEpoch != want.OpenedEpoch:
		return differs("opened_epoch")
	case !slices.Equal(c.Objects, want.Objects):
		return differs("objects")
	}
	return nil
}

// chainName is a chain as people read it.
func chainName(chain string) string {
	if chain == "" {
		return "the global chain"
	}
	return "the chain of " + chain
}

func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return string(bytes.ToValidUTF8([]byte(s[:most]), nil)) + "…"
}
