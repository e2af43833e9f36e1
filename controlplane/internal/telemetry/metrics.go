package telemetry

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/bus"
	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	"github.com/sallyport/sallyport/controlplane/internal/events"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/issuers"
	"github.com/sallyport/sallyport/controlplane/internal/limits"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
)

// Sources are what is counted elsewhere.
type Sources struct {
	Fleet *fleet.Stats
	Usage *usage.Stats
	// Upkeep is that of usage's partitions.
	Upkeep *usage.UpkeepStats
	Limits *limits.Stats
	Bus    *bus.Stats
	Epochs *epochs.Stats
	Audit  *audit.Stats
	Events *events.Stats
	// Issuers is that of asking token issuers for their keys.
	Issuers *issuers.Stats
}

// NewSources returns sources of which nothing is counted yet.
func NewSources() Sources {
	return Sources{
		Fleet:   new(fleet.Stats),
		Usage:   new(usage.Stats),
		Upkeep:  new(usage.UpkeepStats),
		Limits:  new(limits.Stats),
		Bus:     new(bus.Stats),
		Epochs:  new(epochs.Stats),
		Audit:   new(audit.Stats),
		Events:  new(events.Stats),
		Issuers: new(issuers.Stats),
	}
}

// metric is one line of the list of metrics.
type metric struct {
	name, help string
	labels     prometheus.Labels
	counter    *atomic.Uint64
	gauge      *atomic.Int64
}

