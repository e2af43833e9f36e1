package proxy

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/tracing"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/policy"
)

const (
	// maxReason, maxPath, maxName and maxValue bound, in bytes, what is told of a request's texts.
	maxReason = 200
	maxPath   = 512
	maxName   = 64
	maxValue  = 128
	// maxFields is how many fields of a header are told of.
	maxFields = 32
)

// watch decides how closely the exchange is looked at, before anything is decided about it: whether it is a span of a trace, and
// whether it is one of those that are kept with all that is decided. A trace's context that can't be read goes no further.
func (p *Proxy) watch(ex *pipeline.Exchange, settings *snapshot.Settings) {
	if ex.Dry {
		return
	}
	if p.tracer != nil {
		parent := parentOf(&ex.Request.Header)
		trusted := parent.IsSampled() && settings.TrustedProxies.Contains(ex.Client.Peer.Addr())
		ex.Span = p.tracer.Begin(parent, trusted, ex.Started)
	}
	ex.Sampled = sampled(ex.ID, settings.TracedPerMillion) && p.usage.HasRoom(usage.Sampled)
	if ex.Sampled || ex.Span != nil {
		ex.Trace = pipeline.NewTrace()
	}
}

// sampled draws by the request's id, whose last bytes are random and ours.
func sampled(request id.ID, perMillion uint32) bool {
	const million = 1_000_000
	return uint64(binary.BigEndian.Uint32(request[12:]))*million>>32 < uint64(perMillion)
}

// parentOf reads the trace's context that came with a request. One that isn't valid, or isn't one, is removed.
func parentOf(header *pipeline.Header) (parent trace.SpanContext) {
	seen, valid := 0, false
	for _, f := range header.Fields() {
		if pipeline.EqualFold(f.Name, tracing.ParentHeader) {
			parent, valid = tracing.ParseParent(f.Value)
			seen++
		}
	}
	if seen == 1 && valid {
		return parent
	}
	if seen > 0 {
		header.Del(tracing.ParentHeader)
		header.Del(tracing.StateHeader)
	}
	return trace.SpanContext{}
}

// retrace notes what is known of the stages of an exchange of which is told although nobody watched it.
func (p *Proxy) retrace(ex *pipeline.Exchange, stages *pipeline.Stages) {
	reason := usage.Refused
	if ex.Rejection == nil {
		reason = usage.ShadowRefused
	}
	told := ex.Rejection != nil || ex.ShadowVerdict != ""
	if !told || ex.Dry || ex.Trace != nil || stages == nil || !p.usage.HasRoom(reason) {
		return
	}
	ex.Trace = pipeline.NewTrace()
	stages.Retrace(ex, ex.Trace)
}

// told is an exchange as operators are told of it.
type told pipeline.Exchange

// Decision implements usage.Teller. The exchange's memory is another request's soon: all texts are copied.
func (t *told) Decision() *usagev1.Decision {
	d := &usagev1.Decision{
		Timed: t.Sampled || t.Span != nil, Scheme: t.Request.Scheme,
		Target: t.Target, UpstreamStatus: uint32(max(t.UpstreamStatus, 0)), // #nosec G115 -- a status
		AnsweredBy: bytesOf(t.AnsweredBy.ID), Header: fieldsOf(&t.Request.Header),
	}
	if t.Rejection != nil {
		d.Reason = usage.Cut(t.Rejection.Reason, maxReason)
	}
	if t.Route != nil {
		d.Service = bytesOf(t.Route.Service)
	}
	if !t.Asked.IsZero() {
		d.ForwardPath = usage.Cut(t.Request.ForwardPath, maxPath)
	}
	if t.Span != nil {
		d.TraceId, _ = hex.DecodeString(t.Span.TraceID()) // it is hexadecimal
	}
	if t.Trace != nil {
		d.Steps, d.StepsMissed = stepsOf(t.Trace), uint32(t.Trace.Missed()) // #nosec G115 -- as many as a route's stages
	}
	d.Findings = findingsOf(t.Findings)
	return d
}

// findingsOf tells what was found. Where it was found callers have named, with secrets too.
func findingsOf(all []pipeline.Finding) []*usagev1.Finding {
	findings := make([]*usagev1.Finding, len(all))
	for i, f := range all {
		findings[i] = &usagev1.Finding{
			Policy: bytesOf(f.Policy), Rule: usage.Cut(f.Rule, maxName), Message: usage.Cut(f.Message, maxReason),
			Target: waf.MaskTarget(f.Target), Part: waf.Mask(f.Part), Score: f.Score, InAnswer: f.InAnswer, Exclusion: bytesOf(f.Exclusion),
		}
	}
	return findings
}

