package cors

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/cors"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "cors" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// The fields of the protocol (Fetch standard, sections 3.3.2 and 3.3.3; Private Network Access, section 2.2).
const (
	prefix         = "Access-Control-"
	allowOrigin    = "Access-Control-Allow-Origin"
	allowMethods   = "Access-Control-Allow-Methods"
	allowHeaders   = "Access-Control-Allow-Headers"
	allowCreds     = "Access-Control-Allow-Credentials"
	allowPrivate   = "Access-Control-Allow-Private-Network"
	requestPrivate = "Access-Control-Request-Private-Network"
	exposeHeaders  = "Access-Control-Expose-Headers"
	maxAge         = "Access-Control-Max-Age"
	noContent      = 204
)

// Values of Vary: what a cache between would have to keep answers apart by.
const (
	varyAnswer    = "Origin"
	varyPreflight = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
	varyPrivate   = varyPreflight + ", " + requestPrivate
)

// stage is immutable.
type stage struct {
	origins     origins
	methods     string
	headers     string
	exposed     string
	maxAge      string
	credentials bool
	private     bool
	refuse      bool
}

var (
	errNoOrigin = errors.New("origins: none")
	errAny      = errors.New(`credentials: never together with "*"`)
)

func compile(_ pipeline.Env, config *policyv1.Cors) (pipeline.Stage, error) {
	listed, err := newOrigins(config.GetOrigins())
	if err != nil {
		return nil, err
	}
	s := &stage{
		origins: listed,
		methods: strings.Join(config.GetMethods(), ", "), headers: strings.Join(config.GetHeaders(), ", "), exposed: strings.Join(config.GetExposedHeaders(), ", "),
		maxAge:      strconv.FormatInt(int64(config.GetMaxAge().AsDuration()/time.Second), 10),
		credentials: config.GetCredentials(), private: config.GetPrivateNetwork(), refuse: config.GetRefuseUnlisted(),
	}
	switch {
	case len(config.GetOrigins()) == 0:
		return nil, errNoOrigin
	case s.credentials && (listed.any || slices.Contains(slices.Concat(config.GetHeaders(), config.GetExposedHeaders()), "*")):
		return nil, errAny
	}
	return s, nil
}

// Request implements pipeline.Stage: it answers preflights, and refuses origins that aren't listed if it is told to.
func (s *stage) Request(ex *pipeline.Exchange) error {
	preflight := ex.Preflight() != ""
	if !preflight && !s.refuse {
		return nil
	}
	if s.refuse && ex.Request.Header.Has("Origin") && s.allowed(ex) == "" {
		return ex.Reject(problem.OriginNotAllowed, "", "the origin isn't listed")
	}
	if !preflight || ex.InShadow() {
		return nil
	}
	return ex.Reply(noContent, nil) // what it says is Response's to tell, as of any other answer
}

// allowed returns what the request's origin is told; "": nothing, also where there is none.
func (s *stage) allowed(ex *pipeline.Exchange) string {
	origin, one := ex.Request.Header.Only("Origin")
	if !one || origin == "" {
		return ""
	}
	return s.origins.allow(origin)
}

// Response implements pipeline.Responder: it tells the browser whether the page may read the answer, and after a preflight what it may
// ask. It is the last to speak: what the service or other policies have said goes, in the answer to a preflight too.
func (s *stage) Response(ex *pipeline.Exchange) error {
	out := &ex.Response.Header
	preflight := ex.Preflight() != ""
	out.DeleteFunc(isCORS)
	s.vary(out, preflight)
	allowed := s.allowed(ex)
	if preflight && ex.Replied() && ex.Rejection == nil && allowed != "" {
		s.permit(ex)
	}
	if s.origins.same() {
		allowed = contract.Any // whoever asks, so that answers needn't vary
	}
	if allowed == "" {
		return nil
	}
	out.Set(allowOrigin, allowed)
	if s.credentials {
		out.Set(allowCreds, "true")
	}
	if !preflight && s.exposed != "" {
		out.Set(exposeHeaders, s.exposed)
	}
	return nil
}

// permit tells a page that is allowed what it may ask.
func (s *stage) permit(ex *pipeline.Exchange) {
	out := &ex.Response.Header
	add(out, allowMethods, s.methods)
	add(out, allowHeaders, s.headers)
	out.Add(maxAge, s.maxAge)
	if s.private && ex.Request.Header.Get(requestPrivate) == "true" {
		out.Add(allowPrivate, "true")
	}
}

func (s *stage) vary(out *pipeline.Header, preflight bool) {
	switch {
	case preflight && s.private:
		out.Add("Vary", varyPrivate)
	case preflight:
		out.Add("Vary", varyPreflight)
	case !s.origins.same():
		out.Add("Vary", varyAnswer)
	}
}

// isCORS tells whether a field is one of the protocol's.
func isCORS(f pipeline.Field) bool {
	return len(f.Name) >= len(prefix) && pipeline.EqualFold(f.Name[:len(prefix)], prefix)
}

func add(out *pipeline.Header, name, value string) {
	if value != "" {
		out.Add(name, value)
	}
}
