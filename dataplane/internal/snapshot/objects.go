package snapshot

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/certificates"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/router"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/path"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/ranges"
	"github.com/sallyport/sallyport/proto/resource"
)

// Settings are what holds for the whole environment.
type Settings struct {
	// TrustedProxies may name the client's address.
	TrustedProxies ranges.Set
	// AllowedTargets may be connected to although they are loopback or otherwise special.
	AllowedTargets ranges.Set
	// MaxStaleness is how long ago the control plane may have vouched for what routes authenticate by; 0: any time.
	MaxStaleness time.Duration
	// TracedPerMillion of the requests that are let pass are kept with all that was decided about them.
	TracedPerMillion uint32
	// TLS is how clients are spoken to over it.
	TLS certificates.Policy
	// HTTPS is what plain requests and browsers are told.
	HTTPS HTTPS
	// ProxyProtocolFrom name clients by the PROXY protocol.
	ProxyProtocolFrom ranges.Set
	// Path is how paths are read.
	Path path.Form
	// Connections bound those of clients.
	Connections ClientConnections
	// IdentityKeysPath is where anybody reads the public halves of the identity keys; "": nowhere.
	IdentityKeysPath string
}

// tracedPerMillion is the share where the settings name none.
const tracedPerMillion = 1000

// Service is a service compiled. It is immutable and safe for concurrent use.
type Service struct {
	ID   id.ID
	Name string
	// Spec is how its upstream is spoken to.
	Spec Spec
	// Sender speaks to it. Services of equal specs share one, through all revisions.
	Sender Sender
}

// Sender asks an upstream, and leaves its answer in the exchange's Response.
type Sender interface {
	Send(*pipeline.Exchange) error
}

// The objects of a snapshot: their bytes, and what each was compiled to by itself.
type (
	settingsObject struct {
		id       string
		data     []byte
		settings *Settings
	}
	serviceObject struct {
		data    []byte
		service *Service
	}
	policyObject struct {
		data   []byte
		id     string
		places []place
		policy *pipeline.Policy
	}
	routeObject struct {
		data    []byte
		id      string
		info    pipeline.RouteInfo // without the service
		service string             // id
		public  bool
		rule    *router.Rule
		paths   []forwarding
	}
)

// place is where a policy is attached.
type place struct {
	level policy.Level
	id    string // of the service, route or consumer
}

// withoutSettings are those of an environment without any.
func withoutSettings() *Settings {
	return &Settings{TracedPerMillion: tracedPerMillion, Connections: connectionsOf(resource.Defaulted(new(configv1.ClientConnections)))}
}

func newSettings(m *configv1.EnvironmentSettings) (*Settings, error) {
	trusted, err := parseRanges(m.GetTrustedProxies())
	if err != nil {
		return nil, fmt.Errorf("trusted_proxies: %w", err)
	}
	allowed, err := parseRanges(m.GetAllowedTargetRanges())
	if err != nil {
		return nil, fmt.Errorf("allowed_target_ranges: %w", err)
	}
	s := &Settings{
		TrustedProxies: trusted, AllowedTargets: allowed, MaxStaleness: m.GetMaxStaleness().AsDuration(), TracedPerMillion: tracedPerMillion,
		Path: formOf(m.GetPath()), Connections: connectionsOf(m.GetConnections()),
		IdentityKeysPath: m.GetIdentityKeysPath(),
	}
	if s.ProxyProtocolFrom, err = parseRanges(m.GetProxyProtocolFrom()); err != nil {
		return nil, fmt.Errorf("proxy_protocol_from: %w", err)
	}
	if err := s.speak(m.GetTls()); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	if m.TracedPerMillion != nil {
		s.TracedPerMillion = m.GetTracedPerMillion()
	}
	return s, nil
}

func parseRanges(texts []string) (ranges.Set, error) {
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return ranges.Set{}, fmt.Errorf("[%d]: %w", i, err)
		}
		prefixes[i] = p
	}
	return ranges.NewSet(prefixes), nil
}

// newService returns a service without its Sender, which depends on the settings.
func newService(self id.ID, m *configv1.Service) *Service {
	return &Service{ID: self, Name: m.GetName(), Spec: newSpec(m.GetUpstream())}
}

