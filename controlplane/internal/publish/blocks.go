package publish

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// resolveBlock turns the name of whom a block is about into an id, or refuses that there is none such, and that a block is
// about somebody else than it was. Whoever it is about may be gone by the time it is changed.
func (w *writing) resolveBlock(ctx context.Context, s *row, m *adminv1.Block) error {
	before := new(adminv1.Block)
	if s.before != nil {
		before = s.before.Message.(*adminv1.Block)
	}
	m.Consumer = w.resolveTarget(s, directory.Consumers, "consumer", m.GetConsumer(), before.GetConsumer())
	m.ApiKey = w.resolveTarget(s, directory.APIKeys, "api_key", m.GetApiKey(), before.GetApiKey())
	if err := w.resolveIssued(ctx, s, m, before); err != nil {
		return err
	}
	if s.before != nil {
		w.refusals.Invalid(s.origin, directory.CheckTarget(m, before)...)
	}
	return nil
}

// resolveIssued is resolveBlock for what an issuer vouches for.
func (w *writing) resolveIssued(ctx context.Context, s *row, m, before *adminv1.Block) (err error) {
	if token := m.GetToken(); token != nil {
		if token.Issuer, err = w.resolveIssuer(ctx, s, "token", token.GetIssuer(), before.GetToken().GetIssuer()); err != nil {
			return err
		}
	}
	if subject := m.GetSubject(); subject != nil {
		if subject.Issuer, err = w.resolveIssuer(ctx, s, "subject", subject.GetIssuer(), before.GetSubject().GetIssuer()); err != nil {
			return err
		}
	}
	return nil
}

// resolveIssuer finds an issuer in the configuration: as the batch leaves it, or as it is where the batch doesn't touch it.
func (w *writing) resolveIssuer(ctx context.Context, s *row, target, given, was string) (string, error) {
	if given == "" || given == was || w.batch.Recall {
		return given, nil
	}
	if w.candidate != nil {
		if found, ok := w.candidate.Find(catalog.Issuers, given); ok {
			return found.ID, nil
		}
	} else {
		found, err := w.catalog.Get(ctx, w.batch.Environment, catalog.Issuers, given)
		if err == nil {
			return found.ID, nil
		}
		if problem.CodeOf(err) != problem.NotFound {
			return "", fmt.Errorf("look up the issuer of a block: %w", err)
		}
	}
	w.refusals.Invalid(s.origin, problem.Violation{
		Pointer: problem.Pointer(target, "issuer"), Code: problem.ViolationUnknownReference, Given: form.Given(given),
		Detail: "there is no issuer of this id or name in this environment", Allowed: "the id or name of one that there is",
	})
	return given, nil
}

func (w *writing) resolveTarget(s *row, collection, field, given, was string) string {
	if given == "" || given == was || w.batch.Recall {
		return given
	}
	found, ok := w.rows.Resolve(collection, given)
	if !ok {
		t, _ := directory.ByCollection(collection)
		w.refusals.Invalid(s.origin, problem.Violation{
			Pointer: problem.Pointer(field), Code: problem.ViolationUnknownReference, Given: form.Given(given),
			Detail: fmt.Sprintf("there is no %s of this id or name in this environment", t.Singular), Allowed: "the id or name of one that there is",
		})
		return given
	}
	return found
}

// remake stages a block again under the id that it had. Its name was lost with it, and may be another's by now.
func (w *writing) remake(ctx context.Context, i int, op Operation, t *directory.Type, m directory.Message) error {
	origin := w.batch.origin(i)
	had, err := id.Parse(t.Prefix, op.Key)
	if err != nil {
		return fmt.Errorf("make %s %q again: %w", t.Singular, op.Key, err)
	}
	if _, exists := w.rows.find(t.Collection, op.Key); exists {
		w.refusals.Add(catalog.Refusal{Code: problem.Conflict, Violation: problem.Violation{
			Pointer: origin.Body, Code: string(problem.Conflict), Detail: fmt.Sprintf("there is the %s %s already", t.Singular, op.Key), Given: op.Key,
		}})
		return nil
	}
	setName(m, serverName(t, id.New(w.now)))
	return w.makeRow(ctx, i, t, m, had)
}

// blockWarnings says what the maker of a block may not have meant.
func blockWarnings(m *adminv1.Block, now time.Time) []string {
	var warnings []string
	if !after(m.GetExpiresAt(), now) {
		warnings = append(warnings, fmt.Sprintf("The block %q has expired already: it keeps nobody out.", m.GetName()))
	}
	if r, err := netip.ParsePrefix(m.GetAddressRange()); err == nil && r.Bits() == 0 {
		warnings = append(warnings, fmt.Sprintf("The block %q keeps every client out, on every route.", m.GetName()))
	}
	return warnings
}

// after tells whether an expiry lies after a time; an absent one does.
func after(expiry *timestamppb.Timestamp, at time.Time) bool {
	return expiry == nil || expiry.AsTime().After(at)
}
