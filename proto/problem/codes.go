package problem

// Codes of both faces.
const (
	MethodNotAllowed     Code = "method_not_allowed"
	UnsupportedMediaType Code = "unsupported_media_type"
	RateLimited          Code = "rate_limited"
	Internal             Code = "internal"
)

// Codes of the control plane.
const (
	InvalidRequest     Code = "invalid_request"
	MalformedJSON      Code = "malformed_json"
	Unauthenticated    Code = "unauthenticated"
	Forbidden          Code = "forbidden"
	NotFound           Code = "not_found"
	Conflict           Code = "conflict"
	NameTaken          Code = "name_taken"
	Referenced         Code = "referenced"
	PreconditionFailed Code = "precondition_failed"
	TooLarge           Code = "too_large"
	LimitReached       Code = "limit_reached"
	ForceNeeded        Code = "force_needed"
	Unavailable        Code = "unavailable"
	JoinTokenInvalid   Code = "join_token_invalid"
	NodeDisabled       Code = "node_disabled"
	PositionAhead      Code = "position_ahead"
	CapabilityMissing  Code = "capability_missing"
	NodeUnreachable    Code = "node_unreachable"
	GuardrailViolated  Code = "guardrail_violated"
)

// Codes of proposals, and of requests that are made under an idempotency key.
const (
	ProposalRequired      Code = "proposal_required"
	ProposalStale         Code = "proposal_stale"
	ProposalOwn           Code = "proposal_own"
	ProposalNotApproved   Code = "proposal_not_approved"
	IdempotencyMismatch   Code = "idempotency_mismatch"
	IdempotencyInProgress Code = "idempotency_in_progress"
	IdempotencyReplyLost  Code = "idempotency_reply_lost"
)

// Codes of signing in.
const (
	SignInFailed            Code = "sign_in_failed"
	SignInRefused           Code = "sign_in_refused"
	SecondFactorNeeded      Code = "second_factor_needed"
	SecondFactorSetupNeeded Code = "second_factor_setup_needed"
	SessionRequired         Code = "session_required"
	InvitationInvalid       Code = "invitation_invalid"
	CrossOrigin             Code = "cross_origin"
)

// Codes of the edge.
const (
	BadRequest              Code = "bad_request"
	PathRefused             Code = "path_refused"
	CredentialMissing       Code = "credential_missing"
	CredentialInvalid       Code = "credential_invalid"
	CredentialExpired       Code = "credential_expired"
	TooManyFailures         Code = "too_many_failures"
	AuthenticationBusy      Code = "authentication_busy"
	ConsumerSuspended       Code = "consumer_suspended"
	AddressNotAllowed       Code = "address_not_allowed"
	Blocked                 Code = "blocked"
	ScopeMissing            Code = "scope_missing"
	AccessDenied            Code = "access_denied"
	StreamEnded             Code = "stream_ended"
	RouteNotFound           Code = "route_not_found"
	RequestTimeout          Code = "request_timeout"
	BodyTooLarge            Code = "body_too_large"
	TargetTooLong           Code = "target_too_long"
	HeadersTooLarge         Code = "headers_too_large"
	PolicyFailed            Code = "policy_failed"
	ExpectationFailed       Code = "expectation_failed"
	UpgradeNotSupported     Code = "upgrade_not_supported"
	CodingNotSupported      Code = "coding_not_supported"
	VersionNotSupported     Code = "version_not_supported"
	UpstreamUnreachable     Code = "upstream_unreachable"
	UpstreamAddressRefused  Code = "upstream_address_refused"
	UpstreamInvalidResponse Code = "upstream_invalid_response"
	UpstreamTimeout         Code = "upstream_timeout"
	UpstreamBusy            Code = "upstream_busy"
	ConfigurationStale      Code = "configuration_stale"
	NotReady                Code = "not_ready"
	ClientGone              Code = "client_gone"
	OriginNotAllowed        Code = "origin_not_allowed"
	Maintenance             Code = "maintenance"
)

// Codes of inspection.
const (
	WafBlocked           Code = "waf_blocked"
	WafAnswerBlocked     Code = "waf_answer_blocked"
	InspectionOverBudget Code = "inspection_over_budget"
	InspectionBusy       Code = "inspection_busy"
	NodeBusy             Code = "node_busy"
	BodyRefused          Code = "body_refused"
	JSONRefused          Code = "json_refused"
	SchemaBroken         Code = "schema_broken"
	AnswerSchemaBroken   Code = "answer_schema_broken"
	EndpointUndocumented Code = "endpoint_undocumented"
)

