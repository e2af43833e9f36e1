package respond

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/respond"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/ranges"
)

// Binding joins the contract of "respond" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

var (
	errNoAnswer = errors.New("no answer that this build knows")
	errStatus   = errors.New("status out of range")
)

func compile(_ pipeline.Env, config *policyv1.Respond) (pipeline.Stage, error) {
	switch answer := config.GetAnswer().(type) {
	case *policyv1.Respond_Fixed:
		return newFixed(answer.Fixed)
	case *policyv1.Respond_Redirect:
		return newRedirect(answer.Redirect)
	case *policyv1.Respond_Maintenance:
		return newMaintenance(answer.Maintenance)
	}
	return nil, errNoAnswer
}

// fixed is the same answer to everybody. It is immutable.
type fixed struct {
	status int
	fields []pipeline.Field
	body   []byte
}

func newFixed(config *policyv1.FixedAnswer) (pipeline.Stage, error) {
	f := &fixed{status: int(config.GetStatus()), body: []byte(config.GetBody())}
	if f.status < 200 || f.status > 599 || contract.Bodyless(config.GetStatus()) && len(f.body) > 0 {
		return nil, errStatus
	}
	if len(f.body) > 0 {
		f.fields = append(f.fields, pipeline.Field{Name: "Content-Type", Value: config.GetContentType()})
	}
	for i, header := range config.GetHeaders() {
		if contract.Reserved(header.GetName()) {
			return nil, fmt.Errorf("headers[%d]: %q isn't a policy's to set", i, header.GetName()) //nolint:err113 // for operators
		}
		f.fields = append(f.fields, pipeline.Field{Name: header.GetName(), Value: header.GetValue()})
	}
	return f, nil
}

// Request implements pipeline.Stage.
func (f *fixed) Request(ex *pipeline.Exchange) error {
	replied := ex.Reply(f.status, f.body)
	for i := range f.fields {
		ex.Response.Header.Add(f.fields[i].Name, f.fields[i].Value)
	}
	return replied
}

// maintenance refuses all but those who are exempt. It is immutable.
type maintenance struct {
	exempt     ranges.Set
	detail     string
	retryAfter string
}

func newMaintenance(config *policyv1.Maintenance) (pipeline.Stage, error) {
	exempt, err := ranges.ParseAll(config.GetExempt())
	if err != nil {
		return nil, fmt.Errorf("exempt%w", err)
	}
	seconds := int64(config.GetRetryAfter().AsDuration() / time.Second)
	return &maintenance{exempt: exempt, detail: config.GetDetail(), retryAfter: strconv.FormatInt(max(seconds, 1), 10)}, nil
}

// Request implements pipeline.Stage.
func (m *maintenance) Request(ex *pipeline.Exchange) error {
	if m.exempt.Contains(ex.Client.Address) {
		return nil
	}
	r := ex.Reject(problem.Maintenance, m.detail, "maintenance")
	r.Header.Add("Retry-After", m.retryAfter)
	return r
}
