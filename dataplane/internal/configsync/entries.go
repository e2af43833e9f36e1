package configsync

import (
	"context"
	"io"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// directoryLimits bounds snapshots of the directory: millions of entries.
var directoryLimits = limits{compressed: 1 << 30, plain: 8 << 30}

// entries is the directory as its lane sees it.
type entries struct{ directory *directory.Directory }

func (e entries) digest() digest.Sum {
	_, sum := e.directory.Head()
	return sum
}

func (e entries) limits() limits { return directoryLimits }

func (e entries) prepareDelta(d *delta) (candidate, error) {
	change, err := e.directory.Prepare(d.entries)
	if err != nil {
		return nil, err
	}
	return nextEntries{directory: e.directory, change: change}, nil
}

func (e entries) prepareSnapshot(compressed io.Reader) (candidate, error) {
	change, err := e.directory.PrepareSnapshot(messages(compressed, e.limits().plain, new(edgev1.EntryChange)))
	if err != nil {
		return nil, err
	}
	return nextEntries{directory: e.directory, change: change}, nil
}

// restored does nothing: entries are in force when they are committed, and nobody asks before the node is ready.
func (e entries) restored(head) error { return nil }

func (e entries) reset() error {
	nothing, err := e.directory.PrepareSnapshot(func(func(*edgev1.EntryChange, error) bool) {})
	if err != nil {
		return err
	}
	return e.directory.Commit(nothing, 0)
}

// nextEntries is a change of the directory made aside.
type nextEntries struct {
	directory *directory.Directory
	change    *directory.Change
}

func (n nextEntries) digest() digest.Sum { return n.change.Digest() }

func (n nextEntries) complete(context.Context, head) error { return nil }

func (n nextEntries) commit(number uint64) error { return n.directory.Commit(n.change, number) }
