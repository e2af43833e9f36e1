package requestlimits

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/mediatype"
	contract "github.com/sallyport/sallyport/proto/policy/requestlimits"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "request-limits" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// unlimited stands for a bound that isn't given.
const unlimited = math.MaxInt64

// betweenFields is what stands between name and value of a field, and behind it: ": " and the end of the line.
const betweenFields = 4

// stage is immutable.
type stage struct {
	methods []string
	allow   string // of the field Allow

	body, headerBytes, headers, target, query, parameters int64

	types     []mediatype.Pattern
	demanded  bool   // a Content-Type
	typesText string // for the caller

	tooLarge *pipeline.Rejection // outlives the requests that it cuts off
}

func compile(env pipeline.Env, config *policyv1.RequestLimits) (pipeline.Stage, error) {
	s := &stage{
		methods: config.GetMethods(), allow: strings.Join(config.GetMethods(), ", "),
		body:        bound(config.MaxBodyBytes),
		headerBytes: bound(config.MaxHeaderBytes),
		headers:     bound(config.MaxHeaders),
		target:      bound(config.MaxTargetBytes),
		query:       bound(config.MaxQueryBytes),
		parameters:  bound(config.MaxQueryParameters),
		demanded:    config.GetRequireContentType() || len(config.GetContentTypes()) > 0,
		typesText:   "A body must have one Content-Type, which is a media type.",
	}
	for i, text := range config.GetContentTypes() {
		media, err := mediatype.ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("content_types[%d]: %w", i, err)
		}
		s.types = append(s.types, media)
	}
	if len(s.types) > 0 {
		s.typesText = "A body must have one Content-Type, of " + strings.Join(config.GetContentTypes(), ", ") + "."
	}
	s.tooLarge = &pipeline.Rejection{
		Code: problem.BodyTooLarge, Detail: fmt.Sprintf("The body may have at most %d bytes.", s.body), Reason: "the body streamed beyond max_body_bytes",
		Policy: env.PolicyName, PolicyID: env.PolicyID,
	}
	return s, nil
}

// bound returns a bound that is given, or unlimited.
func bound[N uint32 | uint64](given *N) int64 {
	if given == nil || uint64(*given) > unlimited {
		return unlimited
	}
	return int64(*given)
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	if len(s.methods) > 0 && !slices.Contains(s.methods, ex.Request.Method) {
		r := ex.Reject(problem.MethodNotAllowed, "", "the method isn't among methods")
		r.Header.Add("Allow", s.allow)
		return r
	}
	if refused := s.checkTarget(ex); refused != nil {
		return refused
	}
	if refused := s.checkHeader(ex); refused != nil {
		return refused
	}
	if refused := s.checkType(ex); refused != nil {
		return refused
	}
	switch {
	case s.body == unlimited:
	case ex.Request.ContentLength > s.body:
		return ex.Reject(problem.BodyTooLarge, s.tooLarge.Detail, "the stated length is beyond max_body_bytes")
	default:
		ex.LimitBody(s.body, s.tooLarge)
	}
	return nil
}

func (s *stage) checkTarget(ex *pipeline.Exchange) error {
	query := int64(len(ex.Request.Query))
	whole := int64(len(ex.Request.Path)) + query
	if query > 0 {
		whole++ // the question mark
	}
	switch {
	case whole > s.target:
		return ex.Reject(problem.TargetTooLong, "", "path and query are beyond max_target_bytes")
	case query > s.query:
		return ex.Reject(problem.TargetTooLong, "", "the query is beyond max_query_bytes")
	case s.parameters != unlimited && parameters(ex.Request.Query) > s.parameters:
		return ex.Reject(problem.TargetTooLong, "", "the query has more than max_query_parameters")
	}
	return nil
}

// parameters counts what stands between the ampersands of a query, if it is anything.
func parameters(query string) int64 {
	var n int64
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair != "" {
			n++
		}
	}
	return n
}

func (s *stage) checkHeader(ex *pipeline.Exchange) error {
	fields := ex.Request.Header.Fields()
	if int64(len(fields)) > s.headers {
		return ex.Reject(problem.HeadersTooLarge, "", "more fields than max_headers")
	}
	if s.headerBytes == unlimited {
		return nil
	}
	var bytes int64
	for i := range fields {
		bytes += int64(len(fields[i].Name)+len(fields[i].Value)) + betweenFields
	}
	if bytes > s.headerBytes {
		return ex.Reject(problem.HeadersTooLarge, "", "the fields are beyond max_header_bytes")
	}
	return nil
}

// checkType judges the Content-Type of a body. One of unknown length counts as a body.
func (s *stage) checkType(ex *pipeline.Exchange) error {
	if !s.demanded || ex.Request.ContentLength == 0 {
		return nil
	}
	text, one := ex.Request.Header.Only("Content-Type")
	if !one {
		return ex.Reject(problem.UnsupportedMediaType, s.typesText, "no Content-Type, or several")
	}
	media, _, _ := strings.Cut(text, ";")
	major, minor, _ := strings.Cut(strings.TrimRight(media, " \t"), "/")
	if !mediatype.IsToken(major) || !mediatype.IsToken(minor) {
		return ex.Reject(problem.UnsupportedMediaType, s.typesText, "the Content-Type isn't a media type")
	}
	if len(s.types) > 0 && !slices.ContainsFunc(s.types, func(m mediatype.Pattern) bool { return m.Fits(major, minor) }) {
		return ex.Reject(problem.UnsupportedMediaType, s.typesText, "the Content-Type isn't among content_types")
	}
	return nil
}
