package content

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/mediatype"
	contract "github.com/sallyport/sallyport/proto/policy/content"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "content" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// Of a multipart body, where the policy says nothing of it.
const (
	defaultParts = 100
	defaultFiles = 20
)

// stage is immutable.
type stage struct {
	policy           id.ID
	bytes, ratio     int64
	types            []mediatype.Pattern
	typesText        string // for the caller
	unknown, untyped bool   // may pass
	codings          []string
	parts, files     int
	extensions       []string
	xmlDepth         int
}

func compile(env pipeline.Env, config *policyv1.Content) (pipeline.Stage, error) {
	s := &stage{
		policy: env.PolicyID, bytes: int64(config.GetMaxBytes()), ratio: int64(config.GetMaxRatio()),
		typesText: "The body's Content-Type isn't one that is taken here.",
		unknown:   config.GetAllowUnknown(), untyped: config.GetAllowUntyped(), codings: config.GetCodings(),
		parts: defaultParts, files: defaultFiles, extensions: config.GetMultipart().GetExtensions(), xmlDepth: int(config.GetMaxXmlDepth()),
	}
	if s.bytes <= 0 || s.ratio <= 0 || s.xmlDepth <= 0 {
		return nil, fmt.Errorf("a bound is missing: max_bytes %d, max_ratio %d, max_xml_depth %d", s.bytes, s.ratio, s.xmlDepth)
	}
	if of := config.GetMultipart(); of != nil {
		s.parts, s.files = int(of.GetMaxParts()), int(of.GetMaxFiles())
	}
	if len(s.codings) == 0 {
		s.codings = []string{payload.Identity, payload.Gzip, payload.Brotli}
	}
	for i, text := range config.GetTypes() {
		pattern, err := mediatype.ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("types[%d]: %w", i, err)
		}
		s.types = append(s.types, pattern)
	}
	if len(s.types) > 0 {
		s.typesText = "A body must have one Content-Type, of " + strings.Join(config.GetTypes(), ", ") + "."
	}
	return s, nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	if ex.Dry || ex.Request.Upgrade != "" || ex.Request.ContentLength == 0 {
		return nil // there is no body
	}
	media, typed, refused := s.judgeType(ex)
	if refused != nil || !typed {
		return refused
	}
	check := s.checkOf(&media)
	if check == nil {
		if s.unknown {
			return nil
		}
		return s.unsupported(ex, "allow_unknown", "The body's Content-Type isn't one that is known here.")
	}
	if refused := s.judgeCodings(ex); refused != nil {
		return refused
	}
	body, content, err := ex.ReadContent(s.bytes, s.ratio)
	switch {
	case err != nil:
		return err
	case len(content) == 0:
		return nil // of unknown length, and none after all
	}
	if err := check(s, &source{body, content}, &media); err != nil {
		return s.refuse(ex, err)
	}
	return nil
}

// judgeType reads the Content-Type; typed is false if there is none and needn't be.
func (s *stage) judgeType(ex *pipeline.Exchange) (media payload.MediaType, typed bool, _ error) {
	text, one := ex.Request.Header.Only("Content-Type")
	switch {
	case !one && ex.Request.Header.Has("Content-Type"):
		return media, false, s.unsupported(ex, "content_type", "The request has several Content-Types.")
	case !one && s.untyped:
		return media, false, nil
	case !one:
		return media, false, s.unsupported(ex, "allow_untyped", "The body has no Content-Type.")
	}
	media, err := payload.ParseMediaType(text)
	switch {
	case err != nil:
		return media, false, s.unsupported(ex, "content_type", err.Error())
	case len(s.types) > 0 && !slices.ContainsFunc(s.types, func(p mediatype.Pattern) bool { return p.Fits(media.Type, media.Subtype) }):
		return media, false, s.unsupported(ex, "types", s.typesText)
	}
	return media, true, nil
}

// judgeCodings refuses content codings that may not come, before anything is read.
func (s *stage) judgeCodings(ex *pipeline.Exchange) error {
	codings, err := payload.ParseCodings(ex.ContentCodings())
	if err != nil {
		return s.unsupported(ex, "codings", err.Error())
	}
	if len(codings) == 0 {
		codings = []string{payload.Identity}
	}
	for _, coding := range codings {
		if !slices.Contains(s.codings, coding) {
			return s.unsupported(ex, "codings", "A body must come in one of these content codings: "+strings.Join(s.codings, ", ")+".")
		}
	}
	return nil
}

func (s *stage) unsupported(ex *pipeline.Exchange, rule, detail string) error {
	ex.Found(pipeline.Finding{Policy: s.policy, Rule: rule, Message: detail, Target: "header:Content-Type"})
	return ex.Reject(problem.UnsupportedMediaType, detail, rule)
}

// refuse tells why a body isn't what it says.
func (s *stage) refuse(ex *pipeline.Exchange, err error) error {
	refused := ex.RejectBody(problem.BodyRefused, err)
	if f, broken := errors.AsType[*payload.Fault](err); broken {
		target := "body"
		if f.Pointer != "" {
			target = f.Pointer
		}
		ex.Found(pipeline.Finding{Policy: s.policy, Rule: f.Rule, Message: f.Reason, Target: target})
	}
	return refused
}
