package dataplane

import (
	"context"
	"runtime"
	"runtime/metrics"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/dataplane/internal/configsync"
	"github.com/sallyport/sallyport/dataplane/internal/inquiry"
	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// goodbyeTimeout bounds how long a node that has served its last request waits for the control plane to hear it.
const goodbyeTimeout = 2 * time.Second

func (n *node) newAnswerer() *inquiry.Answerer {
	return inquiry.New(inquiry.Config{
		Connection: n.connection, Health: n.health, Explain: n.explain.Explain, TryExclusion: n.exclusions.tester.Try, Logger: n.cfg.Logger,
		Hello: &edgev1.Hello{Boot: n.boot, Build: n.cfg.Build, Capability: configsync.Capability, StartedAt: timestamppb.New(n.started)},
	})
}

// sayGoodbye tells the control plane that this process serves no more. If nobody hears it, the node keeps its share of the
// fleet's limits until it is back or disabled.
func (n *node) sayGoodbye(ctx context.Context) {
	if !n.joined.Load() || n.handing.left.Load() || n.handing.under.Load() { // the next process of the node is there
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTimeout)
	defer cancel()
	if err := n.answerer.Goodbye(ctx); err != nil {
		n.cfg.Logger.Info("the control plane didn't hear the goodbye: this node keeps its share of the fleet's limits", "error", err)
	}
}

// health says how the node is.
func (n *node) health() *edgev1.Health {
	status := n.Status()
	configuration, directory := n.syncer.Stats()
	confirmedConfiguration, confirmedDirectory := n.syncer.Confirmed()
	configurationEpoch, directoryEpoch := n.syncer.Epochs()
	configurationDigest := n.syncer.ConfigurationDigest()
	_, directoryDigest := n.directory.Head()
	health := &edgev1.Health{
		Boot: n.boot, Build: n.cfg.Build, Capability: configsync.Capability, StartedAt: timestamppb.New(n.started),
		Ready: status.Ready, Draining: n.draining.Load(),
		Configuration: laneHealth(configurationEpoch, status.Revision, configurationDigest[:], configuration, confirmedConfiguration,
			n.state.Lane(edgev1.Lane_LANE_CONFIGURATION).Stats()),
		Directory: laneHealth(directoryEpoch, status.Sequence, directoryDigest[:], directory, confirmedDirectory,
			n.state.Lane(edgev1.Lane_LANE_DIRECTORY).Stats()),
		Requests: uint64(max(n.proxy.UnderWay(), 0)), Connections: uint64(max(n.clients.Load(), 0)),
		MemoryBytes: memory(), Goroutines: uint64(runtime.NumGoroutine()),
		BusConnected: n.bus.Connected(), UsageWaiting: uint64(max(n.sender.Stats().Waiting, 0)),
		CertificateExpiresAt: timestamppb.New(n.identity.Expires()),
		BlockedRevision:      n.state.Blocked().Number,
		Troubles:             n.troubles.Latest(),
	}
	if share := n.shares.Share(); share != nil {
		health.Fleet = share.Nodes
	}
	return health
}

func laneHealth(epoch, number uint64, digest []byte, s configsync.LaneStats, confirmed time.Time, disk state.Stats) *edgev1.LaneHealth {
	h := &edgev1.LaneHealth{Epoch: epoch, Number: number, Digest: digest, Connected: s.Connected, Durable: disk.Durable}
	if !confirmed.IsZero() {
		h.ConfirmedAt = timestamppb.New(confirmed)
	}
	return h
}

// memory returns what the process has from the operating system, in bytes.
func memory() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
