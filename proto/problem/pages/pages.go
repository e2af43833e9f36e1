// Package pages explains each problem: what it means for who met it, for who operates the gateway, and what mends it.
//
// It owns one page per code, a Markdown file of this folder, which the problem's type leads to. It doesn't own the codes
// (package problem), and repeats of their definitions only what a reader of the page wants to see on it.
package pages

import (
	"embed"
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/proto/problem"
)

//go:embed *.md
var files embed.FS

// Page is what is to be known about one problem. Texts are Markdown.
type Page struct {
	problem.Definition
	Caller   string // what it means for who sent the request
	Operator string // what it means for who runs the gateway, or writes its configuration
	Mend     string // what mends it
}

// Of returns the page of a code; false when the product has no such code.
func Of(code problem.Code) (Page, bool) {
	definition, ok := problem.Lookup(code)
	if !ok {
		return Page{}, false
	}
	text, err := files.ReadFile(string(code) + ".md")
	if err != nil {
		return Page{}, false
	}
	page, err := parse(definition, string(text))
	return page, err == nil
}

// The sections of a page, in their order.
const (
	callerHeading   = "\n## For the caller\n\n"
	operatorHeading = "\n## For the operator\n\n"
	mendHeading     = "\n## How to mend it\n\n"
)

// parse reads a page, which must say of its problem what the definition says.
func parse(definition problem.Definition, text string) (Page, error) {
	page := Page{Definition: definition}
	rest, ok := strings.CutPrefix(text, opening(definition))
	if !ok {
		return page, fmt.Errorf("the page of %s must begin with\n%s", definition.Code, opening(definition))
	}
	if rest, ok = strings.CutPrefix(rest, callerHeading); !ok {
		return page, fmt.Errorf("the page of %s: %q must follow the description", definition.Code, strings.TrimSpace(callerHeading))
	}
	if page.Caller, rest, ok = strings.Cut(rest, operatorHeading); !ok {
		return page, fmt.Errorf("the page of %s has no section %q", definition.Code, strings.TrimSpace(operatorHeading))
	}
	if page.Operator, page.Mend, ok = strings.Cut(rest, mendHeading); !ok {
		return page, fmt.Errorf("the page of %s has no section %q", definition.Code, strings.TrimSpace(mendHeading))
	}
	page.Caller, page.Operator, page.Mend = strings.TrimSpace(page.Caller), strings.TrimSpace(page.Operator), strings.TrimSpace(page.Mend)
	if page.Caller == "" || page.Operator == "" || page.Mend == "" {
		return page, fmt.Errorf("a section of the page of %s is empty", definition.Code)
	}
	return page, nil
}

// opening is how the page of a definition begins.
func opening(d problem.Definition) string {
	return fmt.Sprintf("# %s\n\n%#q, status %d\n\n%s\n", d.Title, d.Code, d.Status, d.Description)
}
