package policies

import (
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/acl"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	"github.com/sallyport/sallyport/dataplane/internal/policies/headers"
	"github.com/sallyport/sallyport/dataplane/internal/policies/ratelimit"
)

// All returns the binding of every kind, in the order of the contract's list.
func All() []pipeline.Binding {
	return []pipeline.Binding{
		acl.Binding,
		apikey.Binding,
		headers.Binding,
		ratelimit.Binding,
	}
}
