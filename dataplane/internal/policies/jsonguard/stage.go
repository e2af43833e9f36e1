package jsonguard

import (
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	contract "github.com/sallyport/sallyport/proto/policy/jsonguard"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "json-guard" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// maxRatio is by how much JSON may grow when its content coding is undone: it packs well, but not as well as bombs do.
const maxRatio = 100

// stage is immutable.
type stage struct {
	policy                 id.ID
	bytes                  int64
	depth, keys, keyBytes  int
	entries, text, values  int
	duplicates, prototypes bool // may come
	numbers                policyv1.JsonNumbers
	demanded               bool
}

func compile(env pipeline.Env, config *policyv1.JsonGuard) (pipeline.Stage, error) {
	s := &stage{
		policy: env.PolicyID, bytes: int64(config.GetMaxBytes()),
		depth: int(config.GetMaxDepth()), keys: int(config.GetMaxKeys()), keyBytes: int(config.GetMaxKeyBytes()),
		entries: int(config.GetMaxEntries()), text: int(config.GetMaxTextBytes()), values: int(config.GetMaxValues()),
		duplicates: config.GetAllowDuplicateKeys(), prototypes: config.GetAllowPrototypeKeys(), numbers: config.GetNumbers(),
		demanded: config.GetRequireJson(),
	}
	for _, bound := range [...]int{int(s.bytes), s.depth, s.keys, s.keyBytes, s.entries, s.text, s.values} {
		if bound <= 0 {
			return nil, fmt.Errorf("a bound is missing: max_bytes %d, max_depth %d, max_values %d", s.bytes, s.depth, s.values)
		}
	}
	switch s.numbers {
	case policyv1.JsonNumbers_JSON_NUMBERS_ANY, policyv1.JsonNumbers_JSON_NUMBERS_EXACT, policyv1.JsonNumbers_JSON_NUMBERS_INTEGERS:
	default:
		return nil, fmt.Errorf("numbers: this node doesn't know %v", s.numbers)
	}
	return s, nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	if ex.Dry || ex.Request.Upgrade != "" {
		return nil // there is no body
	}
	if ex.Request.ContentLength == 0 {
		return s.without(ex)
	}
	is, refused := s.judgeType(ex)
	if refused != nil || !is {
		return refused
	}
	body, content, err := ex.ReadContent(s.bytes, maxRatio)
	switch {
	case err != nil:
		return err
	case len(content) == 0:
		return s.without(ex)
	}
	doc, err := body.JSON()
	if err != nil {
		return s.notJSON(ex, err)
	}
	v := verdict{stage: s, ex: ex, doc: doc}
	v.judge(doc.Stats())
	return v.error()
}

// without judges a request that has no body.
func (s *stage) without(ex *pipeline.Exchange) error {
	switch ex.Request.Method {
	case "POST", "PUT", "PATCH":
		if s.demanded {
			return ex.Reject(problem.JSONRefused, "The request must have a body of JSON.", "require_json")
		}
	}
	return nil
}

// judgeType tells whether the body is JSON by what is said of it.
func (s *stage) judgeType(ex *pipeline.Exchange) (is bool, _ error) {
	text, one := ex.Request.Header.Only("Content-Type")
	media, err := payload.ParseMediaType(text)
	switch {
	case one && err == nil && media.IsJSON():
		if !media.IsUTF8() {
			return false, ex.Reject(problem.JSONRefused, "The Content-Type names a charset other than UTF-8, which JSON always is.", "charset")
		}
		return true, nil
	case s.demanded:
		return false, ex.Reject(problem.UnsupportedMediaType, "A body must have one Content-Type, of application/json or one that ends in +json.", "require_json")
	case (!one || err != nil) && mentionsJSON(&ex.Request.Header):
		return false, ex.Reject(problem.JSONRefused, "The Content-Type could be read as JSON, and as something else.", "content_type")
	}
	return false, nil
}

// mentionsJSON tells whether somebody might take a body for JSON: one that looks at another Content-Type, or doesn't look closely.
func mentionsJSON(header *pipeline.Header) bool {
	for _, f := range header.Fields() {
		if pipeline.EqualFold(f.Name, "Content-Type") && strings.Contains(strings.ToLower(f.Value), "json") {
			return true
		}
	}
	return false
}
