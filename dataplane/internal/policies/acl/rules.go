package acl

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/path"
	contract "github.com/sallyport/sallyport/proto/policy/acl"
)

// rules are a list of rules, by method.
type rules struct {
	byMethod map[string][]*rule // those of a method and of every one, for methods that some rule names
	others   []*rule            // those of every method
}

// rule is a condition on the caller: all that is given must hold.
type rule struct {
	paths     []path.Template    // that it speaks of; none: every path
	consumers map[id.ID]struct{} // nil: any
	labels    []label
	scopes    held
	roles     *roles // nil: whatever they are
	claims    []claim
	doubt     bool // what it says of a claim that can't be read: a deny rule matches then
}

// label is one label that a consumer must have.
type label struct {
	key    string
	values []string
}

// held are scopes or roles that callers must have, and must not.
type held struct{ some, all, none []string }

func (h held) empty() bool { return len(h.some)+len(h.all)+len(h.none) == 0 }

var errNobody = errors.New("says of nobody whom it is about")

// compiler makes the rules of one list.
type compiler struct {
	roleClaims []string
	doubt      bool
}

func (c compiler) rules(configs []*policyv1.AclRule) (rules, error) {
	r := rules{byMethod: map[string][]*rule{}}
	made := make([]*rule, len(configs))
	for i, config := range configs {
		var err error
		if made[i], err = c.rule(config); err != nil {
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

func (c compiler) rule(config *policyv1.AclRule) (*rule, error) {
	if !contract.SaysWho(config) {
		return nil, errNobody
	}
	wanted, err := newRoles(c.roleClaims, held{config.GetAnyRole(), config.GetAllRoles(), config.GetNoRole()})
	if err != nil {
		return nil, err
	}
	r := &rule{scopes: held{config.GetAnyScope(), config.GetAllScopes(), config.GetNoScope()}, roles: wanted, doubt: c.doubt}
	for i, text := range config.GetPaths() {
		template, err := path.ParseTemplate(text)
		if err != nil {
			return nil, fmt.Errorf("paths[%d]: %w", i, err)
		}
		r.paths = append(r.paths, template)
	}
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
	for i, m := range config.GetClaims() {
		made, err := newClaim(m)
		if err != nil {
			return nil, fmt.Errorf("claims[%d]: %w", i, err)
		}
		r.claims = append(r.claims, made)
	}
	return r, nil
}

// of returns the rules that speak of a method, on some path.
func (r *rules) of(method string) []*rule {
	if list, named := r.byMethod[method]; named {
		return list
	}
	return r.others
}

// match tells whether some rule speaks of a request, and whether one that does matches its caller.
func (r *rules) match(who *pipeline.Identity, request *pipeline.Request) (spoken, matched bool) {
	for _, rule := range r.of(request.Method) {
		if !rule.speaksOf(request.Path) {
			continue
		}
		if rule.matches(who) {
			return true, true
		}
		spoken = true
	}
	return spoken, false
}

func (r *rule) speaksOf(path string) bool {
	if len(r.paths) == 0 {
		return true
	}
	for i := range r.paths {
		if r.paths[i].Fits(path) {
			return true
		}
	}
	return false
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
	return r.scopes.allow(who.Scopes) && r.told(who)
}

// told tells whether what the caller's token says is as the rule has it. What can't be read is in doubt, and so never opens anything.
func (r *rule) told(who *pipeline.Identity) bool {
	if r.roles != nil {
		if held := r.roles.of(who.Claims); held == no || held == unclear && !r.doubt {
			return false
		}
	}
	for i := range r.claims {
		if holds := r.claims[i].of(who.Claims); holds == no || holds == unclear && !r.doubt {
			return false
		}
	}
	return true
}

// allow tells whether a credential's scopes are as they must be.
func (h *held) allow(scopes directory.ScopeSet) bool {
	return (len(h.some) == 0 || slices.ContainsFunc(h.some, scopes.Has)) &&
		!slices.ContainsFunc(h.all, func(scope string) bool { return !scopes.Has(scope) }) &&
		!slices.ContainsFunc(h.none, scopes.Has)
}
