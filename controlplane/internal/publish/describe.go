package publish

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/resource"
)

// describe fills in what the batch came to. Sequences are assigned by then.
func (w *writing) describe() error {
	w.result.Changes, w.result.Warnings, w.result.candidate = nil, slices.Clone(w.notes), w.candidate
	if w.candidate != nil {
		for _, e := range w.candidate.Edits() {
			w.result.Changes = append(w.result.Changes, e.Change())
		}
		w.result.Warnings = append(w.result.Warnings, w.candidate.Warnings()...)
	}
	for _, s := range w.rows.order {
		if s.changed() {
			w.result.Changes = append(w.result.Changes, s.describe())
			w.result.Warnings = append(w.result.Warnings, w.warnings(s)...)
		}
	}
	w.result.Outcomes = make([]Outcome, len(w.steps))
	for i, st := range w.steps {
		outcome, err := w.outcome(st)
		if err != nil {
			return err
		}
		w.result.Outcomes[i] = outcome
	}
	return nil
}

// outcome is what the batch left of a step's object.
func (w *writing) outcome(st step) (Outcome, error) {
	if _, ok := resource.ByCollection(st.collection); ok {
		return w.objectOutcome(st), nil
	}
	s := w.rows.byID[rowKey{st.collection, st.id}]
	out := Outcome{Collection: st.collection, ID: st.id, Created: st.created}
	if s.after == nil {
		if s.before != nil {
			out.Name = s.before.Message.GetName()
		}
		return out, nil
	}
	etag, err := directory.ETag(*s.after)
	if err != nil {
		return Outcome{}, err
	}
	shown := clone[proto.Message](s.after.Message)
	if !w.batch.DryRun {
		showOnce(shown, s.text)
	}
	out.Name, out.ETag, out.Object = s.after.Message.GetName(), etag, shown
	return out, nil
}

// showOnce puts what was made here, and is kept nowhere, into the one answer that has it.
func showOnce(m proto.Message, text string) {
	switch m := m.(type) {
	case *adminv1.ApiKey:
		m.Key = text
	case *adminv1.Password:
		m.Password = text
	}
}

func (w *writing) objectOutcome(st step) Outcome {
	out := Outcome{Collection: st.collection, ID: st.id, Created: st.created}
	if o, ok := w.candidate.After(st.collection, st.id); ok {
		out.Name, out.ETag, out.Object = o.Name, o.ETag, o.Message
		return out
	}
	out.Name = w.candidate.NameBefore(st.collection, st.id)
	return out
}

// describe returns the change of a row, without secret material.
func (s *row) describe() Change {
	change := Change{Collection: s.t.Collection, ID: s.id}
	switch {
	case s.before == nil:
		change.Action, change.Name, change.After = catalog.Created, s.after.Message.GetName(), s.after.Message
	case s.after == nil:
		change.Action, change.Name, change.Before = catalog.Deleted, s.before.Message.GetName(), s.before.Message
	default:
		change.Action, change.Name = catalog.Updated, s.after.Message.GetName()
		change.Before, change.After = s.before.Message, s.after.Message
		change.Fields = resource.Differences(change.Before, change.After)
		change.Fields = slices.DeleteFunc(change.Fields, func(f string) bool { return f == "/updated_at" })
		if s.value != nil && s.entry != nil {
			change.Fields = append(change.Fields, "/value")
		}
		if s.reset && s.entry != nil {
			change.Fields = append(change.Fields, "/password")
		}
	}
	return change
}

func (w *writing) warnings(s *row) []string {
	switch m := s.message.(type) {
	case *adminv1.ApiKey:
		if s.before == nil && !after(m.GetExpiresAt(), w.now) {
			return []string{fmt.Sprintf("The API key %q is expired already: it never works.", m.GetName())}
		}
	case *adminv1.Password:
		if s.before == nil && !after(m.GetExpiresAt(), w.now) {
			return []string{fmt.Sprintf("The password %q is expired already: it never works.", m.GetName())}
		}
	case *adminv1.Block:
		return blockWarnings(m, w.now)
	}
	return nil
}
