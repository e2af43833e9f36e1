package publish

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// stageDirectory stages the operations on objects of the directory.
func (w *writing) stageDirectory(ctx context.Context) error {
	for i, op := range w.batch.Operations {
		t, ok := directory.ByCollection(op.Collection)
		if !ok {
			continue
		}
		if err := w.stageRow(ctx, i, op, t); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) stageRow(ctx context.Context, i int, op Operation, t *directory.Type) error {
	switch {
	case op.Verb == Create:
		return w.createRow(ctx, i, op, t)
	case op.Verb == Put:
		return w.putRow(ctx, i, op, t)
	case op.Verb == Patch:
		return w.patchRow(ctx, i, op, t)
	case op.Verb == Delete:
		w.deleteRow(i, op, t)
	case op.Verb == Rotate && t.Collection == directory.APIKeys:
		return w.rotate(ctx, i, op, t)
	case op.Verb == Import && t.Collection == directory.APIKeys && op.Imported != nil:
		return w.importKey(ctx, i, op, t)
	default:
		w.refuseVerb(i, op)
	}
	return nil
}

func (w *writing) createRow(ctx context.Context, i int, op Operation, t *directory.Type) error {
	m, ok := w.decodeRow(i, op, t)
	if !ok {
		return nil
	}
	if w.batch.Recall {
		return w.remake(ctx, i, op, t, m)
	}
	return w.makeRow(ctx, i, t, m, id.New(w.now))
}

func (w *writing) putRow(ctx context.Context, i int, op Operation, t *directory.Type) error {
	origin := w.batch.origin(i)
	m, ok := w.decodeRow(i, op, t)
	found, exists := w.findRow(t, op.Key)
	if !exists && id.LooksLikeID(op.Key) {
		w.refusals.NotFound(origin, t.Singular, op.Key)
		return nil
	}
	if !w.freshRow(op, origin, t, found, exists) || !ok {
		return nil
	}
	if !id.LooksLikeID(op.Key) {
		if m.GetName() == "" {
			setName(m, op.Key)
		}
		w.refuseRename(origin, m.GetName(), op.Key)
	}
	if !exists {
		return w.makeRow(ctx, i, t, m, id.New(w.now))
	}
	w.giveTeam(t.Collection, m, resource.TeamOf(found.message))
	w.changeRow(i, found, m)
	return nil
}

func (w *writing) patchRow(_ context.Context, i int, op Operation, t *directory.Type) error {
	origin := w.batch.origin(i)
	found, exists := w.findRow(t, op.Key)
	if !exists {
		w.refusals.NotFound(origin, t.Singular, op.Key)
		return nil
	}
	if !w.freshRow(op, origin, t, found, exists) {
		return nil
	}
	patched, violations := resource.MergePatch(found.message, op.Body)
	if len(violations) > 0 {
		w.refusals.Invalid(origin, violations...)
		return nil
	}
	w.changeRow(i, found, patched.(directory.Message))
	return nil
}

func (w *writing) deleteRow(i int, op Operation, t *directory.Type) {
	origin := w.batch.origin(i)
	found, exists := w.findRow(t, op.Key)
	if !exists {
		w.refusals.NotFound(origin, t.Singular, op.Key)
		return
	}
	if w.freshRow(op, origin, t, found, exists) {
		w.steps[i].id = found.id
		w.rows.touch(found, origin)
		found.message = nil
	}
}

// freshRow holds a row, as it was before the batch, against If-Match.
func (w *writing) freshRow(op Operation, origin catalog.Origin, t *directory.Type, found *row, exists bool) bool {
	var etag string
	if exists && found.before != nil && op.IfMatch != "" {
		var err error
		if etag, err = directory.ETag(*found.before); err != nil {
			etag = ""
		}
	}
	return w.fresh(op, t.Singular, origin, exists, etag)
}

// decodeRow is decode for the directory.
func (w *writing) decodeRow(i int, op Operation, t *directory.Type) (directory.Message, bool) {
	m := t.New()
	if !w.read(i, op, m) {
		w.rows.lost[rowKey{t.Collection, peek(op).Name}] = true
		return m, false
	}
	return m, true
}

// makeRow stages a new object.
func (w *writing) makeRow(ctx context.Context, i int, t *directory.Type, m directory.Message, made id.ID) error {
	s := w.stageNew(i, t, m, made)
	switch m := m.(type) {
	case *adminv1.ApiKey:
		return w.generate(ctx, s, m)
	case *adminv1.Password:
		w.setPassword(s, m, w.batch.passwords[i])
	}
	return nil
}

func (w *writing) stageNew(i int, t *directory.Type, m directory.Message, made id.ID) *row {
	origin := w.batch.origin(i)
	if m.GetName() == "" && (t.Collection == directory.APIKeys || t.Collection == directory.Passwords || t.Collection == directory.Blocks) {
		setName(m, serverName(t, made))
	}
	w.giveTeam(t.Collection, m, "")
	w.refusals.Invalid(origin, directory.Check(m, t.New())...)
	value := takeValue(m)
	if t.Collection == directory.Secrets && value == nil {
		w.refusals.Invalid(origin, problem.Violation{Pointer: "/value", Code: problem.ViolationRequired, Detail: "must be given: a secret needs its material"})
	}
	setText(m, "id", id.Text(t.Prefix, made))
	s := w.rows.put(t, m, origin)
	s.value = value
	w.steps[i].id, w.steps[i].created = s.id, true
	return s
}

// changeRow stages an object as a writer gave it anew.
func (w *writing) changeRow(i int, found *row, m directory.Message) {
	origin := w.batch.origin(i)
	w.refusals.Invalid(origin, directory.Check(m, found.message)...)
	directory.KeepOutputOnly(m, found.message)
	value := takeValue(m)
	s := w.rows.put(found.t, m, origin)
	if value != nil {
		s.value = value
	}
	if p, ok := m.(*adminv1.Password); ok && p.GetPassword() != "" {
		w.setPassword(s, p, w.batch.passwords[i])
	}
	w.steps[i].id = s.id
}

// credential is an object that proves a consumer, and belongs to the consumer's team.
type credential interface {
	directory.Message
	GetConsumer() string
}

// resolveConsumer turns the name of a credential's consumer into its id, or refuses that there is none, and that
// it proves another consumer than it did.
func (w *writing) resolveConsumer(s *row, m credential) {
	given := m.GetConsumer()
	if given == "" || given == s.consumer {
		return // said by the field rules, or as it is in the database
	}
	found, ok := w.rows.Resolve(directory.Consumers, given)
	if !ok || !w.ownsConsumer(found) {
		w.refusals.Invalid(s.origin, problem.Violation{
			Pointer: "/consumer", Code: problem.ViolationUnknownReference, Given: given,
			Detail: fmt.Sprintf("there is no consumer %q in this environment", given), Allowed: "the id or name of a consumer",
		})
		return
	}
	setText(m, "consumer", found)
	if s.before == nil {
		setText(m, "team", w.teamOf(directory.Consumers, found))
		return
	}
	if is := s.before.Message.(credential).GetConsumer(); is != found {
		w.refusals.Invalid(s.origin, problem.Violation{
			Pointer: "/consumer", Code: problem.ViolationImmutable, Given: given, Allowed: is,
			Detail: fmt.Sprintf("the consumer of this %s can't be changed; make a new one and delete this one", s.t.Singular),
		})
	}
}

// checkRows finds names that two have, refuses deletes of what others refer to, and makes rows and entries.
func (w *writing) checkRows(ctx context.Context) error {
	w.checkNames()
	if err := w.checkPairs(ctx); err != nil {
		return err
	}
	for _, s := range w.rows.order {
		switch m := s.message.(type) {
		case *adminv1.ApiKey:
			w.resolveConsumer(s, m)
		case *adminv1.Password:
			w.resolveConsumer(s, m)
			if err := w.resolvePassword(ctx, s, m); err != nil {
				return err
			}
		case *adminv1.Block:
			if err := w.resolveBlock(ctx, s, m); err != nil {
				return err
			}
		}
		if s.message == nil && s.before != nil {
			if err := w.checkReferrers(ctx, s); err != nil {
				return err
			}
		}
		if err := w.checkRowCapability(ctx, s); err != nil {
			return err
		}
	}
	if !w.refusals.Empty() {
		return nil // nothing will be written
	}
	for _, s := range w.rows.order {
		if err := s.finish(w.sealer, w.batch.Environment, w.now); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) checkNames() {
	holders := make(map[rowKey]string)
	for _, s := range w.rows.byID { // those that the batch leaves alone, first
		if !s.touched {
			holders[rowKey{s.t.Collection, s.message.GetName()}] = s.id
		}
	}
	for _, s := range w.rows.order {
		if s.message == nil || s.message.GetName() == "" {
			continue
		}
		k := rowKey{s.t.Collection, s.message.GetName()}
		if _, taken := holders[k]; taken {
			w.refusals.NameTaken(s.origin, s.t.Singular, k.key)
			continue
		}
		holders[k] = s.id
	}
}

// checkReferrers refuses the delete of an object that others refer to after the batch.
func (w *writing) checkReferrers(ctx context.Context, s *row) error {
	found, err := w.tx.Referrers(ctx, w.batch.Environment, s.t.Collection, s.id)
	if err != nil {
		return fmt.Errorf("referrers of %s: %w", s.id, err)
	}
	var referrers []problem.Reference
	for _, r := range found {
		if staged, ok := w.rows.byID[rowKey{r.Collection, r.ID}]; ok && staged.message == nil {
			continue // goes too
		}
		t, inConfiguration := resource.ByCollection(r.Collection)
		if inConfiguration && w.candidate != nil {
			continue // as the batch leaves them, below
		}
		singular := r.Collection
		if inConfiguration {
			singular = t.Singular
		} else if t, ok := directory.ByCollection(r.Collection); ok {
			singular = t.Singular
		}
		reference := problem.Reference{Type: singular, ID: r.ID, Name: r.Name, Pointer: r.Pointer}
		if inConfiguration && !w.bounds(r.Collection).Whole { // whose it is isn't known here
			reference.ID, reference.Name = "", ""
		}
		referrers = append(referrers, reference)
	}
	if w.candidate != nil {
		referrers = append(referrers, w.candidate.Referrers(s.t.Collection, s.id)...)
	}
	referrers = append(referrers, w.rows.successorsOf(s)...)
	if len(referrers) > 0 {
		w.refusals.Referenced(s.origin, s.t.Singular, s.before.Message.GetName(), referrers)
	}
	return nil
}

// takeValue takes a secret's material out of its message, which is kept and shown without it.
func takeValue(m directory.Message) []byte {
	s, ok := m.(*adminv1.Secret)
	if !ok || s.GetValue() == "" {
		return nil
	}
	value := []byte(s.GetValue())
	s.Value = ""
	return value
}

// stamp sets when an object was made and changed.
func stamp(m directory.Message, before *directory.Row, now time.Time) {
	created := timestamppb.New(now)
	if before != nil {
		created = before.Message.GetCreatedAt()
	}
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	r.Set(fields.ByName("created_at"), protoValue(created))
	r.Set(fields.ByName("updated_at"), protoValue(timestamppb.New(now)))
}

// serverName names a credential or a block that its maker didn't.
func serverName(t *directory.Type, made id.ID) string {
	_, digits, _ := strings.Cut(id.Text(t.Prefix, made), "_")
	return strings.TrimPrefix(t.Singular, "api-") + "-" + digits
}

func clone[M proto.Message](m M) M { return proto.Clone(m).(M) }
