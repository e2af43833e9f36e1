package waf

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/types"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// nameless is the id of all transactions: nothing that we keep says it.
const nameless = "-"

// inspection is a transaction of Coraza's.
type inspection struct {
	engine *engine
	tx     transaction
	told   int // rules that matched and were told of
	// answer says that the answer is looked at.
	answer bool
}

// Head implements Inspection.
func (in *inspection) Head(head *Head) Decision {
	tx := in.tx
	tx.ProcessConnection(head.Client.String(), 0, "", 0)
	tx.ProcessURI(target(head), head.Method, head.Proto)
	fields := head.Header.Fields()
	for i := range fields {
		if hides(head, &fields[i]) {
			continue
		}
		tx.AddRequestHeader(fields[i].Name, fields[i].Value)
	}
	if head.Host != "" {
		tx.AddRequestHeader(hostName, head.Host)
		tx.SetServerName(head.Host)
	}
	return in.decide(tx.ProcessRequestHeaders())
}

const (
	hostName        = "Host"
	contentEncoding = "Content-Encoding"
	expectName      = "Expect"
	goOn            = "100-continue"
)

// hides tells which fields of a request rules don't see: those that speak of what was done already. Host is told apart from the others.
func hides(head *Head, f *pipeline.Field) bool {
	switch {
	case pipeline.EqualFold(f.Name, contentEncoding):
		return head.Decoded
	case pipeline.EqualFold(f.Name, expectName): // the gateway itself answers it, and no service gets it: rules would refuse whoever asks first
		return pipeline.EqualFold(f.Value, goOn)
	}
	return pipeline.EqualFold(f.Name, hostName)
}

// target is what the request line asks for, as sent.
func target(head *Head) string {
	if head.Query == "" {
		return head.Path
	}
	return head.Path + "?" + head.Query
}

// Body implements Inspection.
func (in *inspection) Body(body []byte) Decision {
	if len(body) > 0 {
		stop, _, err := in.tx.WriteRequestBody(body)
		if err != nil {
			panic(fmt.Errorf("hand over the body: %w", err))
		}
		if stop != nil {
			return in.decide(stop)
		}
	}
	stop, err := in.tx.ProcessRequestBody()
	if err != nil {
		panic(fmt.Errorf("inspect the body: %w", err))
	}
	return in.decide(stop)
}

// AnswerHead implements Inspection.
func (in *inspection) AnswerHead(head *AnswerHead) Decision {
	in.answer = true
	fields := head.Header.Fields()
	for i := range fields {
		if head.Decoded && pipeline.EqualFold(fields[i].Name, contentEncoding) {
			continue
		}
		in.tx.AddResponseHeader(fields[i].Name, fields[i].Value)
	}
	return in.decide(in.tx.ProcessResponseHeaders(head.Status, head.Proto))
}

// AnswerBody implements Inspection.
func (in *inspection) AnswerBody(body []byte) Decision {
	if len(body) > 0 {
		stop, _, err := in.tx.WriteResponseBody(body)
		if err != nil {
			panic(fmt.Errorf("hand over the answer: %w", err))
		}
		if stop != nil {
			return in.decide(stop)
		}
	}
	stop, err := in.tx.ProcessResponseBody()
	if err != nil {
		panic(fmt.Errorf("inspect the answer: %w", err))
	}
	return in.decide(stop)
}

// Close implements Inspection.
func (in *inspection) Close() {
	if in.tx == nil {
		return
	}
	tx := in.tx
	in.tx = nil
	_ = tx.Close() // what can't be removed is a file, and there is none
}

// decide tells what the rules have said since it was asked last.
func (in *inspection) decide(stop *types.Interruption) Decision {
	d := Decision{Block: stop != nil, Findings: in.findings(stop)}
	score, threshold := "blocking_inbound_anomaly_score", "inbound_anomaly_score_threshold"
	if in.answer {
		score, threshold = "blocking_outbound_anomaly_score", "outbound_anomaly_score_threshold"
	}
	d.Score, d.Threshold = in.number(score), in.number(threshold)
	if stop != nil && !byScore(stop.RuleID) {
		d.Denied = stop.RuleID
		if stop.RuleID == 0 { // Coraza's own bound, which ours keep from being reached
			d.Denied = unreadable
		}
	}
	if stop != nil && d.Denied != 0 || d.Score == 0 { // the sum isn't made yet
		d.Score = max(d.Score, in.sum())
	}
	return d
}

// sum adds up the scores of the levels, as the rules do at the end.
func (in *inspection) sum() int {
	of := "inbound"
	if in.answer {
		of = "outbound"
	}
	total := 0
	for level := range 4 {
		total += in.number(of + "_anomaly_score_pl" + strconv.Itoa(level+1))
	}
	return total
}

// number reads a variable of the rules' own; 0: it has none.
func (in *inspection) number(name string) int {
	values := in.tx.Variables().TX().Get(name)
	if len(values) == 0 {
		return 0
	}
	return number(strings.TrimSpace(values[0]))
}

// number reads a decimal number; 0: it is none.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// unreadable is the rule that refuses what can't be read.
const unreadable = 200002

// byScore tells whether a rule refuses for what others have added up.
func byScore(rule int) bool {
	switch rule {
	case 949110, 949111, 959100, 959101:
		return true
	}
	return false
}
