package acl

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// rules are a list of rules, by method.
type rules struct {
	byMethod map[string][]*rule // those of a method and of every one, for methods that some rule names
	others   []*rule            // those of every method
}

// rule is a condition on the caller: all that is given must hold.
type rule struct {
	consumers map[id.ID]struct{} // nil: any
	labels    []label
	anyScope  []string
	allScopes []string
}

// label is one label that a consumer must have.
type label struct {
	key    string
	values []string
}

var errNobody = errors.New("says of nobody whom it is about")

func newRules(configs []*policyv1.AclRule) (rules, error) {
	r := rules{byMethod: map[string][]*rule{}}
	made := make([]*rule, len(configs))
	for i, config := range configs {
		var err error
		if made[i], err = newRule(config); err != nil {
			return rules{}, fmt.Errorf("[%d]: %w", i, err)
		}
		if len(config.GetMethods()) == 0 {
			r.others = append(r.others, made[i])
		}
		for _, method := range config.GetMethods() {
			r.byMethod[method] = nil
		}
	}
	for method := range r.byMethod {
		for i, config := range configs {
			if len(config.GetMethods()) == 0 || slices.Contains(config.GetMethods(), method) {
				r.byMethod[method] = append(r.byMethod[method], made[i])
			}
		}
	}
	return r, nil
}

func newRule(config *policyv1.AclRule) (*rule, error) {
	r := &rule{anyScope: config.GetAnyScope(), allScopes: config.GetAllScopes()}
	for i, text := range config.GetConsumers() {
		consumer, err := id.Parse(id.Consumer, text)
		if err != nil {
			return nil, fmt.Errorf("consumers[%d]: %w", i, err)
		}
		if r.consumers == nil {
			r.consumers = make(map[id.ID]struct{}, len(config.GetConsumers()))
		}
		r.consumers[consumer] = struct{}{}
	}
	for _, l := range config.GetLabels() {
		r.labels = append(r.labels, label{key: l.GetKey(), values: l.GetValues()})
	}
	if !config.GetEveryConsumer() && r.consumers == nil && len(r.labels) == 0 && len(r.anyScope) == 0 && len(r.allScopes) == 0 {
		return nil, errNobody
	}
	return r, nil
}

// of returns the rules that speak of a method.
func (r *rules) of(method string) []*rule {
	if list, named := r.byMethod[method]; named {
		return list
	}
	return r.others
}

func (r *rules) match(who *pipeline.Identity, method string) bool {
	return anyMatches(r.of(method), who)
}

func anyMatches(list []*rule, who *pipeline.Identity) bool {
	return slices.ContainsFunc(list, func(r *rule) bool { return r.matches(who) })
}

func (r *rule) matches(who *pipeline.Identity) bool {
	if r.consumers != nil {
		if _, listed := r.consumers[who.Consumer.ID]; !listed {
			return false
		}
	}
	for i := range r.labels {
		value, has := who.Consumer.Labels()[r.labels[i].key]
		if !has || !slices.Contains(r.labels[i].values, value) {
			return false
		}
	}
	return hasAny(who.Scopes, r.anyScope) && hasAll(who.Scopes, r.allScopes)
}

func hasAny(scopes directory.ScopeSet, wanted []string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, scopes.Has)
}

func hasAll(scopes directory.ScopeSet, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(scope string) bool { return !scopes.Has(scope) })
}
