package differential

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"slices"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	"github.com/sallyport/sallyport/proto/ruleset/corpus"
)

// Verdict is what an engine says of a request.
type Verdict struct {
	// Request by name.
	Request string `json:"request"`
	// Block says that it is refused, Denied by which rule alone; 0: by the score, or not at all.
	Block  bool `json:"block"`
	Denied int  `json:"denied,omitempty"`
	// Score is the request's.
	Score int `json:"score"`
	// Rules that found something, in order, each once.
	Rules []int `json:"rules"`
}

// client is where the corpus comes from (RFC 5737).
var client = netip.MustParseAddr("192.0.2.1")

// Judge asks an engine about a request.
func Judge(engine waf.Engine, request *corpus.Request) Verdict {
	inspection := engine.Begin(nil)
	defer inspection.Close()
	return verdictOn(request, ask(inspection, request))
}

// JudgeTest asks an engine about a regression test's request, and about the answer to it unless the request is refused, and says what isn't as the test wants it.
func JudgeTest(engine waf.Engine, test *corpus.Test) (wrong string) {
	inspection := engine.Begin(nil)
	defer inspection.Close()
	decision := ask(inspection, &test.Request)
	verdict := verdictOn(&test.Request, decision)
	if decision.Block {
		return test.Judge(verdict.Rules, verdict.Score, 0)
	}
	answer := test.Answer()
	header := new(pipeline.Header)
	header.Add("Content-Type", answer.Type)
	said := inspection.AnswerHead(&waf.AnswerHead{Status: answer.Status, Proto: "HTTP/1.1", Header: header})
	if !said.Block {
		said = said.Then(inspection.AnswerBody(answer.Body))
	}
	verdict.note(said.Findings)
	return test.Judge(verdict.Rules, verdict.Score, said.Score)
}

func ask(inspection waf.Inspection, request *corpus.Request) waf.Decision {
	decision := inspection.Head(HeadOf(request))
	if !decision.Block {
		decision = decision.Then(inspection.Body(request.Body))
	}
	return decision
}

func verdictOn(request *corpus.Request, decision waf.Decision) Verdict {
	verdict := Verdict{Request: request.Name, Block: decision.Block, Denied: decision.Denied, Score: decision.Score, Rules: []int{}}
	verdict.note(decision.Findings)
	return verdict
}

// note adds the rules of findings.
func (v *Verdict) note(findings []waf.Finding) {
	for i := range findings {
		if !slices.Contains(v.Rules, findings[i].Rule) {
			v.Rules = append(v.Rules, findings[i].Rule)
		}
	}
}

// Verdicts has an engine judge requests, in order.
func Verdicts(engine waf.Engine, requests iter.Seq[corpus.Request]) iter.Seq[Verdict] {
	return func(yield func(Verdict) bool) {
		for request := range requests {
			if !yield(Judge(engine, &request)) {
				return
			}
		}
	}
}

// HeadOf is a request's head as engines get it.
func HeadOf(request *corpus.Request) *waf.Head {
	header := new(pipeline.Header)
	for _, f := range request.Header {
		header.Add(f.Name, f.Value)
	}
	return &waf.Head{
		Method: request.Method, Path: request.Path(), Query: request.Query(), Proto: request.Proto, Host: request.Get("Host"),
		Header: header, Client: client,
	}
}

// Equal tells whether engines agree.
func (v *Verdict) Equal(other *Verdict) bool {
	return v.Request == other.Request && v.Block == other.Block && v.Denied == other.Denied && v.Score == other.Score && slices.Equal(v.Rules, other.Rules)
}

// Write writes verdicts as lines of JSON.
func Write(to io.Writer, verdicts iter.Seq[Verdict]) error {
	buffered := bufio.NewWriter(to)
	lines := json.NewEncoder(buffered)
	for verdict := range verdicts {
		if err := lines.Encode(verdict); err != nil {
			return fmt.Errorf("write the verdict on %s: %w", verdict.Request, err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write verdicts: %w", err)
	}
	return nil
}

// Read reads what Write has written.
func Read(from io.Reader) ([]Verdict, error) {
	var all []Verdict
	for lines := json.NewDecoder(from); ; {
		var verdict Verdict
		switch err := lines.Decode(&verdict); err {
		case nil:
			all = append(all, verdict)
		case io.EOF:
			return all, nil
		default:
			return nil, fmt.Errorf("verdict %d: %w", len(all)+1, err)
		}
	}
}
