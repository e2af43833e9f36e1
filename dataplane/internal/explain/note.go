package explain

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/router"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// note tells what became of an exchange. Nothing of it shares the exchange's memory.
func note(ex *pipeline.Exchange, asked request, routing snapshot.Routing) *edgev1.Explanation {
	m := &edgev1.Explanation{
		Revision: ex.Revision, ClientAddress: ex.Client.Address.String(), Host: text(asked.host), Path: text(asked.path),
		Verdict: string(ex.Verdict), ShadowVerdict: string(ex.ShadowVerdict),
	}
	if ex.Rejection != nil {
		m.Reason, m.Policy = text(ex.Rejection.Reason), text(ex.Rejection.Policy)
		if !ex.Rejection.PolicyID.IsZero() {
			m.PolicyId = id.Text(id.Policy, ex.Rejection.PolicyID)
		}
	}
	if ex.Revision != 0 { // else nobody looked for a route
		m.Route = routeOf(ex, routing)
		for _, miss := range routing.Misses {
			m.Misses = append(m.Misses, missOf(&miss, asked))
		}
	}
	m.Stages, m.StagesMissed = stagesOf(ex)
	m.Caller, m.Quotas = callerOf(ex), quotasOf(ex)
	return m
}

func routeOf(ex *pipeline.Exchange, routing snapshot.Routing) *edgev1.ExplainedRoute {
	if ex.Route == nil || routing.Route == nil {
		return nil
	}
	r := &edgev1.ExplainedRoute{
		Id: id.Text(id.Route, ex.Route.ID), Name: ex.Route.Name, Public: routing.Route.Public,
		Path: routing.Path.Text, Compared: comparisons[routing.Path.By],
	}
	for i, name := range ex.ParamNames {
		r.Params = append(r.Params, &edgev1.HeaderField{Name: name, Value: text(ex.Params[i])})
	}
	return r
}

var comparisons = map[router.Compare]string{router.Exact: "exact", router.Prefix: "prefix", router.Template: "template"}

// stagesOf tells of the stages that ran, and of those that something kept from running.
func stagesOf(ex *pipeline.Exchange) (stages []*edgev1.ExplainedStage, missed uint32) {
	if ex.Stages == nil {
		return nil, 0
	}
	steps, ended := ex.Trace.Steps(), false
	for i := range steps {
		s := &steps[i]
		ended = ended || s.Verdict == pipeline.StepRefused || s.Verdict == pipeline.StepAnswered
		shown := stageOf(pipeline.Attached{Policy: s.Policy, Level: s.Level}, s.Verdict)
		shown.Code, shown.Reason, shown.TookNs = string(s.Code), text(s.Reason), uint64(max(s.Took, 0))
		shown.Findings = findingsOf(ex, s.Policy.ID)
		stages = append(stages, shown)
	}
	if !ended {
		return stages, uint32(ex.Trace.Missed())
	}
	for _, a := range ex.Stages.For(ex).Attached() {
		if slices.ContainsFunc(steps, func(s pipeline.TraceStep) bool { return s.Policy == a.Policy }) {
			continue
		}
		if len(stages) == maxStages {
			missed++
			continue
		}
		stages = append(stages, stageOf(a, pipeline.StepNotReached))
	}
	return stages, missed
}

// findingsOf tells what a policy's stage found.
func findingsOf(ex *pipeline.Exchange, of id.ID) []*edgev1.ExplainedFinding {
	var findings []*edgev1.ExplainedFinding
	for _, f := range ex.Findings {
		if f.Policy != of {
			continue
		}
		shown := &edgev1.ExplainedFinding{
			Rule: clip(f.Rule, maxRule), Message: clip(f.Message, maxMessage), Target: waf.MaskTarget(f.Target), Part: waf.Mask(f.Part), Score: f.Score,
		}
		if !f.Exclusion.IsZero() {
			shown.Exclusion = id.Text(id.WafExclusion, f.Exclusion)
		}
		findings = append(findings, shown)
	}
	return findings
}

func stageOf(a pipeline.Attached, verdict pipeline.StepVerdict) *edgev1.ExplainedStage {
	return &edgev1.ExplainedStage{
		Id: id.Text(id.Policy, a.ID), Name: a.Name, Kind: a.Kind.Name, Level: a.Level.String(), Phase: a.Phase.String(),
		Mode: a.Mode.String(), Verdict: verdict.String(),
	}
}

