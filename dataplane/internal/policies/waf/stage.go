package waf

import (
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/effort"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/samples"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	contract "github.com/sallyport/sallyport/proto/policy/waf"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// Binding joins the contract of "waf" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// stage is immutable.
type stage struct {
	engine     *shared
	tally      *waf.Tally
	effort     *effort.Meter
	allowance  effort.Allowance
	body       bounds
	grpc       bool     // calls of gRPC may come, and their messages aren't looked at
	answers    *answers // nil: they aren't looked at
	exceptions []exception
	keeper     *samples.Keeper
	policy     id.ID
}

// bounds say which bodies are looked at.
type bounds struct {
	ignore bool
	most   int64 // bytes, without content coding
	pass   bool  // what is beyond, or can't be read, passes
}

// exception keeps rules from something on some paths.
type exception struct {
	on    ruleset.Exception
	skips []waf.Skip
}

func compile(env pipeline.Env, config *policyv1.Waf) (pipeline.Stage, error) {
	rules, err := ruleset.Compose(config)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the field
	}
	tally, err := tallyOf(env.Parts)
	if err != nil {
		return nil, err
	}
	engine, err := engineOf(env, tally, rules)
	if err != nil {
		return nil, err
	}
	watched, err := answersOf(config.GetAnswers())
	if err != nil {
		return nil, err
	}
	body, budget := config.GetRequestBody(), config.GetBudget()
	s := &stage{
		engine: engine, tally: tally, effort: env.Effort, policy: env.PolicyID,
		allowance: effort.Allowance{
			PerAddress:    or(budget.GetPerAddress().AsDuration(), usualAllowance),
			PerCredential: or(budget.GetPerCredential().AsDuration(), usualAllowance),
			Refill:        or(budget.GetRefill().AsDuration(), usualRefill),
		},
		body:       boundsOf(body.GetIgnore(), body.GetMaxBytes(), usualBody, body.GetBeyond() == policyv1.WafBeyond_WAF_BEYOND_PASS),
		grpc:       config.GetProtocol().GetGrpc(),
		answers:    watched,
		exceptions: exceptionsOf(rules),
	}
	if kept := config.GetSamples(); kept != nil {
		s.keeper = env.Samples.Keeper(env.PolicyID, kept.GetOneIn(), kept.GetKeep().AsDuration())
	}
	return s, nil
}

// What holds where a group of settings isn't given at all: its fields then have no defaults filled in.
const (
	usualBody      = 128 << 10
	usualAnswer    = 512 << 10
	usualAllowance = 4 * time.Second
	usualRefill    = 10 * time.Second
)

func boundsOf(ignore bool, most uint64, usual int64, pass bool) bounds {
	return bounds{ignore: ignore, most: or(int64(min(most, 1<<30)), usual), pass: pass}
}

func or[N ~int64](given, usual N) N {
	if given == 0 {
		return usual
	}
	return given
}

func exceptionsOf(rules *ruleset.Rules) []exception {
	var all []exception
	for _, on := range rules.Exceptions() {
		e := exception{on: on}
		for _, target := range on.Targets {
			e.skips = append(e.skips, waf.Skip{Rules: on.Rules, Target: waf.Target{Part: target.Part, Name: target.Name}})
		}
		if len(on.Targets) == 0 {
			e.skips = []waf.Skip{{Rules: on.Rules}}
		}
		all = append(all, e)
	}
	return all
}

// unreadable are the rules that refuse what engines can't read.
var unreadable = waf.Skip{Rules: []int{200002, 200003}}

// begin begins an inspection of a request for a path. What is skipped besides comes first, and isn't written to.
func (s *stage) begin(path string, skipped []waf.Skip) waf.Inspection {
	skipped = skipped[:len(skipped):len(skipped)]
	for i := range s.exceptions {
		if e := &s.exceptions[i]; e.on.Holds(path) {
			skipped = append(skipped, e.skips...)
		}
	}
	if s.body.pass {
		skipped = append(skipped, unreadable)
	}
	return s.engine.Begin(skipped)
}
