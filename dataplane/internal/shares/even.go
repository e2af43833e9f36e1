package shares

import (
	"sync/atomic"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/limiter"
	"github.com/sallyport/sallyport/proto/id"
)

// Even gives each node of the fleet the same share. A node that the directory doesn't list has none: whoever else counts
// doesn't count with it. Nor has one that has joined no fleet yet.
type Even struct {
	directory *directory.Directory
	node      atomic.Pointer[id.ID] // nil: it hasn't joined
	last      atomic.Pointer[answer]
}

// answer is what follows from one state of the fleet, for a node.
type answer struct {
	fleet *directory.Fleet
	node  *id.ID
	share *limiter.Share
}

var _ limiter.Shares = (*Even)(nil)

// NewEven returns the shares of a node that hasn't joined: none.
func NewEven(d *directory.Directory) *Even { return &Even{directory: d} }

// Join says which node of the fleet this is.
func (e *Even) Join(node id.ID) { e.node.Store(&node) }

// Share implements limiter.Shares.
func (e *Even) Share() *limiter.Share {
	fleet, node := e.directory.Fleet(), e.node.Load()
	if last := e.last.Load(); last != nil && last.fleet == fleet && last.node == node {
		return last.share
	}
	next := &answer{fleet: fleet, node: node, share: share(fleet, node)}
	// Whoever comes first has the say, so that a share is one pointer while it is the same.
	for {
		last := e.last.Load()
		if last != nil && last.fleet == fleet && last.node == node {
			return last.share
		}
		if e.last.CompareAndSwap(last, next) {
			return next.share
		}
	}
}

func share(fleet *directory.Fleet, node *id.ID) *limiter.Share {
	if fleet == nil || node == nil {
		return nil
	}
	rank, listed := fleet.Rank(*node)
	if !listed {
		return nil
	}
	return &limiter.Share{Nodes: uint32(len(fleet.Nodes)), Rank: uint32(rank)}
}
