package addressaccess

import (
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/addressaccess"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/ranges"
)

// Binding joins the contract of "address-access" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// stage is immutable.
type stage struct{ allowed, denied ranges.Set }

var errNoList = errors.New("neither allow nor deny has an entry")

func compile(_ pipeline.Env, config *policyv1.AddressAccess) (pipeline.Stage, error) {
	allowed, err := ranges.ParseAll(contract.Texts(config.GetAllow()))
	if err != nil {
		return nil, fmt.Errorf("allow%w", err)
	}
	denied, err := ranges.ParseAll(contract.Texts(config.GetDeny()))
	if err != nil {
		return nil, fmt.Errorf("deny%w", err)
	}
	if allowed.Empty() && denied.Empty() {
		return nil, errNoList
	}
	return &stage{allowed: allowed, denied: denied}, nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	address := ex.Client.Address
	switch {
	case !address.IsValid():
		return ex.Reject(problem.AddressNotAllowed, "", "the client's address isn't known")
	case s.denied.Contains(address):
		return ex.Reject(problem.AddressNotAllowed, "", "the client's address is denied")
	case !s.allowed.Empty() && !s.allowed.Contains(address):
		return ex.Reject(problem.AddressNotAllowed, "", "the client's address isn't among those that are allowed")
	}
	return nil
}
