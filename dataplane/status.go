package dataplane

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/configsync"
	"github.com/sallyport/sallyport/dataplane/internal/listener"
	"github.com/sallyport/sallyport/dataplane/internal/policies/identitytoken"
	wafpolicy "github.com/sallyport/sallyport/dataplane/internal/policies/waf"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// usageDrain bounds how long the last usage is tried to be sent.
const usageDrain = 10 * time.Second

// Status says what the node is and holds.
func (n *node) Status() admin.Status {
	at := n.syncer.Position()
	configuration, directory := n.syncer.Stats()
	confirmedConfiguration, confirmedDirectory := n.syncer.Confirmed()
	confirmed := confirmedConfiguration
	if confirmedDirectory.Before(confirmed) {
		confirmed = confirmedDirectory
	}
	configurationDigest := n.syncer.ConfigurationDigest()
	_, directoryDigest := n.directory.Head()
	var expires time.Time
	if n.joined.Load() {
		expires = n.identity.Expires()
	}
	return admin.Status{
		Node: n.nodeID(), Environment: n.home.environment, Boot: n.boot,
		Ready:       n.ready(),
		Stale:       n.stale(time.Now()),
		HandingOver: n.handing.under.Load(),
		Connected:   configuration.Connected && directory.Connected,
		Clients:     n.clients.Load(),
		Epoch:       at.Epoch, Revision: at.Revision, Sequence: at.Sequence,
		ConfigurationDigest:  hex.EncodeToString(configurationDigest[:]),
		DirectoryDigest:      hex.EncodeToString(directoryDigest[:]),
		ConfirmedAt:          confirmed,
		CertificateExpiresAt: expires, Certificates: n.servedCertificates(),
	}
}

func (n *node) ready() bool {
	select {
	case <-n.syncer.Ready():
		return !n.draining.Load()
	default:
		return false
	}
}

// Samples yields the values of the node's metrics.
func (n *node) Samples(yield func(admin.Sample)) {
	one := func(metric string, value float64, labels ...string) {
		yield(admin.Sample{Metric: metric, Labels: labels, Value: value})
	}
	n.rateSamples(yield)
	wireSamples(one, n.wire.Stats())
	for series, count := range n.metrics.All() {
		one(admin.StageVerdicts, float64(count), series.Kind, series.Mode.String(), string(series.Verdict))
	}
	one(admin.PolicyParts, float64(n.env.Parts()))
	identitySamples(one, identitytoken.CountsOf(n.env.Shared()))
	wafSamples(one, wafpolicy.CountsOf(n.env.Shared()))
	at := n.syncer.Position()
	configuration, directory := n.syncer.Stats()
	laneSamples(one, "configuration", at.Revision, configuration)
	laneSamples(one, "directory", at.Sequence, directory)
	n.stateSamples(one)
	n.stalenessSamples(one)
	long := n.streams.Stats()
	one(admin.Streams, float64(long.Open))
	one(admin.StreamsEnded, float64(long.Ended))
	failures := n.failures.Stats()
	one(admin.FailureKeys, float64(failures.Keys))
	one(admin.FailureKeysForgotten, float64(failures.Evicted))
	n.inspectionSamples(yield)
	n.usageSamples(one)
	n.memberSamples(one)
	n.handoverSamples(one)
	n.tracingSamples(one)
	n.tlsSamples(one)
	n.upstreamSamples(one)
	n.issuerSamples(one)
	n.exclusionSamples(one)
	if n.accessLog != nil {
		one(admin.AccessLogDropped, float64(n.accessLog.Dropped()))
	}
}

// rateSamples are of what was asked of services.
func (n *node) rateSamples(yield func(admin.Sample)) {
	for service, counts := range n.rates.All() {
		for outcome, count := range counts.Outcomes {
			labels := []string{service, strconv.Itoa(outcome.Class), strconv.FormatBool(outcome.Refused)}
			yield(admin.Sample{Metric: admin.Requests, Labels: labels, Value: float64(count)})
		}
		yield(admin.Sample{Metric: admin.RequestSeconds, Labels: []string{service}, Histogram: &counts.Whole, Examples: counts.Samples})
		yield(admin.Sample{Metric: admin.UpstreamSeconds, Labels: []string{service}, Histogram: &counts.Upstream})
	}
}

