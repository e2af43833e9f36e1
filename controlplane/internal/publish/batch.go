package publish

import (
	"crypto/sha256"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/effects"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Verb is what an operation does.
type Verb string

// The verbs.
const (
	Create Verb = "create" // a new object
	Put    Verb = "put"    // the object of this id or name becomes this; by name, it is made if there is none
	Patch  Verb = "patch"  // JSON merge patch (RFC 7396)
	Delete Verb = "delete" // an API key's delete is its revocation
	Rotate Verb = "rotate" // API keys: a new key takes another's place, which works on for a while
	Import Verb = "import" // API keys: one that another system made; package keylife's alone
)

// Operation is one step of a batch.
type Operation struct {
	Verb       Verb
	Collection string
	Key        string       // id or name; empty in Create, but for Batch.Recall
	Body       []byte       // JSON: the object, the patch, or the rotation; empty in Delete
	IfMatch    string       // ETags that the object may have had before the batch: "" any, "*" any but none
	Imported   *ImportedKey // of an Import
}

// ImportedKey is what is known of a key that another system made; its Import says the rest.
type ImportedKey struct {
	SHA256           [sha256.Size]byte // of its text
	Prefix, LastFour string            // of its text, as far as it may be shown
}

// MaxOperations is how many operations a batch may have.
const MaxOperations = 10_000

// Batch is what is written together: all of it, or nothing.
type Batch struct {
	Environment string       // id
	Author      access.Actor // its grants say what it may write; without any, nothing
	Message     string       // why, in the author's words
	Operations  []Operation
	DryRun      bool
	Force       bool // make it although something speaks against it that the author may decide on
	// Override makes it without the proposal that the environment demands; a face sets it for whoever may and says force.
	Override bool
	Proposal *Proposal // that the batch belongs to; nil: it is a direct write
	// Recall takes back what the database lost of an ended history: a Create of a block names, as Key, the id that it had. Whom it is
	// about may be lost as well, no limit speaks against it, and denials are recorded as recalled. For package epochs alone.
	Recall bool
	// Cause says why API keys are deleted, when that isn't just somebody's wish; "": it is.
	Cause Cause
	// Prefixed makes violations point at "/operations/<i>/body/…" also when there is one operation, as the
	// body of a batch has it. With several operations they always do.
	Prefixed bool
	// RollbackTo is the revision that Publisher.Rollback brings back.
	RollbackTo uint64

	passwords []newPassword  // that it sets, by operation; their digests are made once, however often the batch is tried
	noted     []audit.Change // what its author does beside: leads a proposal to its end
}

// Outcome is what one operation made.
type Outcome struct {
	Collection string
	ID         string
	Name       string
	ETag       string // empty when deleted
	Created    bool   // by this operation: a create, a put of what wasn't there, a rotation
	// Object as the whole batch left it: a configuration resource, or *adminv1.Consumer, *adminv1.ApiKey (with
	// the key itself if it was made here and not in a dry run), *adminv1.Secret; nil when deleted.
	Object proto.Message
}

// Change is what happened to one object, secret material left out.
type Change = catalog.Change

// Result is what a batch made, or would make.
type Result struct {
	Revision uint64 // 0: no revision was made
	Sequence uint64 // the directory's after the batch; 0: no entry was made
	Changes  []Change
	Warnings []string // what the author may not have meant
	Outcomes []Outcome
	Base     *Base     // of a proposal's dry run: what it is planned on
	Moved    []Version // of its base, what isn't any more as it was; also beside an error, of a dry run

	candidate *catalog.Candidate // nil: the batch touches the directory alone
}

// Effects returns what the batch means for callers, as far as its author may know of them. It is found out when it is asked for: after the commit, with no lock held.
func (r Result) Effects() []effects.Effect {
	if r.candidate == nil {
		return nil
	}
	all := effects.Of(r.candidate.Base(), r.candidate.Head(), r.candidate.Edits())
	if r.candidate.Bound() {
		return effects.Masked(all, r.candidate.Sees)
	}
	return all
}

// origin returns where an operation stands in the caller's body.
func (b Batch) origin(i int) catalog.Origin {
	if len(b.Operations) == 1 && !b.Prefixed {
		return catalog.Origin{}
	}
	at := problem.Pointer("operations", i)
	return catalog.Origin{Operation: at, Body: at + "/body"}
}

// needs is the permission to write a collection's objects. Whoever finds keys where none should be may revoke those, and nothing else.
func (b Batch) needs(collection string) access.Permission {
	if b.Cause == CauseLeaked && collection == directory.APIKeys {
		return access.ReportLeaks
	}
	return access.ToWrite(collection)
}

// touchesConfiguration tells whether an operation is on an object of the configuration.
func (b Batch) touchesConfiguration() bool {
	return slices.ContainsFunc(b.Operations, func(op Operation) bool {
		_, ok := resource.ByCollection(op.Collection)
		return ok
	})
}
