package waf

import (
	"fmt"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says what callers see of the policy.
func access(config *policyv1.Waf, _ policy.Names) []policy.Statement {
	all := []policy.Statement{{
		Part: policy.Demand, Code: "inspected",
		Text: fmt.Sprintf("Requests don't look like attacks: those that score %d or more by the Core Rule Set, at paranoia level %d, are refused.",
			config.GetInboundThreshold(), config.GetParanoiaLevel()),
	}}
	body := config.GetRequestBody()
	switch {
	case body.GetIgnore():
		all = append(all, policy.Statement{Part: policy.Note, Code: "bodies_uninspected", Text: "Bodies aren't inspected."})
	case body.GetBeyond() == policyv1.WafBeyond_WAF_BEYOND_PASS:
		all = append(all, policy.Statement{
			Part: policy.Note, Code: "large_bodies_uninspected", Text: fmt.Sprintf("Bodies of more than %s aren't inspected.", size(mostBytes(body))),
		})
	default:
		all = append(all, policy.Statement{Part: policy.Bound, Code: "body_bytes", Text: fmt.Sprintf("A body has at most %s.", size(mostBytes(body)))})
	}
	if answers := config.GetAnswers(); answers != nil {
		what := "Answers' headers are"
		if answers.GetBodies() {
			what = "Answers are"
		}
		all = append(all, policy.Statement{
			Part: policy.Note, Code: "answers_inspected",
			Text: fmt.Sprintf("%s inspected: those that score %d or more are withheld.", what, config.GetOutboundThreshold()),
		})
	}
	return all
}

// defaultBytes are those of a body that are inspected where nothing is said of bodies.
const defaultBytes = 128 << 10

func mostBytes(body *policyv1.WafBody) uint64 {
	if body == nil || body.MaxBytes == nil {
		return defaultBytes
	}
	return body.GetMaxBytes()
}

// size says a number of bytes.
func size(bytes uint64) string {
	switch {
	case bytes >= 1<<20 && bytes%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", bytes>>20)
	case bytes >= 1<<10 && bytes%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d bytes", bytes)
}
