package pipeline

import "github.com/sallyport/sallyport/proto/id"

// MaxFindings is how many findings an exchange keeps; what is found beyond them still counts where it was found.
const MaxFindings = 16

// Finding is one thing that an inspecting stage found in the request or its answer. It is for operators. Its texts are its own: they share nothing with the
// exchange, and hold no value of the request but Part.
type Finding struct {
	// Policy that found it.
	Policy id.ID
	// Rule by number or name: "942100", "max_depth".
	Rule string
	// Message is what the rule says.
	Message string
	// Target is where: "argument:comment", "header:User-Agent", "/items/0/price".
	Target string
	// Part is what matched, masked so that its structure alone is told.
	Part string
	// Score is what it added.
	Score uint32
	// InAnswer says that it was found in the answer.
	InAnswer bool
	// Exclusion in shadow that would have kept the rule from it; zero: none would have.
	Exclusion id.ID
}

// Found notes what an inspecting stage found, as far as there is room. Findings of stages in shadow are noted too.
func (ex *Exchange) Found(f Finding) {
	if len(ex.Findings) < MaxFindings {
		ex.Findings = append(ex.Findings, f)
	}
}
