package catalog

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Diff returns what changed from one revision to another, which may be the earlier one; 0 is the empty
// configuration. Objects come in the order of the registry and of their names.
func (c *Catalog) Diff(ctx context.Context, environment string, from, to uint64) ([]Change, error) {
	at, err := c.store.Position(ctx, environment)
	if err != nil {
		return nil, err
	}
	for _, number := range []uint64{from, to} {
		if number > at.Revision {
			return nil, problem.Errorf(problem.NotFound, "there is no revision %d; the latest is %d", number, at.Revision)
		}
	}
	differences, err := c.store.Differences(ctx, environment, min(from, to), max(from, to))
	if err != nil {
		return nil, err
	}
	changes := make([]Change, 0, len(differences))
	for _, d := range differences {
		if from > to {
			d.Before, d.After = d.After, d.Before
		}
		if bytes.Equal(d.Before, d.After) {
			continue
		}
		change, err := d.change()
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	slices.SortFunc(changes, compareChanges)
	return changes, nil
}

func (d Difference) change() (Change, error) {
	var before, after *Object
	var err error
	if d.Before != nil {
		if before, err = readObject(d.Collection, d.Before); err != nil {
			return Change{}, fmt.Errorf("before: %w", err)
		}
	}
	if d.After != nil {
		if after, err = readObject(d.Collection, d.After); err != nil {
			return Change{}, fmt.Errorf("after: %w", err)
		}
	}
	return Edit{Before: before, After: after}.Change(), nil
}

func compareChanges(a, b Change) int {
	if c := order(a.Collection) - order(b.Collection); c != 0 {
		return c
	}
	return bytes.Compare([]byte(a.Name), []byte(b.Name))
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
