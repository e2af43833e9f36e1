package configsync

import (
	"context"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

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
	change, err := e.directory.PrepareSnapshot(messages(compressed, e.limits().plain, new(edgev1.EntryChange), lendEntry))
	if err != nil {
		return nil, err
	}
	return nextEntries{directory: e.directory, change: change}, nil
}

// lendEntry fills m from data, which it then refers to: a snapshot holds a million of them. What isn't a key and an entry, in
// this order, is unmarshalled, which is where unknown fields are refused.
func lendEntry(data []byte, m *edgev1.EntryChange) error {
	key, rest := consumeBytes(data, 1)
	entry, rest := consumeBytes(rest, 2)
	if key == nil || entry == nil || len(rest) > 0 {
		return unmarshal(data, m)
	}
	m.Key, m.Entry = key, entry
	return nil
}

// consumeBytes returns the bytes of the field that data begins with, and what is behind it; nil if it is another field.
func consumeBytes(data []byte, number protowire.Number) (value, rest []byte) {
	got, wire, n := protowire.ConsumeTag(data)
	if n < 0 || got != number || wire != protowire.BytesType {
		return nil, data
	}
	value, size := protowire.ConsumeBytes(data[n:])
	if size < 0 {
		return nil, data
	}
	return value, data[n+size:]
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