// wireSamples are of the clients' connections.
func wireSamples(one func(string, float64, ...string), s listener.Stats) {
	one(admin.ClientConnections, float64(s.Idle), "idle")
	one(admin.ClientConnections, float64(s.Tunnels), "tunnel")
	one(admin.ClientConnections, float64(max(s.Open-s.Idle-s.Tunnels, 0)), "busy")
	for why, count := range s.Refused {
		one(admin.ClientRefusals, float64(count), why)
	}
	for over, count := range s.Timeouts {
		one(admin.ClientTimeouts, float64(count), over)
	}
	one(admin.ClientCuts, float64(s.Cut))
	for rule, count := range s.ProtocolErrors {
		one(admin.ProtocolErrors, float64(count), rule)
	}
}

// memberSamples are of what a node has that belongs to a control plane.
func (n *node) memberSamples(one func(string, float64, ...string)) {
	joined := n.joined.Load()
	one(admin.Enrolled, truth(joined))
	if !joined {
		return
	}
	one(admin.BusConnected, truth(n.bus.Connected()))
	one(admin.CertificateRemaining, time.Until(n.identity.Expires()).Seconds())
	renewed, failed := n.renewer.Renewals()
	one(admin.CertificateRenewals, float64(renewed), "renewed")
	one(admin.CertificateRenewals, float64(failed), "failed")
}

func laneSamples(one func(string, float64, ...string), lane string, number uint64, s configsync.LaneStats) {
	one(admin.LaneNumber, float64(number), lane)
	one(admin.LaneConnected, truth(s.Connected), lane)
	for _, event := range []struct {
		name  string
		count uint64
	}{{"deltas", s.Deltas}, {"snapshots", s.Snapshots}, {"beats", s.Beats}, {"acks", s.Acks}, {"nacks", s.Nacks}, {"streams", s.Streams}} {
		one(admin.LaneStates, float64(event.count), lane, event.name)
	}
	one(admin.LaneAlarms, float64(s.Mismatches), lane, "digest_mismatch")
	one(admin.LaneAlarms, float64(s.RefusedHeads), lane, "head_refused")
}

func (n *node) stateSamples(one func(string, float64, ...string)) {
	for _, l := range []struct {
		name string
		lane edgev1.Lane
	}{{"configuration", edgev1.Lane_LANE_CONFIGURATION}, {"directory", edgev1.Lane_LANE_DIRECTORY}} {
		s := n.state.Lane(l.lane).Stats()
		one(admin.StateDurable, truth(s.Durable), l.name)
		one(admin.StateLoaded, float64(s.Loaded), l.name)
		one(admin.StateBytes, float64(s.Bytes), l.name)
		for _, event := range []struct {
			name  string
			count uint64
		}{{"write", s.Writes}, {"checkpoint", s.Checkpoints}, {"merge", s.Merges}} {
			one(admin.StateEvents, float64(event.count), l.name, event.name)
		}
		one(admin.StateAlarms, float64(s.Failures), l.name, "write_failed")
		one(admin.StateAlarms, float64(s.Refused), l.name, "state_refused")
	}
	one(admin.RevisionBlocked, float64(n.state.Blocked().Number))
}

func (n *node) usageSamples(one func(string, float64, ...string)) {
	s := n.sender.Stats()
	one(admin.UsageBatches, float64(s.Sent), "stored")
	one(admin.UsageBatches, float64(s.Failed), "failed")
	one(admin.UsageWaiting, float64(s.Waiting))
	one(admin.UsageFolded, float64(s.Folded), "bus_away")
	one(admin.UsageFolded, float64(s.Capped), "too_many_in_a_minute")
	one(admin.UsageEvents, float64(s.Events), "kept")
	one(admin.UsageEvents, float64(s.EventsDropped), "dropped")
	one(admin.UsageDurable, truth(s.Durable))
	one(admin.UsageUnspooled, float64(s.Unspooled))
	one(admin.UsageRefused, float64(s.Refused))
	one(admin.UsageEarlierBoots, float64(s.Earlier))
	one(admin.UsageJournalBytes, float64(s.Bytes))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
