package anonymous

import (
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	contract "github.com/sallyport/sallyport/proto/policy/anonymous"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "anonymous" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// stage is immutable.
type stage struct {
	directory *directory.Directory
	consumer  id.ID
}

// errNobody says nothing to the caller: the policy names a consumer that this node hasn't heard of.
var errNobody = errors.New("the consumer that stands for everybody isn't in the directory")

func compile(env pipeline.Env, config *policyv1.Anonymous) (pipeline.Stage, error) {
	consumer, err := id.Parse(id.Consumer, config.GetConsumer())
	if err != nil {
		return nil, fmt.Errorf("consumer: %w", err)
	}
	return &stage{directory: env.Directory, consumer: consumer}, nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	if ex.Unclaimed() && ex.Request.Header.Has("Authorization") {
		return ex.Reject(problem.CredentialInvalid, "", "an Authorization that no policy of the route knows")
	}
	consumer, denied := s.directory.AdmitConsumer(s.consumer, ex.Now)
	switch denied {
	case "":
		ex.Identify(pipeline.Identity{Consumer: consumer})
		return nil
	case problem.CredentialInvalid:
		return errNobody
	case problem.ConsumerSuspended:
		return ex.Reject(denied, "", "the consumer that stands for everybody is suspended")
	default:
		return ex.Reject(denied, "", "the consumer that stands for everybody is blocked")
	}
}
