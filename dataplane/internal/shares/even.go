package shares

import (
	"sync/atomic"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/limiter"
	"github.com/sallyport/sallyport/proto/id"
)

// Even gives each node of the fleet the same share. A node that the directory doesn't list has none: whoever else counts
// doesn't count with it.
type Even struct {
	directory *directory.Directory
	node      id.ID
	last      atomic.Pointer[answer]
}

// answer is what follows from one state of the fleet.
type answer struct {
	fleet *directory.Fleet
	share *limiter.Share
}

var _ limiter.Shares = (*Even)(nil)

// NewEven returns the shares of a node.
func NewEven(d *directory.Directory, node id.ID) *Even { return &Even{directory: d, node: node} }

// Share implements limiter.Shares.
func (e *Even) Share() *limiter.Share {
	fleet := e.directory.Fleet()
	if last := e.last.Load(); last != nil && last.fleet == fleet {
		return last.share
	}
	next := &answer{fleet: fleet, share: share(fleet, e.node)}
	// Whoever comes first has the say, so that a share is one pointer while it is the same.
	for {
		last := e.last.Load()
		if last != nil && last.fleet == fleet {
			return last.share
		}
		if e.last.CompareAndSwap(last, next) {
			return next.share
		}
	}
}

func share(fleet *directory.Fleet, node id.ID) *limiter.Share {
	if fleet == nil {
		return nil
	}
	rank, listed := fleet.Rank(node)
	if !listed {
		return nil
	}
	return &limiter.Share{Nodes: uint32(len(fleet.Nodes)), Rank: uint32(rank)}
}
