package waf

import (
	"embed"
	"errors"
	"fmt"
	"regexp"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// maxFaults is how many faults of one text are told of.
const maxFaults = 20

// checkRaw reads raw SecLang, and has the engine compile what can be read.
func checkRaw(config *policyv1.Waf) []problem.Violation {
	before, after := config.GetSeclangBefore(), config.GetSeclangAfter()
	if before == "" && after == "" {
		return nil
	}
	all := append(faults("/seclang_before", before), faults("/seclang_after", after)...)
	if len(all) > 0 {
		return all
	}
	alone := &policyv1.Waf{SeclangBefore: before}
	if err := compile(alone); err != nil {
		return []problem.Violation{uncompiled("/seclang_before", err)}
	}
	alone.SeclangAfter = after
	if err := compile(alone); err != nil {
		return []problem.Violation{uncompiled("/seclang_after", err)}
	}
	return nil
}

// faults are what a text may not say.
func faults(pointer, text string) []problem.Violation {
	found := ruleset.Check(text)
	var all []problem.Violation
	for i, fault := range found {
		if i == maxFaults {
			all[i-1].Detail += fmt.Sprintf(" (and %d more)", len(found)-maxFaults)
			break
		}
		all = append(all, problem.Violation{Pointer: pointer, Code: problem.ViolationInvalidValue, Detail: fault.Error()})
	}
	return all
}

// compile has the engine compile raw rules without the Core Rule Set, and forgets them. What they say of that is checked already.
func compile(config *policyv1.Waf) (err error) {
	rules, err := ruleset.Compose(config)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the engine can't read it")
		}
	}()
	engine, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(embed.FS{}).WithDirectives(rules.Own()))
	if err != nil {
		return err
	}
	if closer, ok := engine.(experimental.WAFCloser); ok {
		return closer.Close()
	}
	return nil
}

// inner is what the engine says around what is wrong.
var inner = regexp.MustCompile(`^invalid WAF config from string: failed to compile the directive "[a-z]+": `)

func uncompiled(pointer string, err error) problem.Violation {
	return problem.Violation{
		Pointer: pointer, Code: problem.ViolationInvalidValue, Detail: "the engine refuses it: " + inner.ReplaceAllString(err.Error(), ""),
	}
}
