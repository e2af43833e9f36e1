package usage

import (
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// Limits of what is kept of how a request was decided: what is longer is cut, and what is bigger isn't kept.
const (
	maxDecision = 24 << 10 // bytes
	maxSteps    = 64
	maxFields   = 32
	maxReason   = 200
	maxWord     = 64
	maxName     = 64
	maxValue    = 128
	maxTarget   = 300
)

// decisionOf returns what is kept of how a request was decided; none when the node doesn't tell, or tells what can't be: the request is
// listed all the same.
func decisionOf(e *usagev1.Event) []byte {
	d := e.GetDecision()
	if d == nil || !isDecision(d) {
		return nil
	}
	d.Reason, d.ForwardPath, d.Target = legible(d.GetReason(), maxReason), legible(d.GetForwardPath(), maxPath), legible(d.GetTarget(), maxTarget)
	d.Scheme = legible(d.GetScheme(), maxWord)
	for _, s := range d.GetSteps() {
		s.Kind, s.Code, s.Reason = legible(s.GetKind(), maxWord), legible(s.GetCode(), maxVerdict), legible(s.GetReason(), maxReason)
	}
	for _, f := range d.GetHeader() {
		f.Name, f.Value = legible(f.GetName(), maxName), legible(f.GetValue(), maxValue)
	}
	for _, f := range d.GetFindings() {
		legibleFinding(f)
	}
	data, err := proto.Marshal(d)
	if err != nil || len(data) > maxDecision {
		return nil
	}
	return data
}

func isDecision(d *usagev1.Decision) bool {
	if len(d.GetSteps()) > maxSteps || len(d.GetHeader()) > maxFields || d.GetUpstreamStatus() >= 1000 || d.GetStepsMissed() > maxSum>>32 ||
		!idOrNone(d.GetAnsweredBy()) || !idOrNone(d.GetService()) || !idOrNone(d.GetTraceId()) || len(d.GetFindings()) > maxFindings {
		return false
	}
	for _, f := range d.GetFindings() {
		if !isFinding(f) {
			return false
		}
	}
	for _, s := range d.GetSteps() {
		if len(s.GetPolicy()) != idSize || s.GetTookNs() > maxSum {
			return false
		}
	}
	return true
}

// decided reads what decisionOf kept.
func (r *Request) decided() (*usagev1.Decision, error) {
	if len(r.Decision) == 0 {
		return nil, nil //nolint:nilnil // the node didn't tell
	}
	d := new(usagev1.Decision)
	if err := proto.Unmarshal(r.Decision, d); err != nil {
		return nil, fmt.Errorf("how request %s was decided: %w", r.ID, err)
	}
	return d, nil
}

// namesIn are the ids of what a decision speaks of.
func namesIn(d *usagev1.Decision) []string {
	ids := []string{textOf(id.Service, d.GetService()), textOf(id.Policy, d.GetAnsweredBy())}
	for _, s := range d.GetSteps() {
		ids = append(ids, textOf(id.Policy, s.GetPolicy()))
	}
	for _, f := range d.GetFindings() {
		ids = append(ids, textOf(id.Policy, f.GetPolicy()), textOf(id.WafExclusion, f.GetExclusion()))
	}
	return ids
}

func decisionMessage(d *usagev1.Decision, names map[string]string) *adminv1.RequestDecision {
	if d == nil {
		return nil
	}
	service, answered := textOf(id.Service, d.GetService()), textOf(id.Policy, d.GetAnsweredBy())
	m := &adminv1.RequestDecision{
		StagesMissed: d.GetStepsMissed(), Timed: d.GetTimed(), Reason: d.GetReason(),
		AnsweredBy: answered, AnsweredByName: names[answered], Service: service, ServiceName: names[service],
		ForwardPath: d.GetForwardPath(), Target: d.GetTarget(), UpstreamStatus: d.GetUpstreamStatus(),
		TraceId: hex.EncodeToString(d.GetTraceId()), Scheme: d.GetScheme(),
	}
	for _, s := range d.GetSteps() {
		policy := textOf(id.Policy, s.GetPolicy())
		m.Stages = append(m.Stages, &adminv1.RequestStage{
			Policy: policy, Name: names[policy], Kind: s.GetKind(), Level: levels[s.GetLevel()], Verdict: verdicts[s.GetVerdict()],
			Code: s.GetCode(), Reason: s.GetReason(), TookNs: s.GetTookNs(),
		})
	}
	for _, f := range d.GetHeader() {
		m.Headers = append(m.Headers, &adminv1.RequestField{Name: f.GetName(), Value: f.GetValue(), Masked: f.GetMasked()})
	}
	for _, f := range d.GetFindings() {
		policy, exclusion := textOf(id.Policy, f.GetPolicy()), textOf(id.WafExclusion, f.GetExclusion())
		m.Findings = append(m.Findings, &adminv1.RequestFinding{
			Policy: policy, PolicyName: names[policy], Rule: f.GetRule(), Message: f.GetMessage(), Target: f.GetTarget(), Part: f.GetPart(),
			Score: f.GetScore(), InAnswer: f.GetInAnswer(), Exclusion: exclusion, ExclusionName: names[exclusion],
		})
	}
	return m
}

// Words for what nodes say by number; "" for what only a newer node says.
var (
	levels = map[usagev1.Step_Level]string{
		usagev1.Step_LEVEL_ENVIRONMENT: "environment", usagev1.Step_LEVEL_SERVICE: "service",
		usagev1.Step_LEVEL_ROUTE: "route", usagev1.Step_LEVEL_CONSUMER: "consumer",
	}
	verdicts = map[usagev1.Step_Verdict]string{
		usagev1.Step_VERDICT_PASSED: "passed", usagev1.Step_VERDICT_REFUSED: "refused",
		usagev1.Step_VERDICT_SHADOW_REFUSED: "shadow_refused", usagev1.Step_VERDICT_ANSWERED: "answered",
		usagev1.Step_VERDICT_PASSED_OVER: "passed_over",
	}
)

func textOf(prefix string, raw []byte) string {
	if len(raw) != idSize {
		return ""
	}
	return idText(prefix, [16]byte(raw))
}
