package publish

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// configure stages an operation on an object of the configuration.
func (w *writing) configure(i int, op Operation, t *resource.Type) {
	switch op.Verb {
	case Create:
		w.createObject(i, op, t)
	case Put:
		w.putObject(i, op, t)
	case Patch:
		w.patchObject(i, op, t)
	case Delete:
		w.deleteObject(i, op, t)
	default:
		w.refuseVerb(i, op)
	}
}

func (w *writing) refuseVerb(i int, op Operation) {
	origin := w.batch.origin(i)
	w.refusals.Add(catalog.Refusal{Code: problem.InvalidRequest, Violation: problem.Violation{
		Pointer: origin.Operation + "/action", Code: problem.ViolationInvalidValue,
		Detail: fmt.Sprintf("%s can't be done to %s", op.Verb, op.Collection), Given: string(op.Verb), Allowed: "create, put, patch, delete; of api-keys also rotate",
	}})
}

func (w *writing) createObject(i int, op Operation, t *resource.Type) {
	origin := w.batch.origin(i)
	m, ok := w.decode(i, op, t)
	if !ok {
		return
	}
	w.refuseID(origin, m.GetId(), "")
	w.giveTeam(t.Collection, m, "")
	w.stage(i, t, m, id.Text(t.Prefix, id.New(w.now)), true)
}

func (w *writing) putObject(i int, op Operation, t *resource.Type) {
	origin := w.batch.origin(i)
	m, ok := w.decode(i, op, t)
	found, exists := w.candidate.FindSingleton(t, op.Key)
	if !exists && !mayMake(t, op.Key) {
		w.refusals.NotFound(origin, t.Singular, op.Key)
		return
	}
	if !w.fresh(op, t.Singular, origin, exists, found.ETag) || !ok {
		return
	}
	if !id.LooksLikeID(op.Key) {
		if m.GetName() == "" {
			catalog.SetName(m, op.Key)
		}
		w.refuseRename(origin, m.GetName(), op.Key)
	}
	w.refuseID(origin, m.GetId(), found.ID)
	if found.Message != nil {
		w.giveTeam(t.Collection, m, resource.TeamOf(found.Message))
	} else {
		w.giveTeam(t.Collection, m, "")
	}
	w.stageAs(i, t, m, found.ID)
}

// mayMake tells whether a put of a key that nothing has makes an object: not by id, and a singleton only
// under its one name.
func mayMake(t *resource.Type, key string) bool {
	return !id.LooksLikeID(key) && (!t.Singleton || key == t.Collection)
}

func (w *writing) patchObject(i int, op Operation, t *resource.Type) {
	origin := w.batch.origin(i)
	found, exists := w.candidate.FindSingleton(t, op.Key)
	if !exists {
		w.refusals.NotFound(origin, t.Singular, op.Key)
		return
	}
	if !w.fresh(op, t.Singular, origin, exists, found.ETag) {
		return
	}
	patched, violations := resource.MergePatch(found.Message, op.Body)
	if len(violations) > 0 {
		w.refusals.Invalid(origin, violations...)
		return
	}
	m := patched.(resource.Message)
	w.refuseID(origin, m.GetId(), found.ID)
	w.stageAs(i, t, m, found.ID)
}

func (w *writing) deleteObject(i int, op Operation, t *resource.Type) {
	origin := w.batch.origin(i)
	found, exists := w.candidate.Find(t.Collection, op.Key)
	if !exists {
		w.refusals.NotFound(origin, t.Singular, op.Key)
		return
	}
	if w.fresh(op, t.Singular, origin, exists, found.ETag) {
		w.steps[i].id = found.ID
		w.candidate.Delete(t, found.ID, origin)
	}
}

// decode reads an operation's body. One that could be read in parts is staged like any other, so that the answer names
// everything that is wrong with it, and can't be committed.
func (w *writing) decode(i int, op Operation, t *resource.Type) (resource.Message, bool) {
	m := t.New()
	if !w.read(i, op, m) {
		w.candidate.Lost(t.Collection, peek(op).Name)
		return m, false
	}
	if t.Singleton && m.GetName() == "" {
		catalog.SetName(m, t.Collection)
	}
	return m, true
}

