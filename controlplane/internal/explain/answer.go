package explain

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// explanationOf returns a node's answer as the API shows it. How much there is of it the bound on answers says.
func explanationOf(node *fleet.Node, m *edgev1.Explanation) *adminv1.Explanation {
	explanation := &adminv1.Explanation{
		Node: node.ID, Name: node.Name, Answered: true, Revision: m.GetRevision(), Sequence: m.GetSequence(),
		Verdict: m.GetVerdict(), Reason: m.GetReason(), Policy: m.GetPolicy(), Status: m.GetStatus(), ShadowVerdict: m.GetShadowVerdict(),
		ClientAddress: m.GetClientAddress(), Host: m.GetHost(), Path: m.GetPath(), Route: routeOf(m.GetRoute()),
		Answer: &adminv1.ExplanationAnswer{Headers: headersOf(m.GetAnswerHeader()), Body: m.GetAnswerBody()},
	}
	for _, s := range m.GetMisses() {
		explanation.NearMisses = append(explanation.NearMisses, &adminv1.ExplanationMiss{
			Route: s.GetId(), Name: s.GetName(), Part: s.GetPart(), Condition: s.GetCondition(), Wanted: s.GetWanted(), Given: s.GetGiven(), Others: s.GetOthers(),
		})
	}
	for _, s := range m.GetStages() {
		explanation.Stages = append(explanation.Stages, &adminv1.ExplanationStage{
			Policy: s.GetId(), Name: s.GetName(), Kind: s.GetKind(), Level: s.GetLevel(), Phase: s.GetPhase(), Mode: s.GetMode(),
			Verdict: s.GetVerdict(), Code: s.GetCode(), Reason: s.GetReason(), TookNs: s.GetTookNs(), Findings: findingsOf(s.GetFindings()),
		})
	}
	if c := m.GetCaller(); c != nil {
		explanation.Caller = &adminv1.ExplanationCaller{Consumer: c.GetConsumer(), Name: c.GetName(), ApiKey: c.GetCredential(), Scopes: c.GetScopes()}
	}
	for _, q := range m.GetQuotas() {
		explanation.Quotas = append(explanation.Quotas, &adminv1.ExplanationQuota{
			Policy: q.GetPolicy(), Name: q.GetName(), Remaining: q.GetRemaining(), ResetMs: q.GetResetMs(),
		})
	}
	if f := m.GetForward(); f != nil {
		explanation.Forward = &adminv1.ExplanationForward{
			Service: f.GetService(), Name: f.GetName(), Targets: f.GetTargets(), Path: f.GetPath(), Headers: headersOf(f.GetHeader()),
		}
	}
	return explanation
}

func findingsOf(all []*edgev1.ExplainedFinding) []*adminv1.ExplanationFinding {
	var findings []*adminv1.ExplanationFinding
	for _, f := range all {
		findings = append(findings, &adminv1.ExplanationFinding{
			Rule: f.GetRule(), Message: f.GetMessage(), Target: f.GetTarget(), Part: f.GetPart(), Score: f.GetScore(), Exclusion: f.GetExclusion(),
		})
	}
	return findings
}

func routeOf(r *edgev1.ExplainedRoute) *adminv1.ExplanationRoute {
	if r == nil {
		return nil
	}
	route := &adminv1.ExplanationRoute{
		Id: r.GetId(), Name: r.GetName(), Path: r.GetPath(), Compared: r.GetCompared(), Public: r.GetPublic(), Params: map[string]string{},
	}
	for _, p := range r.GetParams() {
		route.Params[p.GetName()] = p.GetValue()
	}
	return route
}

func headersOf(fields []*edgev1.HeaderField) []*adminv1.HypotheticalHeader {
	var headers []*adminv1.HypotheticalHeader
	for _, f := range fields {
		headers = append(headers, &adminv1.HypotheticalHeader{Name: f.GetName(), Value: f.GetValue()})
	}
	return headers
}

// compared is what nodes should agree on.
var compared = []struct {
	field string
	of    func(*adminv1.Explanation) string
}{
	{"revision", func(m *adminv1.Explanation) string { return strconv.FormatUint(m.GetRevision(), 10) }},
	{"sequence", func(m *adminv1.Explanation) string { return strconv.FormatUint(m.GetSequence(), 10) }},
	{"client_address", (*adminv1.Explanation).GetClientAddress},
	{"route", func(m *adminv1.Explanation) string { return m.GetRoute().GetId() }},
	{"verdict", (*adminv1.Explanation).GetVerdict},
	{"policy", (*adminv1.Explanation).GetPolicy},
	{"status", func(m *adminv1.Explanation) string { return strconv.FormatUint(uint64(m.GetStatus()), 10) }},
	{"shadow_verdict", (*adminv1.Explanation).GetShadowVerdict},
	{"service", func(m *adminv1.Explanation) string { return m.GetForward().GetService() }},
}

// differences returns what the nodes that answered don't agree on.
func differences(all []*adminv1.Explanation) []*adminv1.ExplanationDifference {
	var found []*adminv1.ExplanationDifference
	for _, c := range compared {
		var sides []*adminv1.ExplanationSide
		for _, m := range all {
			if m.GetAnswered() {
				sides = addTo(sides, c.of(m), m.GetNode())
			}
		}
		if len(sides) > 1 {
			slices.SortFunc(sides, func(a, b *adminv1.ExplanationSide) int { return strings.Compare(a.GetValue(), b.GetValue()) })
			found = append(found, &adminv1.ExplanationDifference{Field: c.field, Sides: sides})
		}
	}
	return found
}

func addTo(sides []*adminv1.ExplanationSide, value, node string) []*adminv1.ExplanationSide {
	for _, s := range sides {
		if s.GetValue() == value {
			s.Nodes = append(s.Nodes, node)
			return sides
		}
	}
	return append(sides, &adminv1.ExplanationSide{Value: value, Nodes: []string{node}})
}
