package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/validate"
)

// What was done to an object, as audit has it.
const (
	actionCreate = "create"
	actionUpdate = "update"
	actionDelete = "delete"
)

// Message is an object of a Book: *adminv1.User, *adminv1.Team, *adminv1.Role or *adminv1.RoleBinding.
type Message interface {
	proto.Message
	GetId() string
	GetName() string
	GetLabels() map[string]string
	GetDescription() string
	GetCreatedAt() *timestamppb.Timestamp
	GetUpdatedAt() *timestamppb.Timestamp
}

// Selection is what of a collection a list wants, in the order of names.
type Selection struct {
	After  string // name
	Limit  int
	Filter map[string]string // fields of the Book's list
	Labels listing.Selector
	Within []string // ids of the teams, or of the role bindings' environments, that may be listed; nil: whatever
}

// Records keeps the objects of one Book. Errors are *problem.Error.
type Records[M Message] interface {
	// Insert adds an object; problem.NameTaken when another one has its name.
	Insert(ctx context.Context, environment string, m M) error
	// Find returns the object of an id or name; problem.NotFound when there is none.
	Find(ctx context.Context, environment, key string) (M, error)
	// Select returns objects in the order of their names.
	Select(ctx context.Context, environment string, s Selection) ([]M, error)
	// Change locks the object of an id or name, and makes it what f returns: nil deletes it, or problem.Referenced when others refer
	// to it. Nothing is changed when f fails.
	Change(ctx context.Context, environment, key string, f func(before M) (after M, err error)) error
}

// Book is one collection of what access is decided by: users, teams, roles, role bindings. Each write is checked against what is
// committed, and against what the actor may themselves.
type Book[M Message] struct {
	collection, singular, prefix string
	filters                      []string
	nameless                     bool // the server names what its maker doesn't
	empty                        func() M
	records                      Records[M]
	now                          func() time.Time

	// settle turns names in references into ids, and returns what is wrong or not allowed. before is nil for what is new, after for
	// what goes.
	settle func(ctx context.Context, environment string, before, after M) error
	// visible tells whether the actor may know of an object.
	visible func(ctx context.Context, environment string, m M) bool
	// bound returns to what a list is bound; nil: to nothing.
	bound func(ctx context.Context, environment string) []string
	// fixed are objects that are no records: they can't be changed.
	fixed func() []M
}

// BookOf says what a Book of another package's objects is. They belong to no environment, and whoever may read any reads all.
type BookOf[M Message] struct {
	Collection, Singular, Prefix string
	Filters                      []string
	Empty                        func() M
	Records                      Records[M]
	// Settle turns names in references into ids, and returns what is wrong or not allowed. before is nil for what is new, after for what
	// goes.
	Settle func(ctx context.Context, before, after M) error
}

// NewBook returns a book of another package's objects, which are written as those here are.
func NewBook[M Message](of BookOf[M]) *Book[M] {
	return &Book[M]{
		collection: of.Collection, singular: of.Singular, prefix: of.Prefix, filters: of.Filters, empty: of.Empty, records: of.Records, now: time.Now,
		visible: everybody[M], bound: unbound, fixed: noneFixed[M],
		settle: func(ctx context.Context, _ string, before, after M) error { return of.Settle(ctx, before, after) },
	}
}

// Create makes an object out of its JSON.
func (b *Book[M]) Create(ctx context.Context, environment string, body []byte) (proto.Message, error) {
	m := b.empty()
	if err := resource.AsError(resource.Decode(body, m)); err != nil {
		return nil, err
	}
	return b.insert(ctx, environment, m)
}

func (b *Book[M]) insert(ctx context.Context, environment string, m M) (proto.Message, error) {
	now := b.now()
	made := id.New(now)
	if m.GetName() == "" && b.nameless {
		_, digits, _ := strings.Cut(id.Text(b.prefix, made), "_")
		set(m, "name", protoreflect.ValueOfString(b.singular+"-"+digits))
	}
	if err := b.check(b.empty(), m); err != nil {
		return nil, err
	}
	var none M
	if err := b.settle(ctx, environment, none, m); err != nil {
		return nil, err
	}
	set(m, "id", protoreflect.ValueOfString(id.Text(b.prefix, made)))
	b.stamp(m, m, now)
	audit.Note(ctx, audit.Change{Action: actionCreate, Collection: b.collection, ID: m.GetId(), Name: m.GetName(), After: m})
	if err := b.records.Insert(ctx, environment, m); err != nil {
		return nil, err
	}
	return m, nil
}

