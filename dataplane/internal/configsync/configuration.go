package configsync

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Ref names an object of the configuration.
type Ref struct {
	Collection string // "routes"
	ID         string // "rt_…"
}

// Compiler makes a configuration work. It is called by one goroutine.
type Compiler interface {
	// Compile compiles all of a configuration, aside. It returns every error there is, and no commit
	// then; or what puts the result in force, which neither fails nor waits. commit isn't called when
	// the node stops meanwhile.
	Compile(Proposal) (commit func(), errs []*edgev1.ObjectError)
}

// Proposal is a configuration to compile.
type Proposal struct {
	// Revision is its number.
	Revision uint64
	// Objects are all of them.
	Objects Objects
	// Changed names what differs from the configuration in force, deleted objects included; nil
	// with Whole.
	Changed []Ref
	// Whole says that anything may differ: a snapshot, or the first configuration ever.
	Whole bool
}

// Objects is the objects of a configuration. It may be used until Compile returns; the objects'
// bytes may be kept, and never change.
type Objects struct {
	base    map[Ref][]byte
	changed map[Ref][]byte // over base; nil: deleted
}

// Get returns an object's bytes as stored.
func (o Objects) Get(ref Ref) ([]byte, bool) {
	if object, changed := o.changed[ref]; changed {
		return object, object != nil
	}
	object, found := o.base[ref]
	return object, found
}

// All yields all objects, in no order.
func (o Objects) All() iter.Seq2[Ref, []byte] {
	return func(yield func(Ref, []byte) bool) {
		for ref, object := range o.base {
			if _, changed := o.changed[ref]; !changed && !yield(ref, object) {
				return
			}
		}
		for ref, object := range o.changed {
			if object != nil && !yield(ref, object) {
				return
			}
		}
	}
}

// maxObject bounds one object, in bytes.
const maxObject = 1 << 20

// configurationLimits bounds snapshots of the configuration.
var configurationLimits = limits{compressed: 128 << 20, plain: 1 << 30}

// configuration is what the node holds of the configuration. It belongs to its lane's goroutine.
type configuration struct {
	compiler Compiler
	needs    func(ctx context.Context, epoch, sequence uint64) error // waits for the directory
	log      *slog.Logger

	objects map[Ref][]byte
	index   *digest.Set
	inForce bool // something was compiled already
}

func newConfiguration(compiler Compiler, needs func(context.Context, uint64, uint64) error, log *slog.Logger) *configuration {
	return &configuration{compiler: compiler, needs: needs, log: log, objects: map[Ref][]byte{}, index: new(digest.Set)}
}

func (c *configuration) digest() digest.Sum { return c.index.Head() }

func (c *configuration) limits() limits { return configurationLimits }

func (c *configuration) prepareDelta(d *delta) (candidate, error) {
	next := &nextConfiguration{
		current: c,
		objects: Objects{base: c.objects, changed: make(map[Ref][]byte, len(d.objects))},
		index:   c.index.Clone(),
	}
	for _, change := range d.objects {
		ref, err := refOf(change)
		if err != nil {
			return nil, err
		}
		next.objects.changed[ref] = nil
		key := digest.KeyOf(ref.Collection, ref.ID)
		if object := change.GetObject(); len(object) > 0 {
			next.objects.changed[ref] = object
			next.index.Put(key, digest.HashOf(object))
		} else {
			next.index.Delete(key)
		}
	}
	return next, nil
}

func (c *configuration) prepareSnapshot(compressed io.Reader) (candidate, error) {
	next := &nextConfiguration{current: c, whole: true, objects: Objects{base: map[Ref][]byte{}}, index: new(digest.Set)}
	for change, err := range messages(compressed, c.limits().plain, new(edgev1.ObjectChange), unmarshal) {
		if err != nil {
			return nil, err
		}
		ref, err := refOf(change)
		if err != nil {
			return nil, err
		}
		if _, twice := next.objects.base[ref]; twice || len(change.GetObject()) == 0 {
			return nil, &refusal{code: codeMalformed, detail: fmt.Sprintf("object %s %s is there twice or empty", ref.Collection, ref.ID)}
		}
		next.objects.base[ref] = change.GetObject()
		next.index.Put(digest.KeyOf(ref.Collection, ref.ID), digest.HashOf(change.GetObject()))
	}
	return next, nil
}

func refOf(change *edgev1.ObjectChange) (Ref, error) {
	ref := Ref{Collection: change.GetCollection(), ID: change.GetId()}
	if ref.Collection == "" || ref.ID == "" || strings.Contains(ref.Collection, "/") {
		return Ref{}, &refusal{code: codeMalformed, detail: fmt.Sprintf("an object without collection or id: %q %q", ref.Collection, ref.ID)}
	}
	if len(change.GetObject()) > maxObject {
		return Ref{}, &refusal{code: codeTooLarge, detail: fmt.Sprintf("object %s %s has %d bytes, at most %d", ref.Collection, ref.ID, len(change.GetObject()), maxObject)}
	}
	return ref, nil
}

// nextConfiguration is a configuration made aside.
type nextConfiguration struct {
	current *configuration
	objects Objects
	index   *digest.Set
	whole   bool
	swap    func()
}

func (n *nextConfiguration) digest() digest.Sum { return n.index.Head() }

// complete waits for the directory, then compiles.
func (n *nextConfiguration) complete(ctx context.Context, h head) error {
	if err := n.current.needs(ctx, h.epoch, h.sequenceNeeded); err != nil {
		return err
	}
	proposal := Proposal{Revision: h.number, Objects: n.objects, Whole: n.whole || !n.current.inForce}
	if !proposal.Whole {
		proposal.Changed = slices.Collect(maps.Keys(n.objects.changed))
	}
	swap, errs := n.current.compile(proposal)
	if len(errs) > 0 || swap == nil {
		return &refusal{code: codeNotCompiled, detail: fmt.Sprintf("%d errors in revision %d", len(errs), h.number), objects: errs}
	}
	n.swap = swap
	return nil
}

// compile makes a panic in the compiler the refusal of a revision: a bad object must not end the
// node.
func (c *configuration) compile(proposal Proposal) (swap func(), errs []*edgev1.ObjectError) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("the compiler panicked; the revision is refused", "revision", proposal.Revision, "panic", r, "stack", string(debug.Stack()))
			swap, errs = nil, []*edgev1.ObjectError{{Code: codeNotCompiled, Message: "the compiler panicked; the node's log says where"}}
		}
	}()
	return c.compiler.Compile(proposal)
}

// restored compiles what came off the disk. It waits for nothing: the directory came off the disk before.
func (c *configuration) restored(h head) error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	next := &nextConfiguration{current: c, objects: Objects{base: c.objects}, index: c.index, whole: true}
	if err := next.complete(now, h); err != nil {
		return err
	}
	return next.commit(h.number)
}

func (c *configuration) reset() error {
	c.objects, c.index = map[Ref][]byte{}, new(digest.Set)
	return nil
}

// commit puts a configuration in force; one that wasn't compiled, off the disk, is merely held.
func (n *nextConfiguration) commit(uint64) error {
	c := n.current
	c.index = n.index
	if n.swap != nil {
		n.swap()
		c.inForce = true
	}
	if n.whole {
		c.objects = n.objects.base
		return nil
	}
	for ref, object := range n.objects.changed {
		if object == nil {
			delete(c.objects, ref)
			continue
		}
		c.objects[ref] = object
	}
	return nil
}