// read reads a body as far as it can be read; false: it isn't even JSON.
func (w *writing) read(i int, op Operation, m proto.Message) bool {
	violations := resource.Decode(op.Body, m)
	if len(violations) == 0 {
		return true
	}
	for _, v := range violations {
		if v.Code == string(problem.MalformedJSON) {
			w.refusals.Invalid(w.batch.origin(i), violations...)
			return false
		}
	}
	w.refusals.Unreadable(w.batch.origin(i), violations...)
	w.steps[i].unreadable = true
	return true
}

// stageAs stages an object under its id, or as a new one when it has none.
func (w *writing) stageAs(i int, t *resource.Type, m resource.Message, is string) {
	if is != "" {
		w.stage(i, t, m, is, false)
		return
	}
	w.stage(i, t, m, id.Text(t.Prefix, id.New(w.now)), true)
}

// stage hands an object with its id to the candidate.
func (w *writing) stage(i int, t *resource.Type, m resource.Message, id string, created bool) {
	catalog.SetID(m, id)
	w.refuseEnd(w.batch.origin(i), m)
	w.steps[i].id, w.steps[i].created = id, created
	w.candidate.Put(t, m, w.batch.origin(i))
	if w.steps[i].unreadable {
		w.candidate.Break(t, id)
	}
}

// refuseID refuses an id that isn't the object's.
func (w *writing) refuseID(origin catalog.Origin, given, is string) {
	if given != "" && given != is {
		w.refusals.Invalid(origin, problem.Violation{
			Pointer: "/id", Code: problem.ViolationImmutable, Given: given, Allowed: is,
			Detail: "the server sets the id; leave it out or as it is",
		})
	}
}

// refuseRename refuses a put by name of an object with another name: it could mean either.
func (w *writing) refuseRename(origin catalog.Origin, given, key string) {
	if given != "" && given != key {
		w.refusals.Invalid(origin, problem.Violation{
			Pointer: "/name", Code: problem.ViolationInvalidValue, Given: given, Allowed: key,
			Detail: "is not the name that is put to; to rename an object, put it by its id or patch its name",
		})
	}
}

// fresh holds an object against If-Match, and refuses a stale one.
func (w *writing) fresh(op Operation, singular string, origin catalog.Origin, exists bool, etag string) bool {
	if op.IfMatch == "" || (exists && matchesTag(op.IfMatch, etag)) {
		return true
	}
	w.refusals.Stale(origin, singular, op.Key, etag)
	return false
}

// matchesTag compares an If-Match (RFC 9110 §13.1.1) strongly: a weak tag matches nothing.
func matchesTag(ifMatch, etag string) bool {
	if strings.TrimSpace(ifMatch) == "*" {
		return true
	}
	for tag := range strings.SplitSeq(ifMatch, ",") { // our tags hold no comma
		if strings.TrimSpace(tag) == etag && etag != "" {
			return true
		}
	}
	return false
}

// stageRollback stages what leads back to an earlier revision.
func (w *writing) stageRollback(ctx context.Context) error {
	to, at := w.batch.RollbackTo, w.environment.Configuration.Revision
	if to > at {
		return problem.Errorf(problem.NotFound, "there is no revision %d; the latest is %d", to, at)
	}
	differences, err := w.tx.Differences(ctx, w.batch.Environment, to, at)
	if err != nil {
		return err
	}
	for _, d := range differences {
		t, ok := resource.ByCollection(d.Collection)
		if !ok {
			return fmt.Errorf("revision %d holds an object of unknown collection %q", to, d.Collection)
		}
		if needed := access.ToWrite(d.Collection); needed != access.WriteConfiguration && !w.batch.Author.Grants.Throughout(w.batch.Environment, needed) {
			return problem.Errorf(problem.Forbidden, "the rollback changes %s, which needs the permission %s throughout the environment", d.Collection, needed)
		}
		pointer := problem.Pointer(d.Collection, d.Name)
		origin := catalog.Origin{Operation: pointer, Body: pointer}
		if d.Before == nil {
			w.candidate.Delete(t, d.ID, origin)
			continue
		}
		m, err := resource.FromStored(t, d.Before)
		if err != nil {
			return problem.Wrap(err, problem.Conflict, "revision %d holds a %s that this version doesn't understand", to, t.Singular)
		}
		w.candidate.Put(t, m, origin)
	}
	return nil
}
