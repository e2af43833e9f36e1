package admin

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/dataplane/internal/rates"
)

// Metric is one of the edge's metrics.
type Metric struct {
	// Name carries the unit.
	Name string
	// Help is for people.
	Help string
	// Labels of its samples, in order.
	Labels []string
	// Gauge goes up and down; else it counts.
	Gauge bool
	// Histogram sorts durations by their length.
	Histogram bool
}

// Names of the edge's metrics.
const (
	Requests             = "sallyport_edge_requests_total"
	RequestSeconds       = "sallyport_edge_request_duration_seconds"
	UpstreamSeconds      = "sallyport_edge_upstream_duration_seconds"
	ClientConnections    = "sallyport_edge_client_connections"
	ClientRefusals       = "sallyport_edge_client_connections_refused_total"
	ClientTimeouts       = "sallyport_edge_client_timeouts_total"
	ClientCuts           = "sallyport_edge_client_connections_cut_total"
	ProtocolErrors       = "sallyport_edge_protocol_errors_total"
	StageVerdicts        = "sallyport_edge_stage_verdicts_total"
	PolicyParts          = "sallyport_edge_policy_parts"
	IdentityTokens       = "sallyport_edge_identity_tokens_total"
	IdentityTokensHeld   = "sallyport_edge_identity_tokens_held"
	IdentityTokensBytes  = "sallyport_edge_identity_tokens_bytes"
	LaneNumber           = "sallyport_edge_lane_number"
	LaneConnected        = "sallyport_edge_lane_connected"
	LaneStates           = "sallyport_edge_lane_states_total"
	LaneAlarms           = "sallyport_edge_lane_alarms_total"
	StateDurable         = "sallyport_edge_state_durable"
	StateLoaded          = "sallyport_edge_state_loaded_number"
	StateBytes           = "sallyport_edge_state_bytes"
	StateEvents          = "sallyport_edge_state_events_total"
	StateAlarms          = "sallyport_edge_state_alarms_total"
	RevisionBlocked      = "sallyport_edge_state_blocked_revision"
	Stale                = "sallyport_edge_stale"
	ConfirmedAge         = "sallyport_edge_confirmed_age_seconds"
	Streams              = "sallyport_edge_streams"
	StreamsEnded         = "sallyport_edge_streams_ended_total"
	FailureKeys          = "sallyport_edge_failure_keys"
	FailureKeysForgotten = "sallyport_edge_failure_keys_forgotten_total"
	UsageBatches         = "sallyport_edge_usage_batches_total"
	UsageWaiting         = "sallyport_edge_usage_waiting_counters"
	UsageFolded          = "sallyport_edge_usage_folded_counters_total"
	UsageEvents          = "sallyport_edge_usage_events_total"
	UsageDurable         = "sallyport_edge_usage_durable"
	UsageUnspooled       = "sallyport_edge_usage_unspooled_requests_total"
	UsageRefused         = "sallyport_edge_usage_refused_boots_total"
	UsageEarlierBoots    = "sallyport_edge_usage_earlier_boots"
	UsageJournalBytes    = "sallyport_edge_usage_journal_bytes"
	Enrolled             = "sallyport_edge_enrolled"
	BusConnected         = "sallyport_edge_bus_connected"
	CertificateRemaining = "sallyport_edge_certificate_remaining_seconds"
	CertificateRenewals  = "sallyport_edge_certificate_renewals_total"
	Spans                = "sallyport_edge_spans_total"
	Handshakes           = "sallyport_edge_tls_handshakes_total"
	ServedCertificates   = "sallyport_edge_served_certificates"
	ServedRemaining      = "sallyport_edge_served_certificate_remaining_seconds"
	ProxyProtocol        = "sallyport_edge_proxy_protocol_connections_total"
	Handovers            = "sallyport_edge_handovers_total"
	UpstreamConnections  = "sallyport_edge_upstream_connections"
	UpstreamWaiting      = "sallyport_edge_upstream_waiting_requests"
	UpstreamEjected      = "sallyport_edge_upstream_ejected"
	UpstreamEvents       = "sallyport_edge_upstream_events_total"
	IssuerKeys           = "sallyport_edge_issuer_keys"
	UnknownKeys          = "sallyport_edge_issuer_unknown_keys_total"
	KeyRefreshes         = "sallyport_edge_issuer_refreshes_total"
	KeyWaits             = "sallyport_edge_issuer_waits_total"
	TokensRemembered     = "sallyport_edge_tokens_remembered"
	TokensBytes          = "sallyport_edge_tokens_remembered_bytes"
	TokenLookups         = "sallyport_edge_token_lookups_total"
	ExclusionsNoted      = "sallyport_edge_waf_exclusions_noted_total"
	ExclusionsOpened     = "sallyport_edge_waf_exclusions_opened_total"
	Samples              = "sallyport_edge_waf_samples"
	SamplesBytes         = "sallyport_edge_waf_samples_bytes"
	SamplesDropped       = "sallyport_edge_waf_samples_dropped_total"
	WafEngines           = "sallyport_edge_waf_engines"
	WafEngineBytes       = "sallyport_edge_waf_engine_bytes"
	WafCompiled          = "sallyport_edge_waf_engines_compiled_total"
	WafCompileSeconds    = "sallyport_edge_waf_compile_seconds_total"
	WafInspections       = "sallyport_edge_waf_inspections_total"
	WafBytes             = "sallyport_edge_waf_inspected_bytes_total"
	WafSeconds           = "sallyport_edge_waf_inspection_seconds_total"
	AccessLogDropped     = "sallyport_edge_access_log_dropped_lines_total"
)

