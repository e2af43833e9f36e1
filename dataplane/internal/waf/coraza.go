package waf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"runtime"
	"sync/atomic"

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
}

// engine is Coraza with one set of rules.
type engine struct {
	waf   coraza.WAF
	rules map[int]rule
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

var alive atomic.Int64

// Alive returns how many engines there are in this process.
func Alive() int64 { return alive.Load() }

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
	alive.Add(1)
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
			known[r.ID()] = ruleOf(r)
		}
	})
	made, err := coraza.NewWAF(config.WithRootFS(rules.FS()).WithDirectives(rules.SecLang()))
	return made, known, err //nolint:wrapcheck // by Compile
}

// release gives up an engine's part of the patterns that engines share.
func release(made coraza.WAF) {
	alive.Add(-1)
	if closer, ok := made.(io.Closer); ok {
		_ = closer.Close() // it only drops references
	}
}

// Begin implements Engine.
func (e *engine) Begin(skipped []Skip) Inspection {
	tx, _ := e.waf.NewTransactionWithID(nameless).(transaction) // as Compile has seen
	for i := range skipped {
		leaveOut(tx, &skipped[i])
	}
	return &inspection{engine: e, tx: tx}
}

// leaveOut keeps rules from a target, or from running.
func leaveOut(tx transaction, skip *Skip) {
	if skip.Target.Part == "" {
		for _, rule := range skip.Rules {
			tx.RemoveRuleByID(rule)
		}
		return
	}
	for _, v := range variablesOf(skip.Target) {
		for _, rule := range skip.Rules {
			tx.RemoveRuleTargetByID(rule, v.variable, v.key, nil)
		}
	}
}
