package harness

import (
	"github.com/sallyport/sallyport/sdk/sallyport"
)

// Protected is a service behind API keys, and somebody who may call it.
type Protected struct {
	Service  sallyport.Service
	Policy   sallyport.Policy
	Route    sallyport.Route
	Consumer sallyport.Consumer
	Key      sallyport.APIKey
}

// Protected creates a service on target, behind API keys, all of whose paths one route leads to, and a consumer with a key.
func (s *Story) Protected(target string) Protected {
	s.t.Helper()
	var p Protected
	p.Service = s.Service("service", target)
	p.Policy = s.Policy(APIKeys(s.Name("keys"), sallyport.Attachment{Service: p.Service.Name}))
	p.Route = s.Route(sallyport.Route{Name: s.Name("route"), Service: p.Service.Name, Paths: Below("/")})
	p.Consumer = s.Consumer("consumer")
	p.Key = s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	return p
}

// APIKeys returns a policy that authenticates by API key.
func APIKeys(name string, attached sallyport.Attachment, scopes ...string) sallyport.Policy {
	config := map[string]any{}
	if len(scopes) > 0 {
		config["required_scopes"] = scopes
	}
	return sallyport.Policy{Name: name, Kind: "api-key", Config: config, AttachedTo: []sallyport.Attachment{attached}}
}

// Limit returns a policy that lets each consumer make a number of requests in a window.
func Limit(name string, attached sallyport.Attachment, requests int, window string) sallyport.Policy {
	return sallyport.Policy{
		Name: name, Kind: "rate-limit", AttachedTo: []sallyport.Attachment{attached},
		Config: map[string]any{
			"by":      []any{map[string]any{"consumer": true}},
			"windows": []any{map[string]any{"requests": requests, "window": window}},
		},
	}
}

// Below matches a path and everything below it.
func Below(path string) []sallyport.PathMatch { return []sallyport.PathMatch{{Prefix: path}} }

// Exactly matches one path.
func Exactly(path string) []sallyport.PathMatch { return []sallyport.PathMatch{{Exact: path}} }
