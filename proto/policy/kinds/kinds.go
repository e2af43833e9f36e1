package kinds

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/acl"
	"github.com/sallyport/sallyport/proto/policy/addressaccess"
	"github.com/sallyport/sallyport/proto/policy/anonymous"
	"github.com/sallyport/sallyport/proto/policy/apikey"
	"github.com/sallyport/sallyport/proto/policy/basic"
	"github.com/sallyport/sallyport/proto/policy/cel"
	"github.com/sallyport/sallyport/proto/policy/content"
	"github.com/sallyport/sallyport/proto/policy/cors"
	"github.com/sallyport/sallyport/proto/policy/headers"
	"github.com/sallyport/sallyport/proto/policy/identitytoken"
	"github.com/sallyport/sallyport/proto/policy/jsonguard"
	"github.com/sallyport/sallyport/proto/policy/jwt"
	"github.com/sallyport/sallyport/proto/policy/openapi"
	"github.com/sallyport/sallyport/proto/policy/ratelimit"
	"github.com/sallyport/sallyport/proto/policy/requestlimits"
	"github.com/sallyport/sallyport/proto/policy/respond"
	"github.com/sallyport/sallyport/proto/policy/waf"
)

// all is the list: a new kind is a line here, in the order of the names.
var all = []policy.Kind{
	acl.Kind,
	addressaccess.Kind,
	anonymous.Kind,
	apikey.Kind,
	basic.Kind,
	cel.Kind,
	content.Kind,
	cors.Kind,
	headers.Kind,
	identitytoken.Kind,
	jsonguard.Kind,
	jwt.Kind,
	openapi.Kind,
	ratelimit.Kind,
	requestlimits.Kind,
	respond.Kind,
	waf.Kind,
}

var (
	byName    = index(func(k policy.Kind) string { return k.Name })
	byMessage = index(policy.Kind.TypeURL)
)

// All returns every kind, in the order of the names.
func All() []policy.Kind { return slices.Clone(all) }

// Names returns the name of every kind, in their order.
func Names() []string {
	names := make([]string, len(all))
	for i, k := range all {
		names[i] = k.Name
	}
	return names
}

// ByName returns the kind of a name ("rate-limit").
func ByName(name string) (policy.Kind, bool) {
	k, ok := byName[name]
	return k, ok
}

// ByMessage returns the kind whose configuration has this type URL.
func ByMessage(typeURL string) (policy.Kind, bool) {
	k, ok := byMessage[typeURL]
	return k, ok
}

// Unpack returns the kind of a packed configuration, and the configuration itself as it was
// written: without defaults. Fields that this build doesn't know are left in the message's unknown
// fields; who reads what was stored refuses those.
func Unpack(packed *anypb.Any) (policy.Kind, proto.Message, error) {
	kind, ok := ByMessage(packed.GetTypeUrl())
	if !ok {
		return policy.Kind{}, nil, fmt.Errorf("no policy kind has configurations of type %q", packed.GetTypeUrl())
	}
	config := kind.New()
	if err := proto.Unmarshal(packed.GetValue(), config); err != nil {
		return policy.Kind{}, nil, fmt.Errorf("configuration of kind %s: %w", kind.Name, err)
	}
	return kind, config, nil
}

func index(key func(policy.Kind) string) map[string]policy.Kind {
	kinds := make(map[string]policy.Kind, len(all))
	for _, k := range all {
		kinds[key(k)] = k
	}
	return kinds
}
