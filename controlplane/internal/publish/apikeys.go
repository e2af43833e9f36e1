package publish

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/validate"
)

// generate makes a key's text and digest. The text lives in memory until it has been answered.
func (w *writing) generate(ctx context.Context, s *row, m *adminv1.ApiKey) error {
	pepper, err := w.pepper(ctx, w.tx, w.batch.Environment)
	if err != nil {
		return err
	}
	key, err := apikey.Generate(w.random, w.environment.Name)
	if err != nil {
		return fmt.Errorf("generate key: %w", err)
	}
	parts := key.Parts() // pieces of the key's text: cloned, so that what is kept doesn't hold all of it
	m.Prefix, m.LastFour = strings.Clone(parts.Prefix), strings.Clone(parts.LastFour)
	s.key, s.text = digest.Key(pepper.Digest(key.Reveal())), key.Reveal()
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
	found, exists := w.rows.find(t.Collection, op.Key)
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
	next := w.successor(old, request)
	if given := request.GetName(); given != "" {
		w.refusals.Invalid(origin, resource.CheckName(given)...)
	}
	end := w.now.Add(request.GetOverlap().AsDuration())
	if old.GetExpiresAt() == nil || old.GetExpiresAt().AsTime().After(end) {
		old.ExpiresAt = timestamppb.New(end)
	}
	old.RotatedTo = next.GetId()
	w.rows.put(t, old, origin)
	s := w.rows.put(t, next, origin)
	s.consumer = found.consumer
	w.steps[i].id, w.steps[i].created = s.id, true
	return w.generate(ctx, s, next)
}

// successor is the key that takes another's place: for the same consumer, scopes and addresses.
func (w *writing) successor(old *adminv1.ApiKey, request *adminv1.RotateApiKeyRequest) *adminv1.ApiKey {
	made := id.New(w.now)
	next := clone(old)
	next.Id, next.Name, next.RotatedTo = id.Text("key", made), request.GetName(), ""
	if next.Name == "" {
		next.Name = serverName(made)
	}
	if request.GetExpiresAt() != nil {
		next.ExpiresAt = request.GetExpiresAt()
	}
	return next
}