// Metrics is the one list of what the edge measures.
func Metrics() []Metric {
	return append(inspectionMetrics(), []Metric{
		{Name: Requests, Help: "Requests, by the service of their route, the class of the status and whether the gateway refused them.", Labels: []string{"service", "status_class", "refused"}},
		{Name: RequestSeconds, Help: "From first byte in to last byte out.", Labels: []string{"service"}, Histogram: true},
		{Name: UpstreamSeconds, Help: "Until the service's answer began; of requests that reached it.", Labels: []string{"service"}, Histogram: true},
		{Name: ClientConnections, Help: "Connections of clients, by what is under way on them: nothing (idle), a request (busy), WebSocket (tunnel).", Labels: []string{"state"}, Gauge: true},
		{Name: ClientRefusals, Help: "Connections that were closed as soon as they had come, by why.", Labels: []string{"reason"}},
		{Name: ClientTimeouts, Help: "Connections that were given up since the client took too long, by over what.", Labels: []string{"over"}},
		{Name: ClientCuts, Help: "Connections that were cut off at the end of a drain; any is one too many."},
		{Name: ProtocolErrors, Help: "Requests that break the rules of HTTP, by which.", Labels: []string{"reason"}},
		{Name: StageVerdicts, Help: "Verdicts of stages.", Labels: []string{"kind", "mode", "verdict"}},
		{Name: PolicyParts, Help: "Parts kept over revisions (tables of limits, pools of connections).", Gauge: true},
		{Name: IdentityTokens, Help: "Identity tokens that were signed, and such that were forgotten to make room (evicted).", Labels: []string{"event"}},
		{Name: IdentityTokensHeld, Help: "Identity tokens held to be used again.", Gauge: true},
		{Name: IdentityTokensBytes, Help: "What they take of the memory; at most 64 MiB.", Gauge: true},
		{Name: LaneNumber, Help: "Revision or sequence in force.", Labels: []string{"lane"}, Gauge: true},
		{Name: LaneConnected, Help: "1 while the lane's stream is open.", Labels: []string{"lane"}, Gauge: true},
		{Name: LaneStates, Help: "States received or answered, by what became of them.", Labels: []string{"lane", "event"}},
		{Name: LaneAlarms, Help: "States that were not what was signed; any is one too many.", Labels: []string{"lane", "alarm"}},
		{Name: StateDurable, Help: "1 while the node's disk takes what is applied; else nothing is acked.", Labels: []string{"lane"}, Gauge: true},
		{Name: StateLoaded, Help: "Revision or sequence that the process began with, off its disk; 0: none.", Labels: []string{"lane"}, Gauge: true},
		{Name: StateBytes, Help: "Of the lane's state on disk.", Labels: []string{"lane"}, Gauge: true},
		{Name: StateEvents, Help: "What was made durable: deltas and whole states (write), whole states from the wire (checkpoint), logs merged (merge).", Labels: []string{"lane", "event"}},
		{Name: StateAlarms, Help: "Writes that failed, and state on disk that was refused at the start; any is one too many.", Labels: []string{"lane", "alarm"}},
		{Name: Handovers, Help: "Hand-overs between two processes of the node: this one has taken over (taken_over), was asked by the next one and refused (refused), or gave up and served on (given_up).", Labels: []string{"outcome"}},
		{Name: RevisionBlocked, Help: "Revision that is refused since the process died on it twice; 0: none.", Gauge: true},
		{Name: Stale, Help: "1 while routes that authenticate stop with configuration_stale: the control plane was last heard longer ago than max_staleness.", Gauge: true},
		{Name: ConfirmedAge, Help: "Since the control plane last vouched for what the directory holds. Absent: never.", Gauge: true},
		{Name: Streams, Help: "Exchanges under way for longer than a quarter of a second.", Gauge: true},
		{Name: StreamsEnded, Help: "Of those, ended since their caller isn't let in any more."},
		{Name: FailureKeys, Help: "Addresses and credentials, and pairs of them, of which failures are remembered.", Gauge: true},
		{Name: FailureKeysForgotten, Help: "Of those, forgotten early since the table was full."},
		{Name: UsageBatches, Help: "Batches of usage, by whether the bus took them.", Labels: []string{"outcome"}},
		{Name: UsageWaiting, Help: "Counters of usage that wait for the bus.", Gauge: true},
		{Name: UsageFolded, Help: "Counters of usage that gave up detail, by why.", Labels: []string{"reason"}},
		{Name: UsageEvents, Help: "Single requests, by whether there was room to keep them; of dropped ones the rejected alone.", Labels: []string{"outcome"}},
		{Name: UsageDurable, Help: "1 while what is counted survives the process.", Gauge: true},
		{Name: UsageUnspooled, Help: "Requests counted in memory alone: the disk didn't take them, or not fast enough."},
		{Name: UsageRefused, Help: "Earlier boots whose usage was put aside, because it could not be believed."},
		{Name: UsageEarlierBoots, Help: "Earlier boots that left usage which the bus hasn't taken.", Gauge: true},
		{Name: UsageJournalBytes, Help: "What the journals of usage take on the disk.", Gauge: true},
		{Name: Enrolled, Help: "1 once the node belongs to a control plane. Until then it serves what its snapshot file holds, and counters of usage wait.", Gauge: true},
		{Name: BusConnected, Help: "1 while the bus is there.", Gauge: true},
		{Name: CertificateRemaining, Help: "Until the node's certificate ends.", Gauge: true},
		{Name: CertificateRenewals, Help: "Attempts to renew the node's certificate, by outcome.", Labels: []string{"outcome"}},
		{Name: Spans, Help: "Spans of sampled requests, begun and by whether the collector took them. What was begun and is neither waits, or found no room.", Labels: []string{"outcome"}},
		{Name: Handshakes, Help: "TLS handshakes with clients: done (full, resumed), and refused since nobody has a certificate for the host (unknown_host) or its key is missing (no_key).", Labels: []string{"outcome"}},
		{Name: ServedCertificates, Help: "The environment's certificates, by whether their private keys are there; any that is unusable is one too many.", Labels: []string{"state"}, Gauge: true},
		{Name: ServedRemaining, Help: "Until the environment's certificates end.", Labels: []string{"certificate"}, Gauge: true},
		{Name: ProxyProtocol, Help: "Connections from where a header of the PROXY protocol is demanded: that named their client (named), that named nobody (unnamed), and refused ones.", Labels: []string{"outcome"}},
		{Name: UpstreamConnections, Help: "Connections to a service's target, by whether a request uses them. The 256 busiest targets are told of by themselves, the rest as others.", Labels: []string{"target", "state"}, Gauge: true},
		{Name: UpstreamWaiting, Help: "Requests that wait for a connection to the target.", Labels: []string{"target"}, Gauge: true},
		{Name: UpstreamEjected, Help: "1 while the target is out of rotation, since it failed again and again.", Labels: []string{"target"}, Gauge: true},
		{Name: UpstreamEvents, Help: "What happened with the target: connections opened, found dead (dead), requests sent again (retry), ejections (ejected), requests that found the queue full (queue_full) or waited in vain (queue_timeout), failed lookups of its name (lookup_failed).", Labels: []string{"target", "event"}},
		{Name: IssuerKeys, Help: "Keys of an issuer that are good now; 0: none of its tokens is taken.", Labels: []string{"issuer"}, Gauge: true},
		{Name: UnknownKeys, Help: "Tokens that named a key of the issuer which nobody here knew.", Labels: []string{"issuer"}},
		{Name: KeyRefreshes, Help: "Looks for an issuer's keys: by the control plane (asked, ask_failed), by the node itself (fetched, fetch_failed), and those put off since somebody had just looked (put_off).", Labels: []string{"issuer", "outcome"}},
		{Name: KeyWaits, Help: "Requests that waited for a key: it came (found), it didn't (in_vain), too many waited already (crowded).", Labels: []string{"outcome"}},
		{Name: TokensRemembered, Help: "Tokens whose signature needn't be checked again.", Gauge: true},
		{Name: TokensBytes, Help: "What they take in memory.", Gauge: true},
		{Name: TokenLookups, Help: "Tokens looked for among them (hit, miss), and those that made room (evicted), were signed by a key that is gone (dropped), or are too large (oversized).", Labels: []string{"event"}},
		{Name: ExclusionsNoted, Help: "Findings of the WAF that an exclusion in shadow would have kept its rule from."},
		{Name: ExclusionsOpened, Help: "Requests that the WAF refused and that would have passed, were the exclusions in shadow enforced."},
		{Name: Samples, Help: "Inspected requests that are kept, sealed, to try exclusions on.", Gauge: true},
		{Name: SamplesBytes, Help: "What they take in memory; at most 16 MiB.", Gauge: true},
		{Name: SamplesDropped, Help: "Of those, dropped early for want of room, or never kept since one would have taken too much."},
		{Name: WafEngines, Help: "Engines of the WAF: policies with the same rules have one.", Gauge: true},
		{Name: WafEngineBytes, Help: "What they hold of the memory, as the process samples its heap: right to some MB. Absent: there was none yet, or the heap isn't sampled.", Gauge: true},
		{Name: WafCompiled, Help: "Engines that were made since the process began."},
		{Name: WafCompileSeconds, Help: "How long that took; no request waits for it."},
		{Name: WafInspections, Help: "Inspections of requests by their head alone (head) or whole (body), and of answers (answer): nothing found (clean), found less than the threshold (noted), blocked, or not looked at since too large or not to be read (beyond).", Labels: []string{"part", "verdict"}},
		{Name: WafBytes, Help: "Bytes that were looked at.", Labels: []string{"part"}},
		{Name: WafSeconds, Help: "How long inspections took, waits for their turn left out."},
		{Name: AccessLogDropped, Help: "Lines of the access log dropped because its reader was too slow."},
	}...)
}

