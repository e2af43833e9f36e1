package edgeapi

import (
	"context"
	"fmt"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// news is what a node is told, on its directory stream, of whom to believe in. A nil one tells nothing.
type news struct {
	trust *fleet.Trust
	node  string
	wire  directoryWire
	told  uint64 // version that the node was told of
}

// news takes note of what a node believes in. One of an early build follows no announcements: it stands in the way
// of a new key for as long as it is connected.
func (s *Server) news(ctx context.Context, w wire, identity fleet.Identity, hello *edgev1.Hello) (*news, error) {
	directory, ok := w.(directoryWire)
	if !ok || s.cfg.Trust == nil {
		return nil, nil
	}
	if err := s.cfg.Trust.Believed(ctx, identity.Node, hello.GetTrustVersion(), false); err != nil {
		return nil, err
	}
	if hello.GetTrustVersion() == 0 {
		return nil, nil
	}
	return &news{trust: s.cfg.Trust, node: identity.Node, wire: directory, told: hello.GetTrustVersion()}, nil
}

// changed returns a channel that is closed when there may be something to tell.
func (n *news) changed() <-chan struct{} {
	if n == nil {
		return nil
	}
	_, changed := n.trust.Changed()
	return changed
}

// next returns what tells the node what it has yet to be told; nil when there is nothing.
func (n *news) next() func() error {
	if n == nil {
		return nil
	}
	announced, to := n.trust.Since(n.told)
	if announced == nil {
		return nil
	}
	n.told = to
	return func() error { return n.wire.sendTrust(announced) }
}

// believed takes note of a node's answer, if that is what it said.
func (n *news) believed(ctx context.Context, said request) (version uint64, ok bool, err error) {
	request, isDirectory := said.(*edgev1.SyncDirectoryRequest)
	if !isDirectory || request.GetTrusted() == nil {
		return 0, false, nil
	}
	version = request.GetTrusted().GetVersion()
	if n == nil || version == 0 || version > max(n.told, n.trust.Version()) { // a renewal may have told it more
		return 0, true, fmt.Errorf("%w: it trusts version %d, of which it was not told", fleet.ErrProtocol, version)
	}
	return version, true, n.trust.Believed(ctx, n.node, version, true)
}
