package edgeapi

import (
	"context"
	"net"

	"google.golang.org/grpc/peer"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// auditCapability is the least one of a node that keeps heads of the audit record.
const auditCapability = 3

// record is what a node is told, on its directory stream, of how far the audit record goes. A nil one tells nothing.
type record struct {
	heads       *audit.Heads
	environment string
	wire        directoryWire
	told        *edgev1.SignedAuditHead
}

// record takes note of the head that the node has kept. That it can't be kept here keeps no node from being served.
func (s *Server) record(ctx context.Context, w wire, identity fleet.Identity, hello *edgev1.Hello) *record {
	directory, ok := w.(directoryWire)
	if !ok || s.cfg.Audit == nil || hello.GetCapability() < auditCapability {
		return nil
	}
	if err := s.cfg.Audit.Witnessed(ctx, identity.Environment, identity.Node, hello.GetAuditHead()); err != nil && ctx.Err() == nil {
		s.cfg.Logger.Error("can't take note of the audit head that a node shows", "node", identity.Node, "error", err)
	}
	return &record{heads: s.cfg.Audit, environment: identity.Environment, wire: directory}
}

// changed returns a channel that is closed when there is something to tell.
func (r *record) changed() <-chan struct{} {
	if r == nil {
		return nil
	}
	_, changed := r.heads.Signed(r.environment)
	return changed
}

// next returns what tells the node of the newest head; nil when it knows.
func (r *record) next() func() error {
	if r == nil {
		return nil
	}
	signed, _ := r.heads.Signed(r.environment)
	if signed == nil || signed == r.told {
		return nil
	}
	r.told = signed
	return func() error { return r.wire.sendAudit(signed) }
}

// addressOf returns where a call comes from; "" when that is no IP address.
func addressOf(ctx context.Context) string {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	host, _, err := net.SplitHostPort(from.Addr.String())
	if err != nil {
		return ""
	}
	return host
}
