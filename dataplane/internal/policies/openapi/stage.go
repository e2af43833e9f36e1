package openapi

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/openapi"
	contract "github.com/sallyport/sallyport/proto/policy/openapi"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "openapi" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// stage is immutable.
type stage struct {
	policy       id.ID
	description  id.ID
	base         string // in front of the description's paths, unless fromServer
	fromServer   bool
	undocumented policyv1.OpenapiVerdict
	requests     policyv1.OpenapiVerdict
	answers      bool
	strict       bool  // queries
	most         int64 // bytes of a body
}

func compile(env pipeline.Env, config *policyv1.Openapi) (pipeline.Stage, error) {
	description, err := id.Parse(id.APIDescription, config.GetDescription())
	if err != nil {
		return nil, fmt.Errorf("description: %w", err)
	}
	s := &stage{
		policy: env.PolicyID, description: description, base: strings.TrimSuffix(config.GetBasePath(), "/"), fromServer: config.BasePath == nil,
		undocumented: config.GetUndocumented(), requests: config.GetRequests(), answers: config.GetAnswers() == policyv1.OpenapiAnswers_OPENAPI_ANSWERS_NOTE,
		strict: !config.GetAllowUnknownParameters(), most: int64(config.GetMaxBodyBytes()),
	}
	if !isVerdict(s.undocumented) || !isVerdict(s.requests) || s.most <= 0 {
		return nil, fmt.Errorf("a setting is missing: undocumented %v, requests %v, max_body_bytes %d", s.undocumented, s.requests, s.most)
	}
	return s, nil
}

func isVerdict(v policyv1.OpenapiVerdict) bool {
	return v > policyv1.OpenapiVerdict_OPENAPI_VERDICT_UNSPECIFIED && v <= policyv1.OpenapiVerdict_OPENAPI_VERDICT_PASS
}

var errNoDescription = errors.New("the API description isn't in this revision")

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	description := ex.Descriptions.Of(s.description)
	if description == nil {
		return errNoDescription
	}
	match := s.match(ex, description)
	if match.Operation == nil {
		return s.undescribed(ex, match.Template != "")
	}
	if s.requests == policyv1.OpenapiVerdict_OPENAPI_VERDICT_PASS {
		return nil
	}
	breaches := match.Operation.Head(&openapi.Head{
		Params: match.Params, Query: ex.Request.Query, Strict: s.strict,
		Header: func(name string) (string, bool) { return joined(&ex.Request.Header, name) },
	})
	more, err := s.body(ex, match.Operation)
	if err != nil {
		return err
	}
	if breaches = append(breaches, more...); len(breaches) == 0 {
		return nil
	}
	return s.broken(ex, breaches[:min(len(breaches), openapi.MaxBreaches)])
}

// match finds what is described of a request.
func (s *stage) match(ex *pipeline.Exchange, description *openapi.Description) openapi.Match {
	base := s.base
	if s.fromServer {
		base = description.BasePath()
	}
	rest, below := strings.CutPrefix(ex.Request.Path, base)
	if !below || rest != "" && rest[0] != '/' {
		return openapi.Match{}
	}
	if rest == "" {
		rest = "/"
	}
	return description.Match(ex.Request.Method, rest, nil)
}

// undescribed says what becomes of a request that the description doesn't have.
func (s *stage) undescribed(ex *pipeline.Exchange, path bool) error {
	reason := "the path isn't described"
	if path {
		reason = "the path is described, but not with this method"
	}
	switch s.undocumented {
	case policyv1.OpenapiVerdict_OPENAPI_VERDICT_REFUSE:
		return ex.Reject(problem.EndpointUndocumented, "", reason)
	case policyv1.OpenapiVerdict_OPENAPI_VERDICT_NOTE:
		ex.Note(s.policy, problem.EndpointUndocumented)
	case policyv1.OpenapiVerdict_OPENAPI_VERDICT_PASS, policyv1.OpenapiVerdict_OPENAPI_VERDICT_UNSPECIFIED:
	}
	return nil
}

// broken says what becomes of a request that breaks the description.
func (s *stage) broken(ex *pipeline.Exchange, breaches []openapi.Breach) error {
	s.found(ex, breaches, false)
	if s.requests != policyv1.OpenapiVerdict_OPENAPI_VERDICT_REFUSE {
		ex.Note(s.policy, problem.SchemaBroken)
		return nil
	}
	r := ex.Reject(problem.SchemaBroken, "", reasonOf(breaches))
	for _, b := range breaches {
		r.Violate(problem.Violation{Pointer: b.Where, Code: violation(b.Rule), Detail: sentence(b.Message)})
	}
	return r
}

// found tells operators where the description is broken, without names that a caller made up.
func (s *stage) found(ex *pipeline.Exchange, breaches []openapi.Breach, inAnswer bool) {
	for _, b := range breaches {
		ex.Found(pipeline.Finding{Policy: s.policy, Rule: b.Rule, Message: sentence(b.Message), Target: b.Described, InAnswer: inAnswer})
	}
}

func reasonOf(breaches []openapi.Breach) string {
	first := breaches[0]
	reason := first.Rule + " at " + place(first.Described)
	if more := len(breaches) - 1; more > 0 {
		reason += fmt.Sprintf(" and %d more", more)
	}
	return reason
}

func place(described string) string {
	if described == "" {
		return "the body as a whole"
	}
	return described
}

// sentence makes one of what a breach says: "must be a number" is "It must be a number."
func sentence(message string) string { return "It " + message + "." }

// violations are the codes by which callers know what is wrong, by the rule; others are invalid values.
var violations = map[string]string{
	"required": problem.ViolationRequired, "type": problem.ViolationWrongType, "minimum": problem.ViolationOutOfRange, "maximum": problem.ViolationOutOfRange,
	"minLength": problem.ViolationTooShort, "maxLength": problem.ViolationTooLong, "minItems": problem.ViolationTooFew, "maxItems": problem.ViolationTooMany,
	"minProperties": problem.ViolationTooFew, "maxProperties": problem.ViolationTooMany, "uniqueItems": problem.ViolationNotUnique,
	"additionalProperties": problem.ViolationUnknownField, "unevaluatedProperties": problem.ViolationUnknownField, "parameter": problem.ViolationUnknownParameter,
	"format": problem.ViolationInvalidFormat, "pattern": problem.ViolationInvalidFormat, "style": problem.ViolationInvalidFormat, ruleSyntax: problem.ViolationInvalidFormat,
	ruleSize: problem.ViolationTooLong,
}

func violation(rule string) string {
	if code, known := violations[rule]; known {
		return code
	}
	return problem.ViolationInvalidValue
}

// joined returns the values of a field as one (RFC 9110 §5.3); of cookies that come in several fields, as HTTP/2 sends them, joined as RFC 9113 §8.2.3 says.
func joined(header *pipeline.Header, name string) (string, bool) {
	value, has := "", false
	separator := ", "
	if pipeline.EqualFold(name, "Cookie") {
		separator = "; "
	}
	for _, f := range header.Fields() {
		switch {
		case !pipeline.EqualFold(f.Name, name):
		case has:
			value += separator + f.Value
		default:
			value, has = f.Value, true
		}
	}
	return value, has
}
