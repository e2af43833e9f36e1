package ratelimit

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func limit(by *policyv1.CountBy, windows ...*policyv1.Window) *policyv1.RateLimit {
	return &policyv1.RateLimit{By: []*policyv1.CountBy{by}, Windows: windows}
}

func window(requests uint32, length time.Duration) *policyv1.Window {
	return &policyv1.Window{Requests: requests, Window: durationpb.New(length)}
}

func TestALimitIsSaidToBecomeTighterOrLooserForWhom(t *testing.T) {
	address := &policyv1.CountBy{Property: &policyv1.CountBy_Address{Address: true}}
	header := &policyv1.CountBy{Property: &policyv1.CountBy_Header{Header: "X-Tenant"}}
	ten, twenty := window(10, time.Second), window(20, time.Second)
	bursty := window(20, time.Second)
	bursty.Burst = proto.Uint32(5)
	fleet := limit(address, ten)
	fleet.Scope = policyv1.Scope_SCOPE_FLEET.Enum()
	for name, c := range map[string]struct {
		before, after *policyv1.RateLimit
		code, text    string
	}{
		"fewer requests":     {limit(address, twenty), limit(address, ten), "limit_tightened", "the limit is 10 in 1s for each address, instead of 20 in 1s for each address"},
		"more requests":      {limit(address, ten), limit(address, twenty), "limit_loosened", "the limit is 20 in 1s for each address, instead of 10 in 1s for each address"},
		"fewer at once":      {limit(address, twenty), limit(address, bursty), "limit_tightened", "the limit is 20 in 1s (at once 5) for each address, instead of 20 in 1s for each address"},
		"a window more":      {limit(address, ten), limit(address, ten, window(100, time.Minute)), "limit_tightened", "the limit is 10 in 1s, 100 in 1m0s for each address, instead of 10 in 1s for each address"},
		"a window less":      {limit(address, ten, window(100, time.Minute)), limit(address, ten), "limit_loosened", "the limit is 10 in 1s for each address, instead of 10 in 1s, 100 in 1m0s for each address"},
		"another window":     {limit(address, ten), limit(address, window(100, time.Minute)), "limit_changed", "the limit is 100 in 1m0s for each address, instead of 10 in 1s for each address"},
		"for others":         {limit(address, ten), limit(header, ten), "limit_changed", "the limit is 10 in 1s for each value of X-Tenant, instead of 10 in 1s for each address"},
		"over the fleet":     {limit(address, ten), fleet, "limit_changed", "the limit is 10 in 1s for each address, over all nodes, instead of 10 in 1s for each address"},
		"a limit that comes": {nil, limit(address, ten), "limit_added", "a limit holds: 10 in 1s for each address"},
		"a limit that goes":  {limit(address, ten), nil, "limit_removed", "a limit no longer holds: 10 in 1s for each address"},
	} {
		said := effects(c.before, c.after)
		if len(said) != 1 || said[0].Code != c.code || said[0].Text != c.text {
			t.Errorf("%s: %+v", name, said)
			continue
		}
		back := effects(c.after, c.before)
		if want := said[0].Opposite; len(back) != 1 || want != "" && back[0].Code != want || want == "" && back[0].Code != said[0].Code {
			t.Errorf("%s, the other way round: %+v", name, back)
		}
	}
	if said := effects(limit(address, ten), limit(address, ten)); said != nil || effects(nil, nil) != nil {
		t.Errorf("of nothing: %+v", said)
	}
}
