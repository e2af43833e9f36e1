package publish

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// authorize refuses a batch whose author doesn't hold what each of its operations needs. For which objects they hold it is seen
// behind the locks.
func authorize(batch Batch, rollback bool) error {
	grants := batch.Author.Grants
	if rollback && !grants.Throughout(batch.Environment, access.Rollback) {
		return problem.Errorf(problem.Forbidden, "this needs the permission %s throughout the environment", access.Rollback)
	}
	seen := make(map[access.Permission]bool)
	for i, op := range batch.Operations {
		p := batch.needs(op.Collection)
		if seen[p] {
			continue
		}
		seen[p] = true
		held := grants.Within(batch.Environment, p)
		switch {
		case held.Whole || !held.Any():
		case batch.Force: // what one team forces, all nodes and teams bear
			return problem.Errorf(problem.Forbidden, "force is for those who hold %s throughout the environment", p)
		case batch.Proposal != nil: // what is planned within one's bounds comes to something else within another's
			return problem.Errorf(problem.Forbidden, "proposals are for those who hold %s throughout the environment; you hold it for a team", p)
		case p != access.WriteConfiguration && !teamsHave(op.Collection): // the candidate is bound by the permission that most of it needs
			return problem.Errorf(problem.Forbidden, "no team can have %s: this needs the permission %s throughout the environment", form.Given(op.Collection), p)
		}
		if held.Any() {
			continue
		}
		err := problem.Errorf(problem.Forbidden, "to write %s needs the permission %s, which you don't hold in this environment", form.Given(op.Collection), p)
		err.Errors = []problem.Violation{{Pointer: batch.origin(i).Operation, Code: string(problem.Forbidden), Detail: fmt.Sprintf("needs the permission %s", p)}}
		return err
	}
	return nil
}

// teamsHave tells whether objects of a collection can belong to a team. What it doesn't know of is refused elsewhere.
func teamsHave(collection string) bool {
	t, ok := resource.ByCollection(collection)
	return !ok || resource.HasTeam(t.New())
}

// bounds are for which objects of a collection the author holds what writing them needs.
func (w *writing) bounds(collection string) access.Bounds {
	if w.rollback {
		return access.Bounds{Whole: true} // authorize saw to it
	}
	return w.holds(w.batch.needs(collection))
}

// holds are for which objects the author holds a permission.
func (w *writing) holds(p access.Permission) access.Bounds {
	b, known := w.held[p]
	if !known {
		b = w.batch.Author.Grants.Within(w.batch.Environment, p)
		w.held[p] = b
	}
	return b
}

// candidateBounds are for which objects of the configuration the author holds what each of the batch's operations needs: where collections of
// teams' objects take permissions of their own, only what is within all of them may be written, and referred to.
func (w *writing) candidateBounds() access.Bounds {
	all, bound := access.Bounds{Whole: true}, false
	for _, op := range w.batch.Operations {
		if t, ok := resource.ByCollection(op.Collection); ok && resource.HasTeam(t.New()) {
			all, bound = all.And(w.bounds(op.Collection)), true
		}
	}
	if !bound {
		return w.bounds(catalog.Routes)
	}
	return all
}

// boundRows are the rows as references from the configuration find them.
type boundRows struct {
	*rows
	bounds access.Bounds
}

// Resolve returns the id of an object that is there after the batch, and within the bounds.
func (r boundRows) Resolve(collection, key string) (string, bool) {
	found, ok := r.rows.Resolve(collection, key)
	if s, row := r.byID[rowKey{collection, found}]; ok && row && !s.within(r.bounds) {
		return key, false
	}
	return found, ok
}

// within tells whether a row is within bounds, as it was and as it will be.
func (s *row) within(b access.Bounds) bool {
	if s.before != nil && !b.Sees(resource.TeamOf(s.before.Message)) {
		return false
	}
	return s.before != nil || s.message == nil || b.Sees(resource.TeamOf(s.message))
}

// findRow returns the object that an operation names. One that the author may not write isn't there.
func (w *writing) findRow(t *directory.Type, key string) (*row, bool) {
	found, exists := w.rows.find(t.Collection, key)
	if exists && found.before != nil && !w.bounds(t.Collection).Sees(resource.TeamOf(found.before.Message)) {
		return nil, false
	}
	return found, exists
}

// giveTeam puts an object whose author names no team into the one that it is in, or into theirs if they have just one.
func (w *writing) giveTeam(collection string, m proto.Message, is string) {
	b := w.bounds(collection)
	if _, follows := m.(credential); follows || b.Whole || !resource.HasTeam(m) || resource.TeamOf(m) != "" {
		return
	}
	switch {
	case is != "":
		resource.SetTeam(m, is)
	case len(b.Teams) == 1:
		resource.SetTeam(m, b.Teams[0])
	}
}

// lockTeams locks the teams that the batch refers to.
func (w *writing) lockTeams(ctx context.Context, keys map[string]bool) error {
	if len(keys) == 0 {
		return nil
	}
	found, err := w.tx.LockTeams(ctx, w.batch.Environment, sortedKeys(keys))
	if err != nil {
		return err
	}
	w.rows.teams = found
	return nil
}

// settleTeams turns names of teams into ids, and refuses what wouldn't be its author's.
func (w *writing) settleTeams() {
	for _, s := range w.rows.order {
		if s.message == nil {
			continue
		}
		b := w.bounds(s.t.Collection)
		switch m := s.message.(type) {
		case *adminv1.Consumer:
			m.Team = w.settleTeam(s, b, m.GetTeam())
		case *adminv1.Secret:
			m.Team = w.settleTeam(s, b, m.GetTeam())
		case *adminv1.ApiKey, *adminv1.Password: // follows its consumer, which resolveConsumer holds to the bounds
		default:
			if !b.Whole {
				w.refusals.Forbidden(s.origin, "", "no team can have this: it is for those who may write the whole environment")
			}
		}
	}
}

func (w *writing) settleTeam(s *row, b access.Bounds, given string) string {
	team := given
	if is := s.before != nil && resource.TeamOf(s.before.Message) == given; given != "" && !is {
		found, ok := w.rows.Resolve(resource.Teams, given)
		if !ok || !b.Whole && !b.Sees(found) {
			w.refusals.Invalid(s.origin, problem.Violation{
				Pointer: "/team", Code: problem.ViolationUnknownReference, Given: form.Given(given),
				Detail: fmt.Sprintf("there is no object %q among the environment's teams", given), Allowed: "the id or name of one of the teams",
			})
			return given
		}
		team = found
	}
	if !b.Sees(team) {
		w.refusals.Forbidden(s.origin, "/team", "must be a team of yours; only those who may write the whole environment take an object out of it")
	}
	return team
}

// ownsConsumer tells whether the author may make keys for a consumer.
func (w *writing) ownsConsumer(consumer string) bool {
	s, ok := w.rows.byID[rowKey{directory.Consumers, consumer}]
	return !ok || s.within(w.bounds(directory.APIKeys))
}

// teamOf is the team of an object, as the batch leaves it.
func (w *writing) teamOf(collection, id string) string {
	if s, ok := w.rows.byID[rowKey{collection, id}]; ok && s.message != nil {
		return resource.TeamOf(s.message)
	}
	return ""
}
