package waf

import (
	"regexp"
	"strings"

	"github.com/corazawaf/coraza/v3/types/variables"

	"github.com/sallyport/sallyport/proto/ruleset"
)

// others are parts of an exchange that policies have no name for: nothing is kept from them but a whole rule.
var others = map[string]string{
	"ARGS_PATH": "argument", "REQUEST_XML": "body", "REQUEST_METHOD": "method", "REQUEST_PROTOCOL": "protocol", "REMOTE_ADDR": "address", "MULTIPART_FILENAME": "body",
	"RESPONSE_BODY": "answer-body", "RESPONSE_STATUS": "answer-status", "RESPONSE_HEADERS": "answer-header",
}

// unnamed are parts without parts of their own, whatever the engine calls them.
var unnamed = map[string]bool{"body": true, "path": true, "query": true}

// targetOf returns the part of the exchange that a variable of the engine's is; one without Part: it is none.
func targetOf(variable, key string) Target {
	if variable == "MATCHED_VARS" || variable == "MATCHED_VARS_NAMES" { // of a condition before: "ARGS:comment"
		variable, key, _ = strings.Cut(key, ":")
	}
	t := Target{Part: ruleset.PartOf(variable)}
	if t.Part == "" {
		t.Part = others[variable]
	}
	if t.Part != "" && !unnamed[t.Part] {
		t.Name = strings.Clone(key)
	}
	return t
}

// chosen is a variable of the engine's, of which a key, or those that a pattern matches, is meant; neither: all.
type chosen struct {
	variable variables.RuleVariable
	key      string
	keys     *regexp.Regexp
}

// variablesOf returns those that a part of a request is spread over.
func variablesOf(t Target) []chosen {
	var all []chosen
	for _, text := range ruleset.Variables(t.Part, t.Name) {
		name, key, _ := strings.Cut(text, ":")
		variable, err := variables.Parse(name)
		if err != nil {
			continue // this Coraza has no such variable, and no rule looks at it
		}
		c := chosen{variable: variable, key: key}
		if pattern, ok := strings.CutPrefix(key, "/"); ok {
			c.key = ""
			if c.keys, err = regexp.Compile(strings.TrimSuffix(pattern, "/")); err != nil {
				continue // rules look at it still
			}
		}
		all = append(all, c)
	}
	return all
}
