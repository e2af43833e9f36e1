package trial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/attacks"
	"github.com/sallyport/sallyport/dataplane/internal/exclusions"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/samples"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource"
)

const (
	// Within bounds a trial. The control plane waits a little longer.
	Within = 4 * time.Second
	// maxExclusions bounds how many are tried together.
	maxExclusions = 16
	// maxOpened bounds how many attacks are told of that would pass.
	maxOpened = 20
	// maxShown bounds what of an attack's payload is told, in bytes.
	maxShown = 200
)

// Inspector is a stage that can say what it would decide about a request that nobody sent. It meters and notes nothing.
type Inspector interface {
	// Inspect inspects a request whose body, nil without one, is whole. Its rules don't look at what is skipped.
	Inspect(head *waf.Head, body []byte, skipped []waf.Skip) waf.Decision
}

// Config is what a Tester works with.
type Config struct {
	// Snapshots holds the configuration in force.
	Snapshots *snapshot.Holder
	// Samples are tried; nil: the node keeps none.
	Samples *samples.Ring
	// Clock tells what is excluded now.
	Clock func() time.Time
	// Within bounds a trial; 0: [Within].
	Within time.Duration
}

// Tester tries exclusions, one at a time. It is safe for concurrent use.
type Tester struct {
	config Config
	turn   chan struct{}
}

// New returns a tester.
func New(config Config) *Tester {
	if config.Within == 0 {
		config.Within = Within
	}
	return &Tester{config: config, turn: make(chan struct{}, 1)}
}

// ErrQuestion is returned for exclusions that can't be tried.
var ErrQuestion = errors.New("exclusions that can't be tried")

var (
	errBusy  = errors.New("another exclusion is being tried; try again in a few seconds")
	errCount = fmt.Errorf("%w: between 1 and %d of them, all on one route", ErrQuestion, maxExclusions)
	errRoute = fmt.Errorf("%w: the node serves no such route (yet)", ErrQuestion)
)

// Try tells what exclusions would open. An error wraps ErrQuestion when the question is at fault.
func (t *Tester) Try(ctx context.Context, q *edgev1.TryExclusionQuestion) (*edgev1.ExclusionTrial, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	default:
		return nil, errBusy
	}
	tried, err := exclusionsOf(q)
	if err != nil {
		return nil, err
	}
	current := t.config.Snapshots.Load()
	if current == nil {
		return nil, errRoute
	}
	route, ok := current.RouteByID(tried[0].Route)
	if !ok {
		return nil, errRoute
	}
	ctx, cancel := context.WithTimeout(ctx, t.config.Within)
	defer cancel()
	r := &run{ctx: ctx, answer: &edgev1.ExclusionTrial{Revision: current.Revision}, place: placeOf(route)}
	policy, inspector := inspectorOf(route.Route)
	if inspector == nil {
		return r.answer, nil
	}
	r.inspector, r.answer.Policy = inspector, id.Text(id.Policy, policy.ID)
	r.before = current.Exclusions().On(tried[0].Route).Skipped(t.config.Clock())
	r.after = slices.Clip(r.before)
	for _, e := range tried {
		r.after = append(r.after, e.Skip)
	}
	// Attacks first, for at most half of the time: what they say holds for the route whoever calls it.
	r.tryAttacks(tried, time.Now().Add(t.config.Within/2))
	r.trySamples(t.config.Samples, tried[0].Route, policy.ID)
	return r.answer, nil
}

// exclusionsOf reads the question. All exclusions are on one route.
func exclusionsOf(q *edgev1.TryExclusionQuestion) ([]*exclusions.Exclusion, error) {
	if n := len(q.GetExclusions()); n == 0 || n > maxExclusions {
		return nil, errCount
	}
	var all []*exclusions.Exclusion
	for i, text := range q.GetExclusions() {
		m := new(configv1.WafExclusion)
		if err := proto.Unmarshal(text, m); err != nil {
			return nil, fmt.Errorf("%w: [%d]: %w", ErrQuestion, i, err)
		}
		e, err := exclusions.New(id.ID{}, resource.Defaulted(m))
		if err != nil {
			return nil, fmt.Errorf("%w: [%d]: %w", ErrQuestion, i, err)
		}
		if all = append(all, e); e.Route != all[0].Route {
			return nil, errCount
		}
	}
	return all, nil
}