var definitions = [...]Definition{
	{MethodNotAllowed, 405, "Method not allowed", "The path exists, but not for this method. The Allow header lists the methods that it takes."},
	{UnsupportedMediaType, 415, "Unsupported media type", "The Content-Type isn't one that is read here, or is missing; the detail names what is."},
	{RateLimited, 429, "Too many requests", "A limit is used up. Retry-After tells, in seconds, when the next request can pass."},
	{Internal, 500, "Internal error", "Something failed on our side. The request id finds the cause in the server's log."},

	{InvalidRequest, 400, "Invalid request", "The request was understood but is not valid; errors lists every bad field or parameter."},
	{MalformedJSON, 400, "Malformed JSON", "The body is not one JSON document (RFC 8259); the detail tells where reading stopped."},
	{Unauthenticated, 401, "Authentication required", "The request carries no valid session or access token."},
	{Forbidden, 403, "Permission missing", "Whoever asks is known, but no role of theirs permits this operation here."},
	{NotFound, 404, "Not found", "There is no such object, or none that the caller may see."},
	{Conflict, 409, "Conflict", "The request contradicts what is there now. Read it again, then decide."},
	{NameTaken, 409, "Name taken", "Another object of this type has this name in the environment already."},
	{Referenced, 409, "Still referenced", "Other objects refer to this one; referrers lists them. Change or delete them first."},
	{PreconditionFailed, 412, "Precondition failed", "The object has changed since the version that If-Match names. Read it again and reapply the change."},
	{TooLarge, 413, "Too large", "The body, an object in it or the number of operations is over the limit that the detail names."},
	{LimitReached, 409, "Limit reached", "The environment holds as much of this as it may; the detail names the limit. Delete what isn't needed, or make another environment."},
	{ForceNeeded, 409, "Force needed", "The change does so much at once that it is only made when force=true says that it is meant; the detail names what it does."},
	{Unavailable, 503, "Unavailable", "Something that this needs, the database for instance, doesn't answer at the moment. Nothing was written; try again."},
	{JoinTokenInvalid, 401, "Join token invalid", "The join token is unknown, expired, used up, or made for another environment or node group. Make a new one."},
	{NodeDisabled, 403, "Node disabled", "An operator has disabled this node. It gets neither a certificate nor configuration."},
	{PositionAhead, 409, "Position ahead of the database", "A node holds a position that the database hasn't reached: the database went back. Serving it would revive what was revoked."},
	{CapabilityMissing, 409, "Capability missing", "A node of the environment doesn't understand what the change holds. Update the node or disable it; with force=true the change is made, and that node refuses it and serves on with what it has."},
	{NodeUnreachable, 504, "Node unreachable", "The node didn't answer: no replica has its stream, or it took too long. The detail tells since when."},
	{GuardrailViolated, 422, "Guardrail violated", "The change breaks a rule that the environment has set over its configuration; errors names the guardrails and what breaks them."},

	{ProposalRequired, 409, "Proposal required", "The environment demands four eyes: its configuration changes by proposals alone. File the change as a proposal, for somebody else to approve and publish."},
	{ProposalStale, 409, "Proposal stale", "What the proposal touches has changed since it was planned; errors lists the objects. Its author can refresh it, which voids the approvals."},
	{ProposalOwn, 403, "Own proposal", "Whoever files a proposal neither approves nor publishes it, through no other token either: somebody else must."},
	{ProposalNotApproved, 409, "Proposal not approved", "Nobody but its author has agreed to the proposal as it is now planned. Have it approved first."},
	{IdempotencyMismatch, 422, "Idempotency key used for another request", "This key came with another request before. Use a new key for each request that means something else."},
	{IdempotencyInProgress, 409, "Request under way", "The first request with this key isn't answered yet. Ask again, with the same key, after the time in Retry-After."},
	{IdempotencyReplyLost, 409, "Reply lost", "The first request with this key was carried out, but its answer was lost and isn't kept. Nothing is done again; the detail names what it made."},

	{SignInFailed, 401, "Sign-in failed", "The user name, the password or the code is wrong, or the user is disabled: which of these it is isn't told."},
	{SignInRefused, 403, "Sign-in refused", "Whoever signs in was recognised, or sent here by a provider, but isn't let in; the detail tells why."},
	{SecondFactorNeeded, 401, "Second factor needed", "The password is right, and the user has a second factor: send a code of it too."},
	{SecondFactorSetupNeeded, 403, "Second factor to be set up", "Whoever has a role needs a second factor here, and this user has none yet. Until it is set up nothing else can be done."},
	{SessionRequired, 403, "Session required", "This is for a person who has signed in. An access token isn't enough, so that one that leaks doesn't decide over how its user signs in."},
	{InvitationInvalid, 401, "Invitation invalid", "The invitation is mistyped, expired, used or replaced by another one."},
	{CrossOrigin, 403, "From another origin", "The request came with a session but not from the console's own pages, which say so in a header; it was not carried out."},

	{BadRequest, 400, "Bad request", "The request breaks the rules of HTTP, or can be read in two ways."},
	{PathRefused, 400, "Path refused", "The path can be read in two ways (dot segments, encoded slashes, double encoding and the like). Send its plain form."},
	{CredentialMissing, 401, "Credential missing", "This route needs a credential, and the request carries none."},
	{CredentialInvalid, 401, "Credential invalid", "The credential is mistyped, unknown, revoked, or made for another environment."},
	{CredentialExpired, 401, "Credential expired", "The credential was valid until its expiry, which has passed."},
	{TooManyFailures, 429, "Too many failures", "Too many wrong credentials came from this address or for this username. Retry-After tells, in seconds, when the next one is looked at."},
	{AuthenticationBusy, 503, "Authentication busy", "The node checks as many passwords as it may at a time, and as many more wait. Retry-After tells, in seconds, when to come back."},
	{ConsumerSuspended, 403, "Consumer suspended", "The credential is valid, but the consumer it proves is suspended."},
	{AddressNotAllowed, 403, "Address not allowed", "The client's address is not among those that may do this."},
	{Blocked, 403, "Blocked", "An operator has blocked the consumer, the credential or the address that this request came from."},
	{ScopeMissing, 403, "Scope missing", "The credential is valid, but lacks a scope that this route requires."},
	{AccessDenied, 403, "Access denied", "Whoever calls may not make this request, although nothing is wrong with their credential. Whoever runs the API decides on it."},
	{StreamEnded, 403, "Stream ended", "Whoever opened this long request isn't let in any more: the key was revoked or has expired, its consumer is suspended, or the caller is blocked. Of an answer that had begun the rest is cut off."},
	{RouteNotFound, 404, "No route", "No route matches this host, path and request."},
	{RequestTimeout, 408, "Request timeout", "The request's head or body didn't arrive in time."},
	{BodyTooLarge, 413, "Body too large", "The request body is larger than this route takes. What was sent beyond reached nobody."},
	{TargetTooLong, 414, "Request target too long", "The path and query are longer, or have more parameters, than the gateway or this route takes."},
	{HeadersTooLarge, 431, "Headers too large", "The request headers are larger, or more, than the gateway or this route takes."},
	{PolicyFailed, 500, "Policy failed", "A policy could not reach its verdict, so the request was refused. The request id finds the cause in the node's log."},
	{ExpectationFailed, 417, "Expectation failed", "The Expect header asks for something else than 100-continue."},
	{UpgradeNotSupported, 501, "Upgrade not supported", "The request asks to switch to another protocol than WebSocket, or to that in another way than RFC 6455 says."},
	{CodingNotSupported, 501, "Transfer coding not supported", "The request's Transfer-Encoding is not chunked alone."},
	{VersionNotSupported, 505, "HTTP version not supported", "The request's version is neither HTTP/1.0 nor HTTP/1.1; HTTP/2 is spoken over TLS alone."},
	{UpstreamUnreachable, 502, "Upstream unreachable", "No connection to the service behind this route could be made, or it broke before an answer."},
	{UpstreamAddressRefused, 502, "Upstream address refused", "The service's name leads to an address that this environment doesn't allow (loopback, link-local, the gateway's own)."},
	{UpstreamInvalidResponse, 502, "Invalid response from upstream", "The service behind this route answered with something that isn't valid HTTP."},
	{UpstreamTimeout, 504, "Upstream timeout", "The service behind this route didn't answer in the time that it is given."},
	{UpstreamBusy, 503, "Upstream busy", "The service behind this route has as many requests under way as it is given at a time, and as many more wait."},
	{ConfigurationStale, 503, "Configuration stale", "This node hasn't heard from its control plane for longer than the environment allows, so it no longer vouches for credentials."},
	{NotReady, 503, "Not ready", "This node has no configuration yet, or doesn't know yet whom to let in."},
	{ClientGone, 408, "Client gone", "The client closed the connection before it was answered. Nobody sees this but the usage and the access log."},
	{OriginNotAllowed, 403, "Origin not allowed", "The request comes from a web page of an origin that this route doesn't serve."},
	{Maintenance, 503, "Maintenance", "The service behind this route is down on purpose. Retry-After tells, in seconds, when to come back."},

	{WafBlocked, 403, "Request blocked", "The request looks like an attack by the rules that this route is protected by. The request id finds which rules they are."},
	{WafAnswerBlocked, 502, "Answer withheld", "The service's answer looks by the rules of this route as if it gave something away. The request id finds which rules they are."},
	{InspectionOverBudget, 429, "Inspection budget used up", "Inspecting this caller's requests has cost as much as it may for now. Retry-After tells, in seconds, when the next one is looked at."},
	{InspectionBusy, 503, "Inspection busy", "The node inspects as many requests as it may at a time, and as many more wait. Retry-After tells, in seconds, when to come back."},
	{NodeBusy, 503, "Node busy", "The node holds as many request bodies in memory as it may. Retry-After tells, in seconds, when to come back."},
	{BodyRefused, 400, "Body refused", "The body isn't what its Content-Type says, can't be read, or can be read in two ways; the detail tells which."},
	{JSONRefused, 400, "JSON refused", "The body isn't JSON that has one reading, or goes beyond a bound; errors names the place."},
	{SchemaBroken, 400, "Request breaks its schema", "The request isn't as the description of this API says; errors lists every place."},
	{AnswerSchemaBroken, 502, "Answer breaks its schema", "The service's answer isn't as the description of its API says."},
	{EndpointUndocumented, 404, "Endpoint not described", "The description of this API knows no such path, or not this method on it."},
}