// Get returns the object of an id or name.
func (b *Book[M]) Get(ctx context.Context, environment, key string) (proto.Message, error) {
	for _, f := range b.fixed() {
		if f.GetName() == key {
			return f, nil
		}
	}
	m, err := b.records.Find(ctx, environment, key)
	if err != nil {
		return nil, err
	}
	if !b.visible(ctx, environment, m) {
		return nil, b.notFound(key)
	}
	return m, nil
}

// List returns a page in the order of names.
func (b *Book[M]) List(ctx context.Context, environment string, q listing.Query) (listing.Page[proto.Message], error) {
	var none listing.Page[proto.Message]
	plan, err := q.Plan()
	if err != nil {
		return none, err
	}
	var violations []problem.Violation
	for field := range plan.Filter {
		if !slices.Contains(b.filters, field) {
			violations = append(violations, listing.UnknownFilter(field, strings.Join(b.filters, ", ")))
		}
	}
	if err := problem.Invalid(violations...); err != nil {
		return none, err
	}
	found, err := b.records.Select(ctx, environment, Selection{
		After: plan.After, Limit: plan.Limit + 1, Filter: plan.Filter, Labels: plan.Selector, Within: b.bound(ctx, environment),
	})
	if err != nil {
		return none, err
	}
	for _, f := range b.fixed() {
		name, filtered := plan.Filter["name"]
		if f.GetName() > plan.After && (!filtered || name == f.GetName()) && plan.Selector.Matches(f.GetLabels()) {
			found = append(found, f)
		}
	}
	slices.SortFunc(found, func(x, y M) int { return strings.Compare(x.GetName(), y.GetName()) })
	messages := make([]proto.Message, min(len(found), plan.Limit+1))
	for i := range messages {
		messages[i] = found[i]
	}
	return listing.PageOf(plan, messages, func(m proto.Message) string { return m.(M).GetName() }), nil
}

// Put makes the object of an id or name what its JSON says; by name, it is made if there is none. ifMatch are ETags, one of which it
// must have; "" any.
func (b *Book[M]) Put(ctx context.Context, environment, key string, body []byte, ifMatch string) (m proto.Message, created bool, err error) {
	wanted := b.empty()
	if err := resource.AsError(resource.Decode(body, wanted)); err != nil {
		return nil, false, err
	}
	if !id.LooksLikeID(key) {
		if wanted.GetName() == "" {
			set(wanted, "name", protoreflect.ValueOfString(key))
		}
		if wanted.GetName() != key {
			return nil, false, problem.Invalid(problem.Violation{
				Pointer: "/name", Code: problem.ViolationInvalidValue, Given: wanted.GetName(), Allowed: key,
				Detail: "is not the name that is put to; to rename an object, put it by its id or patch its name",
			})
		}
	}
	m, err = b.change(ctx, environment, key, ifMatch, func(M) (M, error) { return proto.CloneOf(wanted), nil })
	if problem.CodeOf(err) != problem.NotFound || id.LooksLikeID(key) {
		return m, false, err
	}
	if ifMatch != "" {
		return nil, false, problem.Errorf(problem.PreconditionFailed, "there is no %s %q that If-Match could name", b.words(), key)
	}
	m, err = b.insert(ctx, environment, wanted)
	return m, err == nil, err
}

// Patch changes an object by a JSON merge patch (RFC 7396).
func (b *Book[M]) Patch(ctx context.Context, environment, key string, patch []byte, ifMatch string) (proto.Message, error) {
	return b.change(ctx, environment, key, ifMatch, func(before M) (M, error) {
		var none M
		merged, violations := resource.MergePatch(before, patch)
		if len(violations) > 0 {
			return none, resource.AsError(violations)
		}
		return merged.(M), nil
	})
}

