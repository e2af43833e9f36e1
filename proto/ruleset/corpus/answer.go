package corpus

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

// Answer is what a service answers.
type Answer struct {
	Status int
	Type   string // media type
	Body   []byte
}

// Answer returns what the service behind the regression tests answers a request: at /reflect what the request's body says, else nothing.
func (t *Test) Answer() Answer { return AnswerTo(t.Request.Path(), t.Request.Body) }

// AnswerTo is Answer for a request that has come over a wire.
func AnswerTo(path string, body []byte) Answer {
	if path != "/reflect" {
		return Answer{Status: 200, Type: "text/plain"}
	}
	var said struct{ Body string }
	if err := json.Unmarshal(body, &said); err != nil {
		return Answer{Status: 400, Type: "text/plain", Body: []byte("no JSON")}
	}
	media := "text/plain"
	if strings.HasPrefix(strings.TrimSpace(said.Body), "<") {
		media = "text/html"
	}
	return Answer{Status: 200, Type: media, Body: []byte(said.Body)}
}

// Judge says what is wrong with the rules that found something in a test's request and answer, and with the scores; "": nothing. A rule that adds up is taken to have found
// something once the score is at its usual threshold, and a line of the log to have been written once the rule that writes it has.
func (t *Test) Judge(found []int, inbound, outbound int) string {
	has := func(rule int) bool {
		switch rule {
		case requestScore:
			return inbound >= usualInbound
		case answerScore:
			return outbound >= usualOutbound
		}
		return slices.Contains(found, rule)
	}
	for _, rule := range t.Finds {
		if !has(rule) {
			return fmt.Sprintf("rule %d finds nothing", rule)
		}
	}
	for _, rule := range t.Spares {
		if has(rule) {
			return fmt.Sprintf("rule %d finds something", rule)
		}
	}
	logged := has(t.Rule) || slices.Contains(found, unreadable)
	switch {
	case t.Logged != "" && !logged:
		return fmt.Sprintf("rule %d logs nothing", t.Rule)
	case t.NotLogged != "" && logged:
		return fmt.Sprintf("rule %d logs something", t.Rule)
	}
	return ""
}

// Rules that add up what others found, their usual thresholds, and the rule that refuses what can't be read.
const (
	requestScore, usualInbound = 949110, 5
	answerScore, usualOutbound = 959100, 4
	unreadable                 = 200002
)

// StatusOnly tells whether the test is about the status of a web server's own answer alone, and so about no rule.
func (t *Test) StatusOnly() bool {
	return len(t.Finds)+len(t.Spares) == 0 && t.Logged == "" && t.NotLogged == ""
}

// Presumed is the policy that the regression tests presume: the highest level, bounds on arguments and files, the Core Rule Set's own ideas of methods and media
// types, and answers inspected whole. Its thresholds are out of reach.
func Presumed() *policyv1.Waf {
	level, unreachable, arguments := uint32(4), uint32(1000), uint32(255)
	return &policyv1.Waf{
		ParanoiaLevel: &level, InboundThreshold: &unreachable, OutboundThreshold: &unreachable,
		Answers:       &policyv1.WafAnswers{Bodies: true},
		SeclangBefore: presumedSetup,
		Protocol: &policyv1.WafProtocol{
			MaxArguments: &arguments,
			Methods:      []string{"GET", "HEAD", "POST", "OPTIONS"},
			ContentTypes: []string{
				"application/x-www-form-urlencoded", "multipart/form-data", "text/xml", "application/xml", "application/soap+xml", "application/json",
			},
		},
	}
}

const presumedSetup = `SecAction "id:100,phase:1,pass,t:none,nolog,setvar:'tx.crs_validate_utf8_encoding=1',setvar:'tx.arg_name_length=100',` +
	`setvar:'tx.arg_length=400',setvar:'tx.total_arg_length=64000',setvar:'tx.max_file_size=64100',setvar:'tx.combined_file_sizes=65535'"
`