// list is every metric of the control plane but those of the Go runtime and the process.
func (s Sources) list() []metric {
	result := func(value string) prometheus.Labels { return prometheus.Labels{"result": value} }
	message := func(value string) prometheus.Labels { return prometheus.Labels{"message": value} }
	const (
		enrolments = "sallyport_control_enrolments_total"
		renewals   = "sallyport_control_renewals_total"
		sent       = "sallyport_control_sync_sent_total"
		answers    = "sallyport_control_sync_answers_total"
		batches    = "sallyport_control_usage_batches_total"
		requests   = "sallyport_control_usage_requests_total"
		deliveries = "sallyport_control_webhook_attempts_total"
		asked      = "sallyport_control_issuer_fetches_total"
	)
	return []metric{
		{name: deliveries, help: "Attempts to post an event to a webhook.", labels: result("delivered"), counter: &s.Events.Delivered},
		{name: deliveries, help: "Attempts to post an event to a webhook.", labels: result("failed"), counter: &s.Events.Failed},
		{name: deliveries, help: "Attempts to post an event to a webhook.", labels: result("given-up"), counter: &s.Events.GivenUp},
		{name: "sallyport_control_webhook_waiting", help: "Events that wait to be posted to a webhook.", gauge: &s.Events.Waiting},
		{name: "sallyport_control_webhook_dead", help: "Events whose posting to a webhook was given up.", gauge: &s.Events.Dead},
		{name: "sallyport_control_usage_crowding_nodes", help: "Nodes that fill half of their share of the usage stream or more.", gauge: &s.Bus.Crowding},
		{name: "sallyport_control_usage_full_total", help: "Looks at which a node had filled its share of the usage stream, so that its batches were refused.", counter: &s.Bus.Full},
		{name: enrolments, help: "Attempts of nodes to enrol.", labels: result("enrolled"), counter: &s.Fleet.Enrolled},
		{name: enrolments, help: "Attempts of nodes to enrol.", labels: result("refused"), counter: &s.Fleet.EnrolRefused},
		{name: renewals, help: "Attempts of nodes to renew their certificate.", labels: result("renewed"), counter: &s.Fleet.Renewed},
		{name: renewals, help: "Attempts of nodes to renew their certificate.", labels: result("refused"), counter: &s.Fleet.RenewalsRefused},
		{name: "sallyport_control_sync_streams", help: "Open sync streams.", gauge: &s.Fleet.Sessions},
		{name: sent, help: "Messages sent to nodes; a snapshot counts as one.", labels: message("delta"), counter: &s.Fleet.DeltasSent},
		{name: sent, help: "Messages sent to nodes; a snapshot counts as one.", labels: message("snapshot"), counter: &s.Fleet.SnapshotsSent},
		{name: sent, help: "Messages sent to nodes; a snapshot counts as one.", labels: message("beat"), counter: &s.Fleet.Beats},
		{name: answers, help: "States that nodes applied or refused.", labels: result("ack"), counter: &s.Fleet.Acks},
		{name: answers, help: "States that nodes applied or refused.", labels: result("nack"), counter: &s.Fleet.Nacks},
		{name: "sallyport_control_sync_deltas_read_total", help: "Deltas read from the database, each for all nodes.", counter: &s.Fleet.DeltasRead},
		{name: "sallyport_control_sync_snapshots_built_total", help: "Snapshots built, each for all nodes.", counter: &s.Fleet.SnapshotsBuilt},
		{name: "sallyport_control_sync_mismatches_total", help: "Nodes whose digest differed from ours.", counter: &s.Fleet.Mismatches},
		{name: "sallyport_control_sync_ahead_total", help: "Nodes ahead of the database that prove nothing, refused.", counter: &s.Fleet.Ahead},
		{name: "sallyport_control_sync_reports_failed_total", help: "Writes of nodes' answers that failed and were tried again.", counter: &s.Fleet.AnswersDeferred},
		{name: "sallyport_control_limits_alarming", help: "Limits of environments of which half is used, or more.", gauge: &s.Limits.Alarming},
		{name: "sallyport_control_epochs_opened_total", help: "Epochs that this replica opened, since the database went back.", counter: &s.Epochs.Opened},
		{name: "sallyport_control_recalls_total", help: "Nodes asked for what the database lost.", counter: &s.Epochs.Recalls},
		{name: "sallyport_control_denials_taken_back_total", help: "Revocations and other denials taken back from nodes.", counter: &s.Epochs.Taken},
		{name: "sallyport_control_audit_alarms_total", help: "Times that the audit record was found not to be what it was.", counter: &s.Audit.Alarms},
		{name: "sallyport_control_audit_alarming", help: "Environments whose audit record isn't what it was: nothing is signed for them.", gauge: &s.Audit.Alarming},
		{name: "sallyport_control_audit_denied_total", help: "Events of what was denied.", counter: &s.Audit.Denied},
		{name: "sallyport_control_audit_unsaid_total", help: "Denials without an event of their own: they came too fast, or the database was away.", counter: &s.Audit.Unsaid},
		{name: "sallyport_control_audit_heads_signed_total", help: "Heads of the audit record that were signed.", counter: &s.Audit.Signed},
		{name: "sallyport_control_audit_heads_witnessed_total", help: "Heads of the audit record that nodes showed.", counter: &s.Audit.Witnessed},
		{name: asked, help: "Times that token issuers were asked for their keys.", labels: result("changed"), counter: &s.Issuers.Changed},
		{name: asked, help: "Times that token issuers were asked for their keys.", labels: result("unchanged"), counter: &s.Issuers.Unchanged},
		{name: asked, help: "Times that token issuers were asked for their keys.", labels: result("empty"), counter: &s.Issuers.Empty},
		{name: asked, help: "Times that token issuers were asked for their keys.", labels: result("failed"), counter: &s.Issuers.Failed},
		{name: "sallyport_control_issuer_fetches_spared_total", help: "Times that a token issuer wasn't asked on demand: it was just before.", counter: &s.Issuers.Bounded},
		{name: "sallyport_control_issuer_oldest_answer_seconds", help: "Since when the token issuer that answered longest ago hasn't.", gauge: &s.Issuers.OldestS},
		{name: "sallyport_control_issuers_failing", help: "Token issuers that can't be asked, or answer with nothing of use.", gauge: &s.Issuers.Failing},
		{name: batches, help: "Usage batches taken off the bus.", labels: result("counted"), counter: &s.Usage.Counted},
		{name: batches, help: "Usage batches taken off the bus.", labels: result("duplicate"), counter: &s.Usage.Duplicates},
		{name: batches, help: "Usage batches taken off the bus.", labels: result("refused"), counter: &s.Usage.Refused},
		{name: batches, help: "Usage batches taken off the bus.", labels: result("retried"), counter: &s.Usage.Retried},
		{name: "sallyport_control_usage_rows_total", help: "Counters of batches counted.", counter: &s.Usage.Counters},
		{name: "sallyport_control_usage_late_rows_total", help: "Counters counted by the hour alone: their minute isn't kept any more.", counter: &s.Usage.Late},
		{name: "sallyport_control_usage_moved_rows_total", help: "Counters counted as of now, for a node whose clock is wrong.", counter: &s.Usage.Moved},
		{name: requests, help: "Single requests that nodes told of.", labels: result("listed"), counter: &s.Usage.Requests},
		{name: requests, help: "Single requests that nodes told of.", labels: result("expired"), counter: &s.Usage.Expired},
		{name: requests, help: "Single requests that nodes told of.", labels: result("dropped"), counter: &s.Usage.Dropped},
		{name: requests, help: "Single requests that nodes told of.", labels: result("unlistable"), counter: &s.Usage.Unlistable},
		{name: "sallyport_control_usage_lag_milliseconds", help: "How long the oldest batch of the latest group had been on the bus.", gauge: &s.Usage.LagMs},
		{name: "sallyport_control_usage_partitions_dropped_total", help: "Expired partitions of usage that were dropped.", counter: &s.Upkeep.Dropped},
		{name: "sallyport_control_usage_upkeep_failed_total", help: "Passes over the partitions of usage that failed.", counter: &s.Upkeep.Failed},
		{name: "sallyport_control_usage_upkeep_held", help: "1 while no usage is dropped because the database's clock jumped.", gauge: &s.Upkeep.Held},
	}
}

// Metrics answers GET /metrics.
type Metrics struct{ registry *prometheus.Registry }

// NewMetrics returns the metrics of these sources, of the Go runtime and of the process.
func NewMetrics(sources Sources) (*Metrics, error) {
	registry := prometheus.NewRegistry()
	all := []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}
	for _, m := range sources.list() {
		all = append(all, m.collector())
	}
	for _, c := range all {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register a metric: %w", err)
		}
	}
	return &Metrics{registry}, nil
}

func (m metric) collector() prometheus.Collector {
	if m.gauge != nil {
		return prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: m.name, Help: m.help, ConstLabels: m.labels},
			func() float64 { return float64(m.gauge.Load()) })
	}
	return prometheus.NewCounterFunc(
		prometheus.CounterOpts{Name: m.name, Help: m.help, ConstLabels: m.labels},
		func() float64 { return float64(m.counter.Load()) })
}

// Handler returns what serves them, in Prometheus' text form.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
