package callers

import (
	"context"
	"slices"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// count says what becomes of consumers.
func (a *answer) count(ctx context.Context, store Store, environment string) error {
	var looked, admitted, depending, refused uint32
	complete, there := false, Place{Route: a.route.ID, Service: a.route.Service()}
	counted := &adminv1.AccessConsumers{LookedAt: &looked, Complete: &complete, Admitted: &admitted, Depending: &depending, Refused: &refused}
	a.made.Consumers = counted
	for after := ""; looked < maxLooked && !complete; {
		found, err := store.Callers(ctx, environment, there, after, page)
		if err != nil {
			return err
		}
		for i := range found {
			shown, verdict := a.judge(&found[i])
			switch verdict {
			case policy.Admits:
				admitted++
			case policy.Depends:
				depending++
			case policy.Never:
				refused++
			}
			if verdict != policy.Never && len(counted.GetData()) < maxListed {
				counted.Data = append(counted.Data, shown)
			}
		}
		looked += uint32(len(found))
		if complete = len(found) < page; !complete {
			after = found[len(found)-1].Name
		}
	}
	return nil
}

// judge says of which methods a consumer's requests pass.
func (a *answer) judge(c *Consumer) (*adminv1.AccessConsumer, policy.Admission) {
	shown := &adminv1.AccessConsumer{Id: c.ID, Name: c.Name}
	best := policy.Never
	if c.Out {
		return shown, best
	}
	effective := a.effective
	if _, own := slices.BinarySearch(a.overlaid, c.ID); own {
		effective = a.head.EffectiveFor(a.route, c.ID)
	}
	for _, method := range a.made.GetMethods() {
		verdict := a.ofMethod(effective, c, method)
		best = max(best, verdict)
		switch verdict {
		case policy.Admits:
			shown.Methods = append(shown.Methods, method)
		case policy.Depends:
			shown.Depending = append(shown.Depending, method)
		case policy.Never:
		}
	}
	shown.Verdict = best.String()
	return shown, best
}

// ofMethod is the best that any credential of a consumer gets, or none at all if it is a guest. Whether it has one that isn't a key nobody knows.
func (a *answer) ofMethod(effective []catalog.Applied, c *Consumer, method string) policy.Admission {
	best := policy.Never
	caller := policy.Caller{Consumer: c.ID, Labels: c.Labels, Method: method}
	if a.keys {
		for _, scopes := range c.Keys {
			caller.Scopes = scopes
			best = max(best, a.admits(effective, caller))
		}
	}
	if slices.Contains(a.guests, c.ID) {
		caller.Scopes, caller.Guest = nil, true
		best = max(best, a.admits(effective, caller))
		caller.Guest = false
	}
	if a.others {
		caller.Scopes, caller.Token = nil, true
		best = max(best, min(policy.Depends, a.admits(effective, caller)))
	}
	return best
}

// admits is the least that any enforced policy makes of a caller.
func (a *answer) admits(effective []catalog.Applied, caller policy.Caller) policy.Admission {
	least := policy.Admits
	for i := range effective {
		if effective[i].Enforced() {
			least = min(least, a.judgeOf(&effective[i])(caller))
		}
	}
	return least
}

// judgeOf returns what a policy judges callers by, made once.
func (a *answer) judgeOf(applied *catalog.Applied) func(policy.Caller) policy.Admission {
	judge, made := a.judges[applied.Object]
	if !made {
		judge = applied.Kind.Admits(applied.Config)
		a.judges[applied.Object] = judge
	}
	return judge
}
