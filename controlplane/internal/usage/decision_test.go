package usage_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/usage"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// listed is what is kept of an event with this decision.
func listed(t *testing.T, d *usagev1.Decision) usage.Request {
	t.Helper()
	b := good(1)
	b.Events = []*usagev1.Event{{TimeMs: noon.UnixMilli(), RequestId: "req_a", Status: 200, Verdict: "allowed", ShadowVerdict: "rate_limited", Decision: d}}
	in := usage.Tally([]*usagev1.Batch{b}, noon)
	if len(in.Requests) != 1 {
		t.Fatalf("%d requests are listed", len(in.Requests))
	}
	return in.Requests[0]
}

// Request makes answers a store of one request.
type oneRequest struct {
	answers
	request usage.Request
}

func (o *oneRequest) Request(context.Context, string, string) (usage.Request, error) {
	if o.request.ID == "" {
		return usage.Request{}, problem.Errorf(problem.NotFound, "no request")
	}
	return o.request, nil
}

func TestHowARequestWasDecidedIsToldWithTheNamesOfWhatDecided(t *testing.T) {
	policy, service := id.New(noon), id.New(noon)
	request := listed(t, &usagev1.Decision{
		Service: service[:], Target: "s.test:80", UpstreamStatus: 204, Timed: true, Scheme: "http", TraceId: []byte("0123456789abcdef"),
		Steps: []*usagev1.Step{{
			Policy: policy[:], Kind: "rate-limit", Level: usagev1.Step_LEVEL_CONSUMER, Verdict: usagev1.Step_VERDICT_SHADOW_REFUSED,
			Code: "rate_limited", Reason: "too\nmany", TookNs: 120,
		}},
		Header: []*usagev1.Field{{Name: "User-Agent", Value: "curl\x00"}, {Name: "X-Api-Key", Masked: true}},
	})
	got, err := usage.NewReports(&oneRequest{request: request}).Request(t.Context(), "env", "req_a")
	if err != nil {
		t.Fatal(err)
	}
	d := got.GetDecision()
	stage := d.GetStages()[0]
	if got.GetShadowVerdict() != "rate_limited" || stage.GetPolicy() != id.Text(id.Policy, policy) || stage.GetName() != "name of "+stage.GetPolicy() ||
		stage.GetLevel() != "consumer" || stage.GetVerdict() != "shadow_refused" || stage.GetReason() != "too\uFFFDmany" || stage.GetTookNs() != 120 {
		t.Errorf("the stage is told as %v", stage)
	}
	if d.GetServiceName() != "name of "+id.Text(id.Service, service) || d.GetUpstreamStatus() != 204 || d.GetTraceId() != "30313233343536373839616263646566" {
		t.Errorf("told as %v", d)
	}
	if h := d.GetHeaders(); len(h) != 2 || h[0].GetValue() != "curl\uFFFD" || h[1].GetValue() != "" || !h[1].GetMasked() {
		t.Errorf("the header is told as %v", h)
	}
	request.Decision = nil
	if old, err := usage.NewReports(&oneRequest{request: request}).Request(t.Context(), "env", "req_a"); err != nil || old.GetDecision() != nil {
		t.Errorf("of a node that doesn't tell: %v, %v", old.GetDecision(), err)
	}
}

func TestADecisionThatCannotBeIsNotKeptAndTheRequestIs(t *testing.T) {
	for what, d := range map[string]*usagev1.Decision{
		"too many stages":  {Steps: make([]*usagev1.Step, 65)},
		"no policy":        {Steps: []*usagev1.Step{{Policy: []byte("abc")}}},
		"no service":       {Service: []byte("abc")},
		"no trace":         {TraceId: []byte("abc")},
		"no status":        {UpstreamStatus: 1000},
		"too many fields":  {Header: make([]*usagev1.Field, 33)},
		"more than can be": func() *usagev1.Decision { d := new(usagev1.Decision); d.ProtoReflect().SetUnknown(huge()); return d }(),
	} {
		if kept := listed(t, d); len(kept.Decision) != 0 {
			t.Errorf("%s: kept", what)
		}
	}
	long := listed(t, &usagev1.Decision{Reason: strings.Repeat("x", 1000), ForwardPath: strings.Repeat("/", 1000)})
	d := new(usagev1.Decision)
	if err := proto.Unmarshal(long.Decision, d); err != nil || len(d.GetReason()) != 200 || len(d.GetForwardPath()) != 512 {
		t.Errorf("kept as %v: %v", d, err)
	}
}

// huge is a field that no message has, of 20,000 bytes.
func huge() []byte {
	const length = 30_000
	field := []byte{0xfa, 0x3f, length&0x7f | 0x80, length >> 7 & 0x7f, 0} // field 1023, length-delimited
	field[3] |= 0x80
	field[4] = length >> 14
	return append(field, make([]byte, length)...)
}
