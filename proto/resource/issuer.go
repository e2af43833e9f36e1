package resource

import (
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// checkIssuer has nothing to say that the rules of the fields don't.
func checkIssuer(*configv1.Issuer) []problem.Violation { return nil }
