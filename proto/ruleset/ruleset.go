package ruleset

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"strings"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

// Rules are what engines load. They don't change.
type Rules struct {
	sections   []Section
	text       string
	digest     [sha256.Size]byte
	exceptions []Exception
	scores     map[int]int
}

// Section is a part of the rules, in SecLang.
type Section struct {
	Name string
	Text string
}

// longestLine is how long a line of the rules may be. Engines read lines of up to 64 KiB and silently leave out all that is behind a longer one.
const longestLine = 32 << 10

// Compose turns a configuration, its defaults filled in, into rules. An error names the field.
func Compose(config *policyv1.Waf) (*Rules, error) {
	rules := &Rules{scores: map[int]int{}}
	before, err := rules.own("rules_before", config.GetRulesBefore(), firstBefore)
	if err != nil {
		return nil, err
	}
	after, err := rules.own("rules_after", config.GetRulesAfter(), firstAfter)
	if err != nil {
		return nil, err
	}
	var changes changes
	rawBefore, err := raw("seclang_before", config.GetSeclangBefore(), &changes)
	if err != nil {
		return nil, err
	}
	rawAfter, err := raw("seclang_after", config.GetSeclangAfter(), &changes)
	if err != nil {
		return nil, err
	}
	rules.exceptions, err = except(config.GetExceptions(), &changes)
	if err != nil {
		return nil, err
	}
	for _, section := range []Section{
		{"engine", engine},
		{"setup", setup(config)},
		{"rules_before", before},
		{"seclang_before", rawBefore},
		{"core_rules", includes(false)},
		{"rules_after", after},
		{"seclang_after", rawAfter},
		{"evaluation", includes(true)},
		{"exceptions", changes.String()},
	} {
		if section.Text != "" {
			rules.sections = append(rules.sections, section)
		}
	}
	return rules.sealed()
}

// sealed puts the sections together.
func (r *Rules) sealed() (*Rules, error) {
	var text strings.Builder
	for _, section := range r.sections {
		for line := range strings.Lines(section.Text) {
			if len(line) > longestLine {
				return nil, fmt.Errorf("%s: a rule takes more than %d bytes; say it in several", section.Name, longestLine)
			}
		}
		text.WriteString(section.Text)
	}
	r.text = text.String()
	r.digest = sha256.Sum256([]byte(r.text))
	return r, nil
}

// SecLang returns the rules, to be loaded with [Rules.FS].
func (r *Rules) SecLang() string { return r.text }

// Sections returns the parts of the rules in the order in which they are loaded.
func (r *Rules) Sections() []Section { return r.sections }

// Own returns what the policy adds to the Core Rule Set, in SecLang, with the setup that it stands on: it loads without any file.
func (r *Rules) Own() string {
	var text strings.Builder
	for _, section := range r.sections {
		switch section.Name {
		case "core_rules", "evaluation", "exceptions":
		default:
			text.WriteString(section.Text)
		}
	}
	return text.String()
}

// FS returns the files that the rules include: the Core Rule Set's own, and nothing else.
func (*Rules) FS() fs.FS { return coreruleset.FS }

// Digest tells rules apart: the same rules have the same one.
func (r *Rules) Digest() [sha256.Size]byte { return r.digest }

// Exceptions returns those that aren't in the rules: who inspects applies them to each request whose canonical path they hold for.
func (r *Rules) Exceptions() []Exception { return r.exceptions }

// Score returns what a rule of the policy's own adds to the score when it finds something; 0: nothing, or it is none of those.
func (r *Rules) Score(rule int) int { return r.scores[rule] }