func newRoute(self id.ID, m *configv1.Route) (*routeObject, error) {
	r := &routeObject{
		id: m.GetId(), service: m.GetService(), public: m.GetPublic(),
		info: pipeline.RouteInfo{ID: self, Name: m.GetName()},
		rule: &router.Rule{ID: self, Hosts: m.GetHosts(), Methods: m.GetMethods()},
	}
	for i, match := range m.GetPaths() {
		p, err := pathOf(match)
		if err != nil {
			return nil, fmt.Errorf("paths[%d]: %w", i, err)
		}
		f, err := newForwarding(m, match)
		if err != nil {
			return nil, fmt.Errorf("paths[%d]: %w", i, err)
		}
		r.rule.Paths = append(r.rule.Paths, p)
		r.paths = append(r.paths, f)
	}
	var err error
	if r.rule.Headers, err = conditionsOf(m.GetHeaders()); err != nil {
		return nil, fmt.Errorf("headers%w", err)
	}
	if r.rule.Query, err = conditionsOf(m.GetQuery()); err != nil {
		return nil, fmt.Errorf("query%w", err)
	}
	return r, nil
}

var errNoMatch = errors.New("no way to compare")

func pathOf(match *configv1.PathMatch) (router.Path, error) {
	switch m := match.GetMatch().(type) {
	case *configv1.PathMatch_Exact:
		return router.Path{By: router.Exact, Text: m.Exact}, nil
	case *configv1.PathMatch_Prefix:
		return router.Path{By: router.Prefix, Text: m.Prefix}, nil
	case *configv1.PathMatch_Template:
		return router.Path{By: router.Template, Text: m.Template}, nil
	}
	return router.Path{}, errNoMatch
}

func conditionsOf(matches []*configv1.ValueMatch) ([]router.Condition, error) {
	var conditions []router.Condition
	for i, match := range matches {
		c := router.Condition{Name: match.GetName()}
		switch m := match.GetMatch().(type) {
		case *configv1.ValueMatch_Exact:
			c.By, c.Value = router.Exact, m.Exact
		case *configv1.ValueMatch_Prefix:
			c.By, c.Value = router.Prefix, m.Prefix
		case *configv1.ValueMatch_Present:
			c.By = router.Absent
			if m.Present {
				c.By = router.Present
			}
		default:
			return nil, fmt.Errorf("[%d]: %w", i, errNoMatch)
		}
		conditions = append(conditions, c)
	}
	return conditions, nil
}

// newPolicy compiles a policy; m has its defaults filled in.
func (e *Env) newPolicy(self id.ID, m *configv1.Policy) (*policyObject, error) {
	kind, config, err := kinds.Unpack(m.GetConfig())
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	binding, ok := e.bindings[m.GetKind()]
	if !ok || kind.Name != m.GetKind() {
		return nil, fmt.Errorf("kind: this build doesn't enforce %q with a configuration of kind %q", m.GetKind(), kind.Name)
	}
	p := &pipeline.Policy{
		ID: self, Name: m.GetName(), Kind: binding.Kind, Phase: binding.Kind.Phase(config),
		Final: m.GetFinal(), Position: m.GetPosition(),
	}
	if p.Mode, err = modeOf(m.GetMode(), binding); err != nil {
		return nil, fmt.Errorf("mode: %w", err)
	}
	if p.Mode != pipeline.Off {
		if p.Stage, err = binding.Compile(e.pipelineEnv(self, m.GetName()), config); err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
	}
	places, err := placesOf(m.GetAttachedTo())
	if err != nil {
		return nil, fmt.Errorf("attached_to%w", err)
	}
	return &policyObject{id: m.GetId(), places: places, policy: p}, nil
}

var (
	errMode   = errors.New("not stated, or unknown to this build")
	errShadow = errors.New("a kind that decides nothing can't run in shadow")
	errPlace  = errors.New("attached to nothing that this build knows")
)

func modeOf(mode configv1.Mode, binding pipeline.Binding) (pipeline.Mode, error) {
	switch mode {
	case configv1.Mode_MODE_OFF:
		return pipeline.Off, nil
	case configv1.Mode_MODE_SHADOW:
		if !binding.Kind.Traits.Decides {
			return 0, errShadow
		}
		return pipeline.Shadow, nil
	case configv1.Mode_MODE_ENFORCE:
		return pipeline.Enforce, nil
	case configv1.Mode_MODE_UNSPECIFIED:
	}
	return 0, errMode
}

func placesOf(attachments []*configv1.Attachment) ([]place, error) {
	var places []place
	for i, a := range attachments {
		switch level := a.GetLevel().(type) {
		case *configv1.Attachment_Environment:
			places = append(places, place{level: policy.Environment})
		case *configv1.Attachment_Service:
			places = append(places, place{level: policy.Service, id: level.Service})
		case *configv1.Attachment_Route:
			places = append(places, place{level: policy.Route, id: level.Route})
		case *configv1.Attachment_Consumer:
			if _, err := id.Parse(id.Consumer, level.Consumer); err != nil {
				return nil, fmt.Errorf("[%d].consumer: %w", i, err)
			}
			places = append(places, place{level: policy.Consumer, id: level.Consumer})
		default:
			return nil, fmt.Errorf("[%d]: %w", i, errPlace)
		}
	}
	return places, nil
}
