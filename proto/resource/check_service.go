package resource

import (
	"fmt"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// checkService checks the addresses of a service's targets.
func checkService(service *configv1.Service) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, target := range service.GetUpstream().GetTargets() {
		address := target.GetAddress()
		if address == "" {
			continue // required: told of by its rule
		}
		violation := problem.Violation{
			Pointer: problem.Pointer("upstream", "targets", i, "address"), Given: form.Given(address),
		}
		if err := checkAddress(address); err != nil {
			violation.Code, violation.Allowed = problem.ViolationInvalidFormat, addressWords
			violation.Detail = "must be host:port: " + err.Error()
			violations = append(violations, violation)
			continue
		}
		if j, twice := first[address]; twice {
			violation.Code = problem.ViolationNotUnique
			violation.Detail = fmt.Sprintf("is the address of target %d already; give it once, with the weight it should have", j)
			violations = append(violations, violation)
			continue
		}
		first[address] = i
	}
	return violations
}