// Sample is one value of a metric.
type Sample struct {
	Metric string
	Labels []string
	Value  float64
	// Histogram is the value of one that is a histogram; nil otherwise.
	Histogram *rates.Histogram
	// Examples of a histogram's buckets.
	Examples []rates.Sample
}

// metric returns the sample in Prometheus' terms.
func (s Sample) metric(m Metric) (prometheus.Metric, error) {
	if len(s.Labels) != len(m.Labels) || m.Histogram != (s.Histogram != nil) {
		return nil, fmt.Errorf("sample of %q with %d labels is not in the list of metrics", s.Metric, len(s.Labels))
	}
	description := prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
	if s.Histogram == nil {
		kind := prometheus.CounterValue
		if m.Gauge {
			kind = prometheus.GaugeValue
		}
		return prometheus.NewConstMetric(description, kind, s.Value, s.Labels...) //nolint:wrapcheck // says what
	}
	made, err := prometheus.NewConstHistogram(description, s.Histogram.Count, s.Histogram.Sum, s.Histogram.Buckets, s.Labels...)
	if err != nil || len(s.Examples) == 0 {
		return made, err //nolint:wrapcheck // says what
	}
	exemplars := make([]prometheus.Exemplar, len(s.Examples))
	for i, e := range s.Examples {
		exemplars[i] = prometheus.Exemplar{Value: e.Seconds, Labels: prometheus.Labels{"trace_id": e.Trace}, Timestamp: e.Time}
	}
	return prometheus.NewMetricWithExemplars(made, exemplars...) //nolint:wrapcheck // says what
}

// collector reads a Source out for Prometheus.
type collector struct{ source Source }

// Describe tells nothing: samples are checked as they come.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the samples. One that is not in the list is a mistake of ours and makes the whole read-out fail.
func (c collector) Collect(out chan<- prometheus.Metric) {
	known := make(map[string]Metric)
	for _, m := range Metrics() {
		known[m.Name] = m
	}
	c.source.Samples(func(s Sample) {
		made, err := s.metric(known[s.Metric])
		if err != nil {
			made = prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
		}
		out <- made
	})
}
