package waf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"runtime"
	"sync"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
	"github.com/corazawaf/coraza/v3/types/variables"
)

// source is what an engine is made from: proto/ruleset's Rules.
type source interface {
	SecLang() string
	FS() fs.FS
	// Score returns what a rule of the policy's own adds.
	Score(rule int) int
}

// engine is Coraza with one set of rules.
type engine struct {
	waf    coraza.WAF
	rules  map[int]rule
	chosen sync.Map // Target → []chosen; of exclusions and exceptions, which are few
}

// transaction is what Coraza's own transactions can do beside their interface. It is what keeps one request's rules from something, without an engine of its own.
type transaction interface {
	types.Transaction
	Variables() plugintypes.TransactionVariables
	RemoveRuleByID(id int)
	RemoveRuleTargetByID(id int, variable variables.RuleVariable, key string, keys *regexp.Regexp)
}

// errForeign says that another version of Coraza doesn't keep what we rely on.
var errForeign = errors.New("transactions of this Coraza can't leave out single rules: the version that go.mod names can")

// Compile makes an engine of rules. It takes a quarter of a second for the first one, and what it costs is the caller's to share (see Digest).
func Compile(rules source) (Engine, error) {
	made, known, err := load(rules)
	if err != nil {
		return nil, fmt.Errorf("load the rules: %w", err)
	}
	probe := made.NewTransactionWithID(nameless)
	_, ours := probe.(transaction)
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("close a transaction: %w", err)
	}
	if !ours {
		return nil, errForeign
	}
	e := &engine{waf: made, rules: known}
	runtime.AddCleanup(e, release, made)
	return e, nil
}

// load is where all memory of engines is allocated, by which Memory knows it.
//
//go:noinline
func load(rules source) (coraza.WAF, map[int]rule, error) {
	known := make(map[int]rule)
	config := experimental.WAFConfigWithRuleObserver(coraza.NewWAFConfig(), func(r types.RuleMetadata) {
		if r.ID() != 0 { // a link of a chain, a marker
			known[r.ID()] = ruleOf(r, rules)
		}
	})
	made, err := coraza.NewWAF(config.WithRootFS(rules.FS()).WithDirectives(rules.SecLang()))
	return made, known, err //nolint:wrapcheck // by Compile
}

// release gives up an engine's part of the patterns that engines share.
func release(made coraza.WAF) {
	if closer, ok := made.(io.Closer); ok {
		_ = closer.Close() // it only drops references
	}
}

// Begin implements Engine.
func (e *engine) Begin(skipped []Skip) Inspection {
	tx, _ := e.waf.NewTransactionWithID(nameless).(transaction) // as Compile has seen
	for i := range skipped {
		e.leaveOut(tx, &skipped[i])
	}
	return &inspection{engine: e, tx: tx}
}

// leaveOut keeps rules from a target, or from running.
func (e *engine) leaveOut(tx transaction, skip *Skip) {
	if skip.Target.Part == "" {
		for _, rule := range skip.Rules {
			tx.RemoveRuleByID(rule)
		}
		return
	}
	for _, v := range e.chosenBy(skip.Target) {
		for _, rule := range skip.Rules {
			tx.RemoveRuleTargetByID(rule, v.variable, v.key, v.keys)
		}
	}
}

// chosenBy returns the variables that a target is spread over, made once.
func (e *engine) chosenBy(t Target) []chosen {
	if made, ok := e.chosen.Load(t); ok {
		all, _ := made.([]chosen)
		return all
	}
	all := variablesOf(t)
	e.chosen.Store(t, all)
	return all
}
