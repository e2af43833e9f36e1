package ratelimit

import (
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

func TestALimitRunsBeforeAuthenticateUnlessItCountsByWhatThatFinds(t *testing.T) {
	var (
		address  = &policyv1.CountBy{Property: &policyv1.CountBy_Address{Address: true}}
		key      = &policyv1.CountBy{Property: &policyv1.CountBy_Key{Key: true}}
		consumer = &policyv1.CountBy{Property: &policyv1.CountBy_Consumer{Consumer: true}}
		route    = &policyv1.CountBy{Property: &policyv1.CountBy_Route{Route: true}}
		header   = &policyv1.CountBy{Property: &policyv1.CountBy_Header{Header: "X-Tenant"}}
	)
	tests := []struct {
		name string
		by   []*policyv1.CountBy
		want policy.Phase
	}{
		{"address", []*policyv1.CountBy{address}, policy.Guard},
		{"route", []*policyv1.CountBy{route}, policy.Guard},
		{"header and address", []*policyv1.CountBy{header, address}, policy.Guard},
		{"key", []*policyv1.CountBy{key}, policy.Limit},
		{"consumer", []*policyv1.CountBy{consumer}, policy.Limit},
		{"route and consumer", []*policyv1.CountBy{route, consumer}, policy.Limit},
		{"address and key", []*policyv1.CountBy{address, key}, policy.Limit},
	}
	for _, tt := range tests {
		if got := Kind.Phase(&policyv1.RateLimit{By: tt.by}); got != tt.want {
			t.Errorf("%s runs in %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestValidateCopesWithAnythingTheRulesRefuse(t *testing.T) {
	none, most := uint32(0), uint32(math.MaxUint32)
	configs := []*policyv1.RateLimit{
		nil,
		{},
		{By: []*policyv1.CountBy{nil, {}}, Windows: []*policyv1.Window{nil, {}}},
		{Windows: []*policyv1.Window{{Requests: most, Window: &durationpb.Duration{Seconds: math.MaxInt64}, Burst: &most}}},
		{Windows: []*policyv1.Window{{Requests: 1, Window: &durationpb.Duration{Seconds: math.MinInt64, Nanos: -1}, Burst: &none}}},
	}
	for _, config := range configs {
		if v := Kind.Validate(config); len(v) != 0 {
			t.Errorf("%v: %v", config, v)
		}
	}
}

// The limiter multiplies the burst by the time between two requests: whatever passes must fit 64 bits.
func TestNoLimitThatPassesOverflowsTheLimiter(t *testing.T) {
	for _, requests := range []uint32{1, 2, 3, 7, 1000, 99_999, 1_000_000_000} {
		for _, length := range []time.Duration{100 * time.Millisecond, time.Second, time.Minute, 24 * time.Hour} {
			for _, burst := range []uint32{1, 100, 604_800, 1_000_000_000} {
				config := &policyv1.RateLimit{Windows: []*policyv1.Window{
					{Requests: requests, Window: durationpb.New(length), Burst: &burst},
				}}
				if len(Kind.Validate(config)) > 0 {
					continue
				}
				interval := length / time.Duration(requests)
				if interval < leastInterval || interval > greatestRefill/time.Duration(burst)+1 {
					t.Errorf("%d in %s with a burst of %d passes", requests, length, burst)
				}
			}
		}
	}
}
