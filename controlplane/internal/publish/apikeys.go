package publish

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/validate"
)

// generate makes a key's text and digest. The text lives in memory until it has been answered.
func (w *writing) generate(ctx context.Context, s *row, m *adminv1.ApiKey) error {
	version, pepper, err := w.pepper(ctx, w.tx, w.batch.Environment)
	if err != nil {
		return err
	}
	key, err := apikey.Generate(w.random, w.environment.Name)
	if err != nil {
		return fmt.Errorf("generate key: %w", err)
	}
	parts := key.Parts() // pieces of the key's text: cloned, so that what is kept doesn't hold all of it
	m.Prefix, m.LastFour = strings.Clone(parts.Prefix), strings.Clone(parts.LastFour)
	s.key, s.text, s.pepper = digest.Key(pepper.Digest(key.Reveal())), key.Reveal(), version
	return nil
}

// rotate stages a new key in the place of another, which works on for the overlap.
func (w *writing) rotate(ctx context.Context, i int, op Operation, t *directory.Type) error {
	origin := w.batch.origin(i)
	request := new(adminv1.RotateApiKeyRequest)
	var ok bool
	if len(op.Body) > 0 {
		violations := resource.Decode(op.Body, request)
		w.refusals.Invalid(origin, violations...)
		ok = len(violations) == 0
	} else {
		ok = true
	}
	found, exists := w.findRow(t, op.Key)
	if !exists {
		w.refusals.NotFound(origin, t.Singular, op.Key)
		return nil
	}
	if !w.freshRow(op, origin, t, found, exists) || !ok {
		return nil
	}
	request = resource.Defaulted(request)
	w.refusals.Invalid(origin, validate.Message(request)...)

	old := clone(found.message.(*adminv1.ApiKey))
	if !w.refuseRotation(origin, old, request) {
		return nil
	}
	next := w.successor(t, old, request)
	if given := request.GetName(); given != "" {
		w.refusals.Invalid(origin, resource.CheckName(given)...)
	}
	end := w.now.Add(request.GetOverlap().AsDuration())
	if old.GetExpiresAt() == nil || old.GetExpiresAt().AsTime().After(end) {
		old.ExpiresAt = timestamppb.New(end)
	}
	old.RotatedTo, old.RotatedAt = next.GetId(), timestamppb.New(w.now)
	if err := w.watch(ctx, old, end); err != nil {
		return err
	}
	w.rows.put(t, old, origin)
	s := w.rows.put(t, next, origin)
	s.consumer = found.consumer
	w.steps[i].id, w.steps[i].created = s.id, true
	return w.generate(ctx, s, next)
}

// refuseRotation refuses what would make a key that soon, or never, works: the end of a key that was rotated
// is that of its overlap, and an expired one's is past. It tells whether to go on.
func (w *writing) refuseRotation(origin catalog.Origin, old *adminv1.ApiKey, request *adminv1.RotateApiKeyRequest) bool {
	switch {
	case old.GetRotatedTo() != "":
		w.refusals.Add(catalog.Refusal{Code: problem.Conflict, Violation: problem.Violation{
			Pointer: origin.Operation, Code: string(problem.Conflict), Given: old.GetId(),
			Detail: fmt.Sprintf("the API key %q was rotated already; rotate %s, which took its place, or make a new key", old.GetName(), old.GetRotatedTo()),
		}})
		return false
	case request.GetExpiresAt() == nil && old.GetExpiresAt() != nil && !old.GetExpiresAt().AsTime().After(w.now):
		w.refusals.Invalid(origin, problem.Violation{
			Pointer: "/expires_at", Code: problem.ViolationRequired,
			Detail: fmt.Sprintf("must be given: the API key %q has expired, and so would the one that takes its place", old.GetName()),
		})
		return false
	}
	return true
}

// successorsOf returns the keys made by a rotation in this batch whose consumer it deletes: the database knows
// nothing of them yet.
func (r *rows) successorsOf(consumer *row) []problem.Reference {
	var keys []problem.Reference
	for _, s := range r.order {
		if s.t.Collection == directory.APIKeys && s.before == nil && s.message != nil && s.consumer == consumer.id {
			keys = append(keys, problem.Reference{Type: s.t.Singular, ID: s.id, Name: s.message.GetName(), Pointer: "/consumer"})
		}
	}
	return keys
}

// watch has nodes tell from where a key that was rotated is used until it ends. One of them that doesn't know of that would refuse the
// entry and all behind it: then none is asked, and the rotation stands.
func (w *writing) watch(ctx context.Context, old *adminv1.ApiKey, end time.Time) error {
	if !end.After(w.now) {
		return nil
	}
	lacking, err := w.lackingNodes(ctx, directory.KeyLife)
	old.Watched = err == nil && len(lacking) == 0
	return err
}

// importKey stages a key that another system made. A key is one consumer's: one that is there already isn't taken over again.
func (w *writing) importKey(ctx context.Context, i int, op Operation, t *directory.Type) error {
	m, ok := w.decodeRow(i, op, t)
	if !ok {
		return nil
	}
	version, pepper, err := w.pepper(ctx, w.tx, w.batch.Environment)
	if err != nil {
		return err
	}
	made := digest.Key(pepper.DigestOfSHA256(op.Imported.SHA256))
	_, exists, err := w.tx.Entry(ctx, w.batch.Environment, made)
	if err != nil {
		return err
	}
	if origin := w.batch.origin(i); exists || w.imported[made] {
		w.refusals.Add(catalog.Refusal{Code: problem.Conflict, Violation: problem.Violation{
			Pointer: origin.Body, Code: string(problem.Conflict), Detail: "this key is there already, in this import or before it",
		}})
		return nil
	}
	w.imported[made] = true
	s := w.stageNew(i, t, m, id.New(w.now))
	key := m.(*adminv1.ApiKey)
	key.Imported, key.Prefix, key.LastFour = true, op.Imported.Prefix, op.Imported.LastFour
	s.key, s.pepper = made, version
	return nil
}

// successor is the key that takes another's place: for the same consumer, scopes, addresses and routes, and with the same labels.
func (w *writing) successor(t *directory.Type, old *adminv1.ApiKey, request *adminv1.RotateApiKeyRequest) *adminv1.ApiKey {
	made := id.New(w.now)
	next := clone(old)
	next.Id, next.Name = id.Text(id.APIKey, made), request.GetName()
	next.RotatedTo, next.RotatedFrom, next.RotatedAt, next.Watched, next.Imported = "", old.GetId(), nil, false, false
	if next.Name == "" {
		next.Name = serverName(t, made)
	}
	if request.GetExpiresAt() != nil {
		next.ExpiresAt = request.GetExpiresAt()
	}
	return next
}
