package catalog

import (
	"fmt"
	"iter"
	"strings"

	"github.com/sallyport/sallyport/proto/problem"
)

// maxRefusals bounds an answer: one deleted policy can leave every route bare.
const maxRefusals = 500

// Refusal is one reason why a batch can't be.
type Refusal struct {
	Code      problem.Code      // what the answer's code is if this is the only kind of reason
	Violation problem.Violation // its place in the caller's body
	Referrers []problem.Reference
}

// Refusals are all reasons at once.
type Refusals struct {
	list       []Refusal
	more       int
	unreadable map[string]bool // pointers at what could not be read: true; at what is around it: false
}

// Add adds a reason.
func (r *Refusals) Add(refusal Refusal) {
	if refusal.Code == problem.InvalidRequest && r.follows(refusal.Violation.Pointer) {
		return
	}
	r.add(refusal)
}

func (r *Refusals) add(refusal Refusal) {
	if len(r.list) >= maxRefusals {
		r.more++
		return
	}
	r.list = append(r.list, refusal)
}

// Invalid adds violations of an object, whose pointers are relative to it.
func (r *Refusals) Invalid(origin Origin, violations ...problem.Violation) {
	for _, v := range problem.Prefix(violations, origin.Body) {
		code := problem.InvalidRequest
		if v.Code == string(problem.MalformedJSON) {
			code = problem.MalformedJSON
		}
		r.Add(Refusal{Code: code, Violation: v})
	}
}

// Unreadable adds violations of a body that was read but for these places. What later checks say of the same places, of
// what is inside them or around them, only follows from that, and is left out.
func (r *Refusals) Unreadable(origin Origin, violations ...problem.Violation) {
	for _, v := range problem.Prefix(violations, origin.Body) {
		r.add(Refusal{Code: problem.InvalidRequest, Violation: v})
		r.remember(v.Pointer)
	}
}

// remember keeps a place that could not be read, and what is around it. A batch can have very many of them, each of which
// later violations are held against.
func (r *Refusals) remember(pointer string) {
	if r.unreadable == nil {
		r.unreadable = make(map[string]bool)
	}
	r.unreadable[pointer] = true
	for around := range around(pointer) {
		if _, known := r.unreadable[around]; known {
			return // and with it all that is around it
		}
		r.unreadable[around] = false
	}
}

// follows tells whether a pointer is at, inside or around a place that could not be read.
func (r *Refusals) follows(pointer string) bool {
	if len(r.unreadable) == 0 {
		return false
	}
	if _, known := r.unreadable[pointer]; known {
		return true
	}
	for around := range around(pointer) {
		if r.unreadable[around] {
			return true
		}
	}
	return false
}

// around yields the pointers at what holds a place, the innermost first.
func around(pointer string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			end := strings.LastIndexByte(pointer, '/')
			if end <= 0 {
				return
			}
			if pointer = pointer[:end]; !yield(pointer) {
				return
			}
		}
	}
}

// NotFound adds that there is no object of this key.
func (r *Refusals) NotFound(origin Origin, singular, key string) {
	r.Add(Refusal{Code: problem.NotFound, Violation: problem.Violation{
		Pointer: member(origin, "key"), Code: problem.ViolationUnknownReference,
		Detail: fmt.Sprintf("there is no %s %q in this environment", singular, key), Given: key,
	}})
}

// Stale adds that an object isn't what If-Match says.
func (r *Refusals) Stale(origin Origin, singular, key, etag string) {
	v := problem.Violation{
		Pointer: member(origin, "if_match"), Code: string(problem.PreconditionFailed),
		Detail: fmt.Sprintf("the %s %q is not at the version that If-Match names; read it again and reapply the change", singular, key), Allowed: etag,
	}
	r.Add(Refusal{Code: problem.PreconditionFailed, Violation: v})
}

// NameTaken adds that another object has the name.
func (r *Refusals) NameTaken(origin Origin, singular, name string) {
	r.Add(Refusal{Code: problem.NameTaken, Violation: problem.Violation{
		Pointer: origin.Body + "/name", Code: problem.ViolationNameTaken,
		Detail: fmt.Sprintf("another %s has this name; names are unique in an environment", singular), Given: name,
	}})
}

// Referenced adds that others still refer to an object that is to go.
func (r *Refusals) Referenced(origin Origin, singular, name string, referrers []problem.Reference) {
	r.Add(Refusal{Code: problem.Referenced, Referrers: referrers, Violation: problem.Violation{
		Pointer: origin.Operation, Code: string(problem.Referenced),
		Detail: fmt.Sprintf("%d other objects refer to the %s %q; change or delete them first", len(referrers), singular, name), Given: name,
	}})
}

// Forbidden adds that the author may not do this to an object. The pointer is relative to it.
func (r *Refusals) Forbidden(origin Origin, pointer, detail string) {
	r.Add(Refusal{Code: problem.Forbidden, Violation: problem.Violation{
		Pointer: origin.Body + pointer, Code: string(problem.Forbidden), Detail: detail,
	}})
}

// Empty tells whether there is no reason.
func (r *Refusals) Empty() bool { return len(r.list) == 0 }

// full tells whether a further reason would only be counted.
func (r *Refusals) full() bool { return len(r.list) >= maxRefusals }

// Join takes over the reasons of another list.
func (r *Refusals) Join(other Refusals) {
	for _, refusal := range other.list {
		r.Add(refusal)
	}
	r.more += other.more
}

// Err returns all reasons as one *problem.Error, nil when there are none. Its code is theirs when all
// have the same, else InvalidRequest.
func (r *Refusals) Err() error {
	if r.Empty() {
		return nil
	}
	code := r.list[0].Code
	violations := make([]problem.Violation, 0, len(r.list))
	var referrers []problem.Reference
	for _, refusal := range r.list {
		if refusal.Code != code {
			code = problem.InvalidRequest
		}
		violations = append(violations, refusal.Violation)
		referrers = append(referrers, refusal.Referrers...)
	}
	err := problem.Errorf(code, "%s", r.summary())
	err.Errors, err.Referrers = violations, referrers
	return err
}

func (r *Refusals) summary() string {
	n := len(r.list) + r.more
	switch {
	case r.full():
		return fmt.Sprintf("at least %d things are not valid, of which %d are listed", n, len(r.list))
	case n == 1:
		return r.list[0].Violation.Detail
	default:
		return fmt.Sprintf("%d things are not valid", n)
	}
}

// member points at a member of a batch's step, and at nothing in a request that is one step.
func member(origin Origin, name string) string {
	if origin.Operation == "" {
		return ""
	}
	return origin.Operation + "/" + name
}