func callerOf(ex *pipeline.Exchange) *edgev1.ExplainedCaller {
	who := &ex.Identity
	if !who.Known() {
		return nil
	}
	caller := &edgev1.ExplainedCaller{
		Consumer: id.Text(id.Consumer, who.Consumer.ID), Name: who.Consumer.Name,
		Scopes: slices.Clone(who.Scopes.All()[:min(who.Scopes.Len(), maxScopes)]),
	}
	if prefix, of := who.Vouching(); !of.IsZero() {
		caller.Credential = id.Text(prefix, of)
	}
	return caller
}

func quotasOf(ex *pipeline.Exchange) []*edgev1.ExplainedQuota {
	var quotas []*edgev1.ExplainedQuota
	for _, q := range ex.Quotas[:min(len(ex.Quotas), maxQuotas)] {
		shown := &edgev1.ExplainedQuota{Remaining: q.Remaining, ResetMs: uint64(max(q.Reset.Milliseconds(), 0))}
		for _, a := range ex.Stages.For(ex).Attached() {
			if a.Stage == q.By {
				shown.Policy, shown.Name = id.Text(id.Policy, a.ID), a.Name
			}
		}
		quotas = append(quotas, shown)
	}
	return quotas
}

// forwardOf tells what a service would be asked.
func forwardOf(ex *pipeline.Exchange, route *snapshot.Route) *edgev1.ExplainedForward {
	if route == nil {
		return nil
	}
	f := &edgev1.ExplainedForward{
		Service: id.Text(id.Service, route.Service.ID), Name: route.Service.Name,
		Path: text(ex.Request.ForwardPath), Header: headerOf(ex.Request.Header.Fields()),
	}
	for _, t := range route.Service.Spec.Targets[:min(len(route.Service.Spec.Targets), maxTargets)] {
		f.Targets = append(f.Targets, t.Address)
	}
	return f
}

// request is what a route was compared with, before a stage took anything out of it.
type request struct {
	method, host, path, query string
	header                    []pipeline.Field
}

// textOf keeps what of a request a route was compared with, by being asked with a method.
func textOf(r *pipeline.Request, method string) request {
	return request{method: method, host: r.Authority, path: r.Path, query: r.Query, header: slices.Clone(r.Header.Fields())}
}

func missOf(miss *snapshot.NearMiss, asked request) *edgev1.ExplainedMiss {
	m := &edgev1.ExplainedMiss{
		Id: id.Text(id.Route, miss.Info.ID), Name: miss.Info.Name, Part: miss.Part.String(), Others: uint32(max(miss.Others, 0)),
	}
	switch miss.Part {
	case router.Hosts:
		m.Wanted, m.Given = list(miss.Rule.Hosts), text(asked.host)
	case router.Paths:
		p := miss.Rule.Paths[miss.Path]
		m.Wanted, m.Given = comparisons[p.By]+" "+p.Text, text(asked.path)
	case router.Methods:
		m.Wanted, m.Given = list(miss.Rule.Methods), text(asked.method)
	case router.Headers:
		m.Condition, m.Wanted = miss.Condition.Name, wanted(miss.Condition)
		m.Given = given(miss.Condition.Name, asked.values(miss.Condition.Name))
	case router.Query:
		m.Condition, m.Wanted = miss.Condition.Name, wanted(miss.Condition)
		m.Given = given(miss.Condition.Name, asked.parameters(miss.Condition.Name))
	case router.Precedence:
	}
	return m
}

func wanted(c *router.Condition) string {
	switch c.By {
	case router.Present:
		return "present"
	case router.Absent:
		return "absent"
	default:
		return comparisons[c.By] + " " + c.Value
	}
}

// values returns those of the header fields of a name.
func (r *request) values(name string) []string {
	var values []string
	for _, f := range r.header {
		if pipeline.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// parameters returns the values of the query parameters of a name, as they were sent.
func (r *request) parameters(name string) []string {
	var values []string
	for rest, more := r.query, r.query != ""; more; {
		var key, value string
		key, value, rest, more = pipeline.NextPair(rest)
		if pipeline.DecodedEqual(key, name) {
			values = append(values, value)
		}
	}
	return values
}

func list(all []string) string { return text(strings.Join(all, ", ")) }
