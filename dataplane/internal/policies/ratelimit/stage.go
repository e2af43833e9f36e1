package ratelimit

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/limiter"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/ratelimit"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "rate-limit" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// stage is immutable but for its counters.
type stage struct {
	by       []property
	counters *counters
	windows  int
	names    [limiter.MaxWindows]string // each window's item of RateLimit, up to its parameters
	policy   string                     // RateLimit-Policy
}

// counters are what survives a change of configuration that doesn't concern them.
type counters struct {
	table *limiter.Table
	start time.Time // where the table's clock begins
}

var (
	errScope  = errors.New(`scope: this build knows "node" and "fleet" only; update the node`)
	errShares = errors.New(`scope: "fleet": this process knows no fleet to share the limit with`)
)

func compile(env pipeline.Env, config *policyv1.RateLimit) (pipeline.Stage, error) {
	switch scope := config.GetScope(); {
	case scope != policyv1.Scope_SCOPE_NODE && scope != policyv1.Scope_SCOPE_FLEET:
		return nil, errScope
	case scope == policyv1.Scope_SCOPE_FLEET && env.Shares == nil:
		return nil, errShares
	}
	by, err := newProperties(config.GetBy())
	if err != nil {
		return nil, err
	}
	windows := make([]limiter.Window, len(config.GetWindows()))
	for i, w := range config.GetWindows() {
		windows[i] = limiter.Window{Requests: w.GetRequests(), Length: w.GetWindow().AsDuration(), Burst: w.GetBurst()}
	}
	s := &stage{by: by, windows: len(windows)}
	s.counters, err = countersOf(env, config, windows)
	if err != nil {
		return nil, err
	}
	s.name(env.PolicyName, windows)
	return s, nil
}

// countersOf returns the counters that the policy had as long as nothing that they depend on has changed, else new ones.
func countersOf(env pipeline.Env, config *policyv1.RateLimit, windows []limiter.Window) (*counters, error) {
	limit, err := limiter.NewLimit(windows...)
	if err != nil {
		return nil, err
	}
	content := fmt.Appendf(nil, "%x %d %+v", env.PolicyID, config.GetMaxCallers(), windows)
	for _, by := range config.GetBy() {
		content = fmt.Appendf(content, " %T %s", by.GetProperty(), strings.ToLower(by.GetHeader()))
	}
	fleet := config.GetScope() == policyv1.Scope_SCOPE_FLEET
	if fleet {
		content = append(content, " fleet"...)
	}
	return pipeline.Part(env.Parts, "rate-limit/counters", string(content), func() (*counters, error) {
		table, err := newTable(env, limit, int(config.GetMaxCallers()), fleet)
		if err != nil {
			return nil, err
		}
		return &counters{table: table, start: env.Clock()}, nil
	})
}

func newTable(env pipeline.Env, limit limiter.Limit, cells int, fleet bool) (*limiter.Table, error) {
	if fleet {
		return limiter.NewSharedTable(limit, cells, env.Shares)
	}
	return limiter.NewTable(limit, cells)
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	v := s.count(ex)
	for i := range s.windows {
		ex.Quotas = append(ex.Quotas, pipeline.Quota{By: s, Remaining: v.Windows[i].Remaining, Reset: v.Windows[i].Reset})
	}
	if v.Allowed {
		return nil
	}
	reason := "a window is used up"
	if v.Shared {
		reason = "the allowance shared by callers beyond max_callers is used up"
	}
	r := ex.Reject(problem.RateLimited, "", reason)
	r.Header.Add("Retry-After", retryAfter(ex, v.RetryAfter))
	return r
}

func (s *stage) count(ex *pipeline.Exchange) limiter.Verdict {
	now := int64(ex.Now.Sub(s.counters.start))
	key := s.key(ex, s.counters.table.Hasher())
	if ex.Dry {
		return s.counters.table.Peek(key, now)
	}
	return s.counters.table.Take(key, now)
}

// Response implements pipeline.Responder: it tells the caller what is left.
func (s *stage) Response(ex *pipeline.Exchange) error {
	ex.Response.Header.Add("RateLimit-Policy", s.policy)
	ex.Response.Header.Add("RateLimit", s.state(ex))
	return nil
}