func stepsOf(trace *pipeline.Trace) []*usagev1.Step {
	steps := make([]*usagev1.Step, len(trace.Steps()))
	for i, s := range trace.Steps() {
		steps[i] = &usagev1.Step{
			Policy: bytesOf(s.Policy.ID), Kind: s.Policy.Kind.Name, Level: levels[s.Level], Verdict: verdicts[s.Verdict],
			Code: string(s.Code), Reason: usage.Cut(s.Reason, maxReason), TookNs: uint64(max(s.Took, 0)),
		}
	}
	return steps
}

var levels = map[policy.Level]usagev1.Step_Level{
	policy.Environment: usagev1.Step_LEVEL_ENVIRONMENT, policy.Service: usagev1.Step_LEVEL_SERVICE,
	policy.Route: usagev1.Step_LEVEL_ROUTE, policy.Consumer: usagev1.Step_LEVEL_CONSUMER,
}

var verdicts = map[pipeline.StepVerdict]usagev1.Step_Verdict{
	pipeline.StepPassed: usagev1.Step_VERDICT_PASSED, pipeline.StepRefused: usagev1.Step_VERDICT_REFUSED,
	pipeline.StepShadowRefused: usagev1.Step_VERDICT_SHADOW_REFUSED, pipeline.StepAnswered: usagev1.Step_VERDICT_ANSWERED,
	pipeline.StepPassedOver: usagev1.Step_VERDICT_PASSED_OVER,
}

// plainFields are the fields whose values are told: no key can be in them (proto/policy/apikey refuses to look there).
var plainFields = [...]string{"User-Agent", "Content-Type"}

// fieldsOf tells the names of a header's fields, and the values of those that can't be a secret.
func fieldsOf(header *pipeline.Header) []*usagev1.Field {
	all := header.Fields()
	fields := make([]*usagev1.Field, min(len(all), maxFields))
	for i := range fields {
		fields[i] = &usagev1.Field{Name: usage.Cut(all[i].Name, maxName), Masked: true}
		for _, plain := range plainFields {
			if pipeline.EqualFold(all[i].Name, plain) {
				fields[i].Value, fields[i].Masked = usage.Cut(all[i].Value, maxValue), false
			}
		}
	}
	return fields
}

func bytesOf(of id.ID) []byte {
	if of.IsZero() {
		return nil
	}
	return of[:]
}

// endSpan says in the exchange's span what became of it, and hands it over to be sent: later than the exchange's memory lasts, so that all
// texts of the request are copied.
func endSpan(ex *pipeline.Exchange, now time.Time) {
	r := &tracing.Request{
		ID: id.Text(pipeline.RequestIDPrefix, ex.ID), Method: usage.Cut(ex.Request.Method, maxName), Scheme: ex.Request.Scheme,
		Host: usage.Cut(ex.Request.Authority, maxPath), Path: usage.Cut(ex.Request.Path, maxPath),
		Revision: ex.Revision, Status: ex.Response.Status, Verdict: string(ex.Verdict), ShadowVerdict: string(ex.ShadowVerdict),
		RequestBytes: ex.Request.BodyBytes, ResponseBytes: ex.Response.BodyBytes,
		Upstream: ex.Upstream, UpstreamAsked: ex.Asked, UpstreamStatus: ex.UpstreamStatus, Target: ex.Target,
		Stages: spanStages(ex), Ended: now,
	}
	if ex.Client.Address.IsValid() {
		r.Client = ex.Client.Address.String()
	}
	if ex.Route != nil {
		r.Route, r.RouteID, r.Service = ex.Route.Name, id.Text(id.Route, ex.Route.ID), ex.Route.ServiceName
	}
	if ex.Identity.Known() {
		r.Consumer = id.Text(consumerPrefix, ex.Identity.Consumer.ID)
		if prefix, credential := ex.Identity.Vouching(); !credential.IsZero() {
			r.Key = id.Text(prefix, credential)
		}
	}
	if ex.Rejection != nil {
		r.Reason = usage.Cut(ex.Rejection.Reason, maxReason)
	}
	ex.Span.End(r)
}

// spanStages tells a span what the stages said. Each began when the one before had ended, the first one when the first clock was read.
func spanStages(ex *pipeline.Exchange) []tracing.Stage {
	if ex.Trace == nil {
		return nil
	}
	stages := make([]tracing.Stage, len(ex.Trace.Steps()))
	at := ex.Now
	for i, s := range ex.Trace.Steps() {
		stages[i] = tracing.Stage{
			Kind: s.Policy.Kind.Name, Policy: s.Policy.Name, Verdict: s.Verdict.String(), Code: string(s.Code), At: at, Took: s.Took,
		}
		at = at.Add(s.Took)
	}
	return stages
}
