package waf

// Decision is what an engine says so far.
type Decision struct {
	// Block says that the request, or its answer, is to be refused.
	Block bool
	// Denied is the rule that refuses by itself, whatever the score; 0: none does.
	Denied int
	// Score so far: of the request, once there is an answer of that.
	Score int
	// Threshold is the score from which is refused.
	Threshold int
	// Findings since the decision before. Part isn't masked yet.
	Findings []Finding
}

// Finding is a rule that found something in one place.
type Finding struct {
	Rule    int
	Message string
	Tags    []string
	// Target is where; its Name is the request's own.
	Target Target
	// Part is what matched, its first bytes.
	Part string
	// Score is what it added.
	Score int
}

// Then returns both decisions on one request, or on one answer, as one.
func (d Decision) Then(next Decision) Decision {
	next.Findings = append(d.Findings[:len(d.Findings):len(d.Findings)], next.Findings...)
	next.Score = max(next.Score, d.Score)
	next.Block = next.Block || d.Block
	if next.Denied == 0 {
		next.Denied = d.Denied
	}
	return next
}

// Without returns the decision as it would be without what is excluded. Of a request that a rule refused by itself nobody knows what rules behind that one
// would have found: without it, what was found until then decides. Excluded is asked once of each finding.
func (d Decision) Without(excluded func(Finding) bool) Decision {
	kept := d
	kept.Findings = make([]Finding, 0, len(d.Findings))
	denied := false // by a finding that is kept
	told := false   // there is a finding of the rule that refused
	for _, f := range d.Findings {
		out := excluded(f)
		if f.Rule == d.Denied {
			told = true
			denied = denied || !out
		}
		if out {
			kept.Score -= f.Score
			continue
		}
		kept.Findings = append(kept.Findings, f)
	}
	kept.Score = max(kept.Score, 0)
	if told && !denied {
		kept.Denied = 0
	}
	kept.Block = d.Block && (kept.Denied != 0 || kept.Score >= kept.Threshold)
	return kept
}
