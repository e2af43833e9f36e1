package catalog

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Comparison is a configuration at two revisions, and what differs.
type Comparison struct {
	Before, After *Head
	Edits         []Edit // in the order of the registry and of names
}

// Changes returns the edits as they are shown.
func (c Comparison) Changes() []Change {
	changes := make([]Change, len(c.Edits))
	for i, e := range c.Edits {
		changes[i] = e.Change()
	}
	return changes
}

// Diff returns what changed from one revision to another, which may be the earlier one; 0 is the empty
// configuration.
func (c *Catalog) Diff(ctx context.Context, environment string, from, to uint64) (Comparison, error) {
	newest, err := c.Head(ctx, environment)
	if err != nil {
		return Comparison{}, err
	}
	var ends [2]*Head
	for i, number := range []uint64{from, to} {
		if number > newest.Revision {
			return Comparison{}, problem.Errorf(problem.NotFound, "there is no revision %d; the latest is %d", number, newest.Revision)
		}
		if ends[i], err = c.before(ctx, environment, newest, number); err != nil {
			return Comparison{}, err
		}
	}
	differences, err := c.store.Differences(ctx, environment, min(from, to), max(from, to))
	if err != nil {
		return Comparison{}, err
	}
	edits := make([]Edit, 0, len(differences))
	for _, d := range differences {
		before, _ := ends[0].objects.get(ref{d.Collection, d.ID})
		after, _ := ends[1].objects.get(ref{d.Collection, d.ID})
		if before == after || before != nil && after != nil && bytes.Equal(before.Stored, after.Stored) {
			continue
		}
		edits = append(edits, Edit{Before: before, After: after})
	}
	slices.SortFunc(edits, compareEdits)
	return Comparison{Before: ends[0], After: ends[1], Edits: edits}, nil
}

// before returns the head as it was at an earlier revision: what changed since is taken back.
func (c *Catalog) before(ctx context.Context, environment string, newest *Head, number uint64) (*Head, error) {
	if number == newest.Revision {
		return newest, nil
	}
	since, err := c.store.Differences(ctx, environment, number, newest.Revision)
	if err != nil {
		return nil, err
	}
	h := newest.edit()
	for _, d := range since {
		h.remove(ref{d.Collection, d.ID})
	}
	for _, d := range since {
		if d.Before == nil {
			continue
		}
		o, err := readObject(d.Collection, d.Before)
		if err != nil {
			return nil, fmt.Errorf("revision %d: %w", number, err)
		}
		h.put(o)
	}
	h.settle()
	h.Revision = number
	return h, nil
}

func compareEdits(a, b Edit) int {
	x, y := a.Object(), b.Object()
	return cmp.Or(cmp.Compare(order(x.Collection), order(y.Collection)), cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID))
}

func order(collection string) int {
	return slices.IndexFunc(resource.Types(), func(t *resource.Type) bool { return t.Collection == collection })
}

// Change returns the edit as it is shown.
func (e Edit) Change() Change {
	switch {
	case e.Before == nil:
		return Change{Action: Created, Collection: e.After.Collection, ID: e.After.ID, Name: e.After.Name, After: e.After.Message}
	case e.After == nil:
		return Change{Action: Deleted, Collection: e.Before.Collection, ID: e.Before.ID, Name: e.Before.Name, Before: e.Before.Message}
	default:
		return Change{
			Action: Updated, Collection: e.After.Collection, ID: e.After.ID, Name: e.After.Name,
			Fields: resource.Differences(e.Before.Message, e.After.Message), Before: e.Before.Message, After: e.After.Message,
		}
	}
}
