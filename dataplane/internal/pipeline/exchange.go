package pipeline

import (
	"io"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/claims"
	"github.com/sallyport/sallyport/dataplane/internal/descriptions"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/exclusions"
	"github.com/sallyport/sallyport/dataplane/internal/issuers"
	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/rates"
	"github.com/sallyport/sallyport/dataplane/internal/streams"
	"github.com/sallyport/sallyport/dataplane/internal/tracing"
	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Allowed is the verdict on a request that no stage refused.
const Allowed problem.Code = "allowed"

// Exchange is the gateway's own view of one request and its response. A listener fills Request and Client, the router
// Route and Params, authenticate stages Identity, the upstream Response; stages read and change what their phase may.
//
// An Exchange belongs to one goroutine. It is pooled: nothing may keep it, or a string that shares its buffers, after
// Finish.
type Exchange struct {
	// ID names the request in logs, traces and problems; the client's own X-Request-Id is never trusted for it.
	ID id.ID
	// Started is when the first byte of the request was read.
	Started time.Time
	// Now is when the first stage ran, wall clock and monotonic: the one time that all stages decide by. A listener that has had the whole head at
	// once sets it to Started, which spares a look at the clock.
	Now time.Time
	// Asked is when the service was asked; zero: it wasn't.
	Asked time.Time
	// Answered is when the service's answer began, or failed to come; zero: it wasn't asked.
	Answered time.Time
	// Ended is when the answer was about to be sent whole; zero: nobody has noted it, and it is when Finish is called. A listener that has had
	// all of the answer at once sets it to Answered, which spares a look at the clock.
	Ended time.Time
	// Upstream is how long the service took until its answer began; 0: it wasn't asked.
	Upstream time.Duration
	// UpstreamStatus is that of the service's answer; 0: there was none.
	UpstreamStatus int
	// Target that was asked, host:port; "": none was.
	Target string
	// Abort ends the exchange from outside.
	Abort *Abort
	// Seat is the exchange's place among those under way.
	Seat streams.Seat
	// Wire is the client's side, to be cut off; nil: there is none.
	Wire streams.Wire
	// Interim sends the client an interim answer of the service (103); nil: it takes none.
	Interim func(status int, header *Header)

	Request  Request
	Response Response
	Client   Client

	// Revision of the configuration that decides on this request.
	Revision uint64
	// Route is what the router found; nil when nothing matched.
	Route *RouteInfo
	// Stages of that route; nil until they run.
	Stages *Stages
	// Issuers are those whose tokens the configuration trusts; nil: there are none.
	Issuers *issuers.Set
	// Exclusions are what rules of the WAF don't look at on single routes; nil: there are none.
	Exclusions *exclusions.Set
	// Descriptions are the API descriptions of the configuration; nil: there are none.
	Descriptions *descriptions.Set
	// Overlays are the policies that are attached to consumers; nil: there are none.
	Overlays *Overlays
	// Params are the values of the matched template's parameters, in the template's order; none for other paths.
	Params []string
	// ParamNames are the names of Params. The slice is the route's own.
	ParamNames []string

	// Identity is who calls, once an enforced authenticate stage has said so.
	Identity Identity
	// Shadow is who would call according to shadow stages; only shadow stages see it.
	Shadow Identity
	// Quotas are what enforced limits leave the caller, in the order in which they were counted.
	Quotas []Quota

	// Verdict is Allowed or the code of the rejection; "" until it is known.
	Verdict problem.Code
	// ShadowVerdict is the code with which the first shadow stage would have refused; "" if none would have.
	ShadowVerdict problem.Code
	// Findings are what inspecting stages found, for operators; the first MaxFindings.
	Findings []Finding
	// Rejection is set when the edge itself answers with a refusal.
	Rejection *Rejection
	// AnsweredBy is the policy that answered in the upstream's place without refusing; zero: none did.
	AnsweredBy Answerer
	// Dry runs touch no counter and spend no limit, and no service is asked (explain, replay).
	Dry bool
	// Assumed is who calls although no credential says so; nil: nobody. Stages that authenticate take their word for it in
	// dry runs alone: see Standin.
	Assumed *Assumed
	// Trace notes what each stage says; nil: nobody wants to know.
	Trace *Trace
	// Sampled exchanges are kept with all that was decided, also when they are let pass.
	Sampled bool
	// Span is that of a request whose trace is sampled; nil: it isn't.
	Span *tracing.Span

	ran      int     // stages whose Request ran, for Responders and Finishers
	finished int     // of which Finish has been called; 0: not yet
	replied  bool    // a stage has answered in the upstream's place
	inShadow bool    // the stage at work is one in shadow
	shadowBy id.ID   // policy that ShadowVerdict is of
	overlaid *Stages // those that took the place of the route's; nil: none

	decider       int    // stages that had run once an enforced one of several that authenticate had found its credential; 0: none has
	shadowDecider int    // the same if all in shadow were enforced
	challenges    Header // of enforced stages that found none
	unclaimed     bool   // whether any found none

	stripe uint32
	watch  watch           // of the body
	memory *payload.Memory // that bodies take theirs from
	body   *payload.Body   // nil: nobody has asked for it
	held   *heldAnswer     // nil: nobody has asked for the answer's body
	kept   []kept          // by stages, for their Response

	draft  Rejection // what Reject fills
	final  Rejection // what Refuse settled on
	text   []byte    // what TextBuffer lends from
	answer ownBody
	idText string // once somebody has asked for it
}

// Request is what the client asked.
type Request struct {
	// Method in capitals, as sent.
	Method string
	// Scheme is "http" or "https", of the connection to the edge.
	Scheme string
	// Authority is the host asked for, lower case, without a port.
	Authority string
	// Host is the Host header (or :authority) as sent.
	Host string
	// RawPath is the path as sent. Nobody decides by it: it is what Path is made of, once the settings are known by which that is done.
	RawPath string
	// Path is the canonical path (proto/path): the only one that routes, policies and upstreams see.
	Path string
	// Query is the raw query, without '?'.
	Query string
	// Proto is "HTTP/1.0", "HTTP/1.1" or "HTTP/2.0".
	Proto string
	// Upgrade is the protocol that the client asks to switch to: "websocket", or "" for none. Others don't come so far.
	Upgrade string
	// Header holds the fields in the order received.
	Header Header
	// Trailer is filled once Body has been read to its end.
	Trailer Header
	// Body is never nil. It may be a Fronted one.
	Body io.Reader
	// ContentLength in bytes; -1: unknown, 0: none.
	ContentLength int64
	// BodyBytes counts what was read of Body.
	BodyBytes int64
	// ForwardPath is the path the upstream is asked for: Path unless the route strips or rewrites.
	ForwardPath string
}

// Response is what the client is answered.
type Response struct {
	// Status, 0 until there is one.
	Status int
	// Header holds the fields in the order they are sent.
	Header Header
	// Trailer is filled once Body has been read to its end.
	Trailer Header
	// Withheld tell, each of them, which trailers the client doesn't get: stages have no other hand in what comes behind the body.
	Withheld []func(name string) bool
	// Body may be nil: none. It may be a Fronted one.
	Body io.ReadCloser
	// Tunnel is the service's side once it has switched protocols (Status is 101); nil: it hasn't. Whoever ends the exchange closes it.
	Tunnel Tunnel
	// ContentLength in bytes; -1: unknown.
	ContentLength int64
	// BodyBytes counts what was written.
	BodyBytes int64
}

// Withholds tells whether the client doesn't get a trailer.
func (r *Response) Withholds(name string) bool {
	for _, withheld := range r.Withheld {
		if withheld(name) {
			return true
		}
	}
	return false
}

// Client is where the request came from.
type Client struct {
	// Peer is the other end of the connection.
	Peer netip.AddrPort
	// Address is the client's, by X-Forwarded-For if Peer is a trusted proxy, else Peer's. Unmapped, without zone.
	Address netip.Addr
}

// Identity is who calls, and by what proof.
type Identity struct {
	// Consumer is nil when nobody is known.
	Consumer *directory.Consumer
	// Credential is the id of the key (or other credential of the gateway's own) used; zero: a token of Issuer was.
	Credential id.ID
	// Proof is what the directory knows the credential by; zero: nothing to ask it about.
	Proof apikey.Digest
	// Password that fitted, as it was then; nil: none.
	Password *directory.Password
	// Scopes are what the credential may be used for.
	Scopes directory.ScopeSet
	// Watched says that somebody wants to know from where the credential is used.
	Watched bool
	// Issuer that vouches for the caller; zero: a credential of the gateway's own does.
	Issuer id.ID
	// Token is what the directory is asked about while the exchange lasts; nil: no token proved the caller.
	Token *directory.Token
	// Claims are what the issuer's token says; nil: there was none. They outlive the exchange.
	Claims *claims.Claims
}

// Vouching returns what names the credential to people and services, and the prefix of its id: the credential itself, or of a token its
// issuer. Tokens are too many, and too short of life, to be counted or shown one by one. A zero id: nothing does, the caller is somebody by
// choice of the route.
func (i *Identity) Vouching() (prefix string, of id.ID) {
	switch {
	case i.Password != nil:
		return id.Password, i.Credential
	case i.Credential.IsZero() && !i.Issuer.IsZero():
		return id.Issuer, i.Issuer
	default:
		return id.APIKey, i.Credential
	}
}

// Known tells whether there is a consumer.
func (i *Identity) Known() bool { return i.Consumer != nil }

// Assumed stands in for a credential whose secret nobody knows.
type Assumed struct {
	// Proof is what the directory knows the credential by; zero: none, and Consumer says who.
	Proof apikey.Digest
	// Consumer that has a credential with these Scopes, though the directory knows of none.
	Consumer id.ID
	Scopes   []string
}

// Standin returns who is assumed to call; nil: nobody, and the request itself must show a credential.
func (ex *Exchange) Standin() *Assumed {
	if !ex.Dry {
		return nil
	}
	return ex.Assumed
}

// Quota is what one window of a limit leaves the caller.
type Quota struct {
	// By is the stage that counted.
	By Stage
	// Remaining requests that could pass at once now.
	Remaining uint64
	// Reset is how long until the whole allowance is back if no more requests come.
	Reset time.Duration
}

// RouteInfo is what stages, usage and logs know of a route. It is immutable and outlives the revision that made it, as
// long as the route is the same.
type RouteInfo struct {
	ID          id.ID
	Name        string
	Service     id.ID
	ServiceName string
	// Rates counts what is asked of the service; nil: nobody wants to know.
	Rates *rates.Service
}

// LetGo drops what belongs to a revision of the configuration and isn't needed once the answer has begun: an exchange of hours must
// not keep alive what has been replaced. What counts and logs the exchange at its end stays.
func (ex *Exchange) LetGo() {
	if ex.Trace != nil && ex.Rejection == nil { // a refusal is no exchange of hours
		ex.Trace.LetGo()
	}
	if ex.Stages != nil && !ex.Stages.For(ex).finishes {
		ex.Stages, ex.overlaid = nil, nil
	}
	if ex.body != nil {
		ex.body.Trim()
	}
	ex.Overlays, ex.Issuers, ex.Descriptions = nil, nil, nil
	clear(ex.Quotas)
	ex.Quotas = ex.Quotas[:0]
	ex.ParamNames = nil
	ex.Identity.Scopes, ex.Shadow.Scopes = directory.ScopeSet{}, directory.ScopeSet{}
}

// Identify says who calls. In shadow only shadow stages learn it.
func (ex *Exchange) Identify(who Identity) {
	if ex.inShadow {
		ex.Shadow = who
		return
	}
	ex.Identity = who
}

// Caller returns who calls as far as the stage at work may know: the identity of an enforced stage, or, for a stage in
// shadow, the one that shadow stages have found out, if any.
func (ex *Exchange) Caller() *Identity {
	if ex.inShadow && ex.Shadow.Known() {
		return &ex.Shadow
	}
	return &ex.Identity
}

// InShadow tells a stage that it must not change the request.
func (ex *Exchange) InShadow() bool { return ex.inShadow }

// Param returns the value of a parameter of the matched template.
func (ex *Exchange) Param(name string) (string, bool) {
	for i, n := range ex.ParamNames {
		if n == name && i < len(ex.Params) {
			return ex.Params[i], true
		}
	}
	return "", false
}
