package dataplane

import (
	"github.com/sallyport/sallyport/dataplane/internal/configsync"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// compiler joins the configuration lane with the snapshots.
type compiler struct {
	env    *snapshot.Env
	holder *snapshot.Holder
	// changed hears of a snapshot in force; nil: nobody does.
	changed func()
}

// Compile makes a snapshot aside. The commit is one atomic store.
func (c compiler) Compile(p configsync.Proposal) (commit func(), errs []*edgev1.ObjectError) {
	var next *snapshot.Snapshot
	if p.Whole {
		next, errs = snapshot.Compile(c.env, p.Revision, sourcesOf(p), c.holder.Load())
	} else {
		next, errs = snapshot.Update(c.env, p.Revision, changesOf(p), c.holder.Load())
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return func() {
		c.holder.Store(next)
		if c.changed != nil {
			c.changed()
		}
	}, nil
}

func sourcesOf(p configsync.Proposal) []snapshot.Source {
	var all []snapshot.Source
	for ref, data := range p.Objects.All() {
		all = append(all, snapshot.Source{Collection: ref.Collection, ID: ref.ID, Data: data})
	}
	return all
}

func changesOf(p configsync.Proposal) []snapshot.Source {
	changes := make([]snapshot.Source, 0, len(p.Changed))
	for _, ref := range p.Changed {
		data, _ := p.Objects.Get(ref) // absent: deleted
		changes = append(changes, snapshot.Source{Collection: ref.Collection, ID: ref.ID, Data: data})
	}
	return changes
}
