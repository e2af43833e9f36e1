package waf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/mediatype"
	"github.com/sallyport/sallyport/proto/problem"
)

// answers say which of the answers are looked at.
type answers struct {
	bounds
	types []mediatype.Pattern // whose bodies are
}

// usualTypes are those whose bodies are looked at where none are named.
var usualTypes = []string{"text/html", "text/plain", "text/xml", "application/json", "application/xml", "*/*+json", "*/*+xml"}

func answersOf(config *policyv1.WafAnswers) (*answers, error) {
	if config == nil {
		return nil, nil //nolint:nilnil // answers aren't looked at
	}
	a := &answers{bounds: boundsOf(!config.GetBodies(), config.GetMaxBytes(), usualAnswer, config.GetBeyond() != policyv1.WafBeyond_WAF_BEYOND_REFUSE)}
	types := config.GetContentTypes()
	if len(types) == 0 {
		types = usualTypes
	}
	for i, text := range types {
		pattern, err := mediatype.ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("answers.content_types[%d]: %w", i, err)
		}
		a.types = append(a.types, pattern)
	}
	return a, nil
}

// looksInto tells whether bodies of a media type are looked at.
func (a *answers) looksInto(media string) bool {
	major, minor, _ := strings.Cut(media, "/")
	return slices.ContainsFunc(a.types, func(p mediatype.Pattern) bool { return p.Fits(major, minor) })
}

// WatchesAnswers implements pipeline.AnswerWatcher.
func (s *stage) WatchesAnswers() bool { return s.answers != nil }

// Response implements pipeline.Responder. It goes on with the inspection of the request, if the service has answered that.
func (s *stage) Response(ex *pipeline.Exchange) error {
	in, ok := ex.Kept(s).(*inspected)
	if !ok {
		return nil
	}
	defer in.Inspection.Close()
	if ex.Rejection != nil || ex.Replied() || ex.Response.Tunnel != nil || streams(&ex.Response.Header) {
		return nil
	}
	said, err := s.inspectAnswer(ex, in)
	if err != nil {
		return err
	}
	s.tell(ex, said, in.on, true)
	if !said.Block {
		return nil
	}
	return ex.Reject(problem.WafAnswerBlocked, "", reasonOf(said))
}

// streams tells of an answer that may go on for ever.
func streams(header *pipeline.Header) bool {
	return mediaTypeOf(header) == events || speaksGRPC(header)
}

// inspectAnswer has the answer inspected. An error is a *Rejection.
func (s *stage) inspectAnswer(ex *pipeline.Exchange, in *inspected) (said waf.Decision, err error) {
	out := &ex.Response
	var content []byte
	if s.wantsAnswer(ex) {
		if content, err = s.readAnswer(ex); err != nil {
			return said, err
		}
	}
	head := &waf.AnswerHead{Status: out.Status, Proto: "HTTP/1.1", Header: &out.Header, Decoded: content != nil}
	weight := bytesOf(&out.Header) + len(content)
	err = s.within(ex, weight, func() {
		said = in.AnswerHead(head)
		if !said.Block {
			said = said.Then(in.AnswerBody(content))
		}
	})
	if err == nil {
		s.count(ex, waf.PartAnswer, waf.VerdictOf(said), weight)
	}
	return said, err
}

// wantsAnswer tells whether the answer has a body that is looked at.
func (s *stage) wantsAnswer(ex *pipeline.Exchange) bool {
	out := &ex.Response
	bodiless := out.Body == nil || out.ContentLength == 0 || ex.Request.Method == methodHead || out.Status == 204 || out.Status == 304
	return !s.answers.ignore && !bodiless && s.answers.looksInto(mediaTypeOf(&out.Header))
}

// readAnswer reads the answer's body, its content coding undone; nil: it isn't looked at, and passes. An error is a *Rejection.
func (s *stage) readAnswer(ex *pipeline.Exchange) ([]byte, error) {
	body, err := ex.ReadAnswer(s.answers.most)
	if err != nil {
		return nil, err //nolint:wrapcheck // a rejection
	}
	content, err := contentOf(body, ex.AnswerCodings(), s.answers.most)
	switch {
	case err == nil:
		return content, nil
	case errors.Is(err, payload.ErrNoMemory):
		return nil, ex.RejectBody(problem.WafAnswerBlocked, err) //nolint:wrapcheck // a rejection
	}
	s.count(ex, waf.PartAnswer, waf.Beyond, 0)
	if s.answers.pass {
		return nil, nil
	}
	return nil, ex.Reject(problem.WafAnswerBlocked, "", "the answer can't be inspected whole: "+err.Error())
}
