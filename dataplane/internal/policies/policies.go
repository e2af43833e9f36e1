package policies

import (
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/acl"
	"github.com/sallyport/sallyport/dataplane/internal/policies/addressaccess"
	"github.com/sallyport/sallyport/dataplane/internal/policies/anonymous"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	"github.com/sallyport/sallyport/dataplane/internal/policies/basic"
	"github.com/sallyport/sallyport/dataplane/internal/policies/cel"
	"github.com/sallyport/sallyport/dataplane/internal/policies/content"
	"github.com/sallyport/sallyport/dataplane/internal/policies/cors"
	"github.com/sallyport/sallyport/dataplane/internal/policies/headers"
	"github.com/sallyport/sallyport/dataplane/internal/policies/identitytoken"
	"github.com/sallyport/sallyport/dataplane/internal/policies/jsonguard"
	"github.com/sallyport/sallyport/dataplane/internal/policies/jwt"
	"github.com/sallyport/sallyport/dataplane/internal/policies/openapi"
	"github.com/sallyport/sallyport/dataplane/internal/policies/ratelimit"
	"github.com/sallyport/sallyport/dataplane/internal/policies/requestlimits"
	"github.com/sallyport/sallyport/dataplane/internal/policies/respond"
	"github.com/sallyport/sallyport/dataplane/internal/policies/waf"
)

// All returns the binding of every kind, in the order of the contract's list.
func All() []pipeline.Binding {
	return []pipeline.Binding{
		acl.Binding,
		addressaccess.Binding,
		anonymous.Binding,
		apikey.Binding,
		basic.Binding,
		cel.Binding,
		content.Binding,
		cors.Binding,
		headers.Binding,
		identitytoken.Binding,
		jsonguard.Binding,
		jwt.Binding,
		openapi.Binding,
		ratelimit.Binding,
		requestlimits.Binding,
		respond.Binding,
		waf.Binding,
	}
}
