package waf

import (
	"encoding/hex"
	"fmt"
	"runtime"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// Sorts of parts that are kept over revisions.
const (
	sortOfEngines = "waf/engine"
	sortOfTally   = "waf/tally"
)

// shared is an engine that all policies with the same rules have.
type shared struct{ waf.Engine }

// engineOf returns the engine of rules: the one that there is, or a new one.
func engineOf(env pipeline.Env, tally *waf.Tally, rules *ruleset.Rules) (*shared, error) {
	digest := rules.Digest()
	engine, err := pipeline.Part(env.Parts, sortOfEngines, hex.EncodeToString(digest[:]), func() (*shared, error) {
		begun := time.Now()
		made, err := waf.Compile(rules)
		if err != nil {
			return nil, err //nolint:wrapcheck // by engineOf
		}
		tally.Compiled(time.Since(begun))
		engine := &shared{made}
		runtime.AddCleanup(engine, (*waf.Tally).Gone, tally)
		return engine, nil
	})
	if err != nil {
		return nil, fmt.Errorf("make the engine: %w", err)
	}
	return engine, nil
}

// tallyOf returns what counts for all policies of a node.
func tallyOf(parts *pipeline.Parts) (*waf.Tally, error) {
	return pipeline.Part(parts, sortOfTally, "", func() (*waf.Tally, error) { return new(waf.Tally), nil }) //nolint:wrapcheck // it can't fail
}

// CountsOf returns what a node's policies of this kind have counted, for its metrics.
func CountsOf(parts *pipeline.Parts) waf.Counts {
	return pipeline.Find[waf.Tally](parts, sortOfTally, "").Counts()
}