// change makes an object what f returns.
func (b *Book[M]) change(ctx context.Context, environment, key, ifMatch string, f func(before M) (M, error)) (proto.Message, error) {
	var changed M
	err := b.locked(ctx, environment, key, ifMatch, func(before M) (M, error) {
		var none M
		after, err := f(before)
		if err != nil {
			return none, err
		}
		if after.GetName() == "" && b.nameless {
			set(after, "name", protoreflect.ValueOfString(before.GetName()))
		}
		if err := b.check(before, after); err != nil {
			return none, err
		}
		if err := b.settle(ctx, environment, before, after); err != nil {
			return none, err
		}
		set(after, "id", protoreflect.ValueOfString(before.GetId()))
		b.stamp(after, before, b.now())
		audit.Note(ctx, audit.Change{
			Action: actionUpdate, Collection: b.collection, ID: after.GetId(), Name: after.GetName(), Before: before, After: after,
		})
		changed = after
		return after, nil
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// Delete ends an object that nothing refers to.
func (b *Book[M]) Delete(ctx context.Context, environment, key, ifMatch string) error {
	return b.locked(ctx, environment, key, ifMatch, func(before M) (M, error) {
		var none M
		if err := b.settle(ctx, environment, before, none); err != nil {
			return none, err
		}
		audit.Note(ctx, audit.Change{Action: actionDelete, Collection: b.collection, ID: before.GetId(), Name: before.GetName(), Before: before})
		return none, nil
	})
}

// locked changes an object that the actor may know of and that is as they know it.
func (b *Book[M]) locked(ctx context.Context, environment, key, ifMatch string, f func(before M) (M, error)) error {
	if slices.ContainsFunc(b.fixed(), func(m M) bool { return m.GetName() == key }) {
		return problem.Errorf(problem.Forbidden, "the %s %q is built in, and can't be changed", b.words(), key)
	}
	return b.records.Change(ctx, environment, key, func(before M) (M, error) {
		var none M
		if !b.visible(ctx, environment, before) {
			return none, b.notFound(key)
		}
		if err := b.fresh(before, ifMatch); err != nil {
			return none, err
		}
		return f(before)
	})
}

// fresh holds an object against If-Match (RFC 9110 §13.1.1), strongly.
func (b *Book[M]) fresh(m M, ifMatch string) error {
	if ifMatch == "" || strings.TrimSpace(ifMatch) == "*" {
		return nil
	}
	stored, err := resource.Stored(m)
	if err != nil {
		return fmt.Errorf("etag of %s: %w", m.GetId(), err)
	}
	for tag := range strings.SplitSeq(ifMatch, ",") {
		if strings.TrimSpace(tag) == resource.ETag(stored) {
			return nil
		}
	}
	return problem.Errorf(problem.PreconditionFailed, "the %s is not at the version that If-Match names; read it again and reapply the change", b.words())
}

// check returns what is wrong with an object by itself. Nothing takes the name of what is built in, on its way through another one either:
// bindings that say "owner" mean that.
func (b *Book[M]) check(before, after M) error {
	violations := resource.CheckName(after.GetName())
	violations = append(violations, resource.CheckLabels(after.GetLabels())...)
	violations = append(violations, validate.Message(after)...)
	violations = append(violations, resource.CheckOutputOnly(before, after)...)
	if len(violations) == 0 && slices.ContainsFunc(b.fixed(), func(f M) bool { return f.GetName() == after.GetName() }) {
		return problem.Errorf(problem.NameTaken, "the built-in %s has this name", b.words())
	}
	return problem.Invalid(violations...)
}

// stamp sets when an object was made and changed.
func (b *Book[M]) stamp(m, before M, now time.Time) {
	now = now.UTC().Truncate(time.Microsecond) // as fine as Postgres keeps it
	created := before.GetCreatedAt()
	if created == nil {
		created = timestamppb.New(now)
	}
	set(m, "created_at", protoreflect.ValueOfMessage(created.ProtoReflect()))
	set(m, "updated_at", protoreflect.ValueOfMessage(timestamppb.New(now).ProtoReflect()))
}

func (b *Book[M]) words() string { return strings.ReplaceAll(b.singular, "-", " ") }

func (b *Book[M]) notFound(key string) error {
	return problem.Errorf(problem.NotFound, "there is no %s %q", b.words(), key)
}

func set(m proto.Message, field protoreflect.Name, value protoreflect.Value) {
	r := m.ProtoReflect()
	r.Set(r.Descriptor().Fields().ByName(field), value)
}

// there tells whether a message is one, and not the absence of one.
func there(m proto.Message) bool { return m.ProtoReflect().IsValid() }