// inspectorOf returns the WAF of a route; nil: it has none.
func inspectorOf(route *snapshot.Route) (*pipeline.Policy, Inspector) {
	for _, p := range route.Stages.Policies() {
		if inspector, ok := p.Stage.(Inspector); ok {
			return p, inspector
		}
	}
	return nil, nil
}

// run is one trial.
type run struct {
	ctx           context.Context //nolint:containedctx // a run is a call
	inspector     Inspector
	before, after []waf.Skip
	place         place
	answer        *edgev1.ExclusionTrial
}

// opens tells whether a request is refused now, and would pass.
func (r *run) opens(head *waf.Head, body []byte) (refused, opened bool) {
	if !r.refuses(head, body, r.before) {
		return false, false
	}
	return true, !r.refuses(head, body, r.after)
}

// refuses inspects, and then rests as long as that took: a trial takes half of one processor at most.
func (r *run) refuses(head *waf.Head, body []byte, skipped []waf.Skip) bool {
	begun := time.Now()
	blocked := r.inspector.Inspect(head, body, skipped).Block
	rest := time.NewTimer(time.Since(begun))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-r.ctx.Done():
	}
	return blocked
}

// tryAttacks tries the attacks of the rules that exclusions keep, in the exclusions' targets.
func (r *run) tryAttacks(tried []*exclusions.Exclusion, until time.Time) {
	seen := make(map[string]bool)
	for _, e := range tried {
		for _, rule := range e.Skip.Rules {
			known, err := attacks.Of(rule)
			if err != nil {
				r.answer.CutShort = true
				return
			}
			for _, a := range known {
				if key := e.Skip.Target.Part + ":" + e.Skip.Target.Name + "\x00" + a.Payload; seen[key] {
					continue
				} else if seen[key] = true; r.ctx.Err() != nil || time.Now().After(until) {
					r.answer.CutShort = true
					return
				}
				r.tryAttack(a, e.Skip.Target)
			}
		}
	}
}

// tryAttack tries one attack everywhere where the target may be. It opens if it does anywhere.
func (r *run) tryAttack(a attacks.Attack, target waf.Target) {
	var tried, refused, opened bool
	for _, p := range r.place.placements(target, a.Payload) {
		tried = true
		blocked, opens := r.opens(p.head, p.body)
		refused, opened = refused || blocked, opened || opens
	}
	r.answer.Attacks += count(tried)
	r.answer.AttacksRefused += count(refused)
	r.answer.AttacksOpened += count(opened)
	if opened && len(r.answer.Opened) < maxOpened {
		r.answer.Opened = append(r.answer.Opened, &edgev1.OpenedAttack{Test: a.Test, Title: shown(a.Title), Payload: shown(a.Payload)})
	}
}

// trySamples tries what really came.
func (r *run) trySamples(ring *samples.Ring, route, policy id.ID) {
	for taken := range ring.Of(route, policy) {
		if r.ctx.Err() != nil {
			r.answer.CutShort = true
			return
		}
		refused, opened := r.opens(waf.HeadOf(&taken.Sample), taken.Sample.Body)
		r.answer.Samples++
		r.answer.SamplesRefused += count(refused)
		r.answer.SamplesOpened += count(opened)
		if at := taken.At.UnixMilli(); r.answer.SamplesSinceMs == 0 || at < r.answer.SamplesSinceMs {
			r.answer.SamplesSinceMs = at
		}
	}
}

func count(is bool) uint32 {
	if is {
		return 1
	}
	return 0
}
