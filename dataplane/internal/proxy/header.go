package proxy

import (
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/tracing"
	"github.com/sallyport/sallyport/proto/id"
)

// Names by which services learn what the gateway knows.
const (
	requestIDHeader      = "X-Request-Id"
	consumerHeader       = "X-Sallyport-Consumer"
	consumerNameHeader   = "X-Sallyport-Consumer-Name"
	credentialHeader     = "X-Sallyport-Credential"
	forwardedForHeader   = "X-Forwarded-For"
	forwardedProtoHeader = "X-Forwarded-Proto"
	forwardedHostHeader  = "X-Forwarded-Host"
	realIPHeader         = "X-Real-Ip"
)

// consumerPrefix is that of a consumer's id as text.
const consumerPrefix = id.Consumer

// ownPrefixes begin names that are the gateway's alone: what it says of the caller, and what proxies say of a request, be it
// who the user is (X-Forwarded-User, -Email, -Groups, -Client-Cert, …). Lower case, with hyphens.
var ownPrefixes = [...]string{"x-sallyport-", "x-forwarded-"}

// refused never reach a service from a client: those that the gateway sets itself, and those by which some services let a
// client speak of another path or method than the one that was decided on.
var refused = newNames(
	"x-request-id", "forwarded", "x-forwarded", "x-real-ip",
	"x-client-ip", "x-cluster-client-ip", "true-client-ip",
	"x-original-url", "x-original-uri", "x-rewrite-url",
	"x-http-method", "x-http-method-override", "x-method-override",
	"remote-user", "x-remote-user",
	"proxy", // CGI makes it HTTP_PROXY
)

// hopByHop are the fields of one connection (RFC 9110, section 7.6.1), besides what Connection names.
var hopByHop = newNames(
	"connection", "proxy-connection", "keep-alive", "te", "trailer",
	"transfer-encoding", "upgrade", "proxy-authenticate", "proxy-authorization", "proxy-authentication-info",
	"http2-settings", "expect", "content-length", // framing is told by ContentLength alone
)

// trailerName says which trailers will come; a client may want to know.
const trailerName = "trailer"

// prepareRequest leaves in the header what the service may see, and adds what the gateway knows.
func prepareRequest(ex *pipeline.Exchange) {
	header := &ex.Request.Header
	trailers := acceptsTrailers(header)
	header.DropConnection()
	header.DeleteFunc(func(f pipeline.Field) bool {
		return isOwn(f.Name) || hopByHop.has(f.Name) || refused.has(f.Name)
	})
	if trailers {
		header.Add("Te", "trailers")
	}
	if ex.Request.Upgrade != "" {
		addUpgrade(header, ex.Request.Upgrade)
	}
	if ex.Span != nil {
		header.Set(tracing.ParentHeader, ex.Span.Parent())
	}
	header.Add(requestIDHeader, ex.IDText())
	header.Add(forwardedProtoHeader, ex.Request.Scheme)
	if ex.Request.Host != "" {
		header.Add(forwardedHostHeader, ex.Request.Host)
	}
	if ex.Client.Address.IsValid() {
		address := ex.TextDone(ex.Client.Address.AppendTo(ex.TextBuffer()))
		header.Add(forwardedForHeader, address)
		header.Add(realIPHeader, address)
	}
	if ex.Identity.Known() {
		header.Add(consumerHeader, idText(ex, consumerPrefix, ex.Identity.Consumer.ID))
		header.Add(consumerNameHeader, ex.Identity.Consumer.Name)
		if prefix, credential := ex.Identity.Vouching(); !credential.IsZero() {
			header.Add(credentialHeader, idText(ex, prefix, credential))
		}
	}
}

// prepareResponse leaves in the header what the client may see.
func prepareResponse(ex *pipeline.Exchange) {
	header := &ex.Response.Header
	header.DropConnection()
	header.DeleteFunc(func(f pipeline.Field) bool {
		return hopByHop.has(f.Name) && !reads(f.Name, trailerName)
	})
}

// acceptsTrailers reports whether the client takes trailers (RFC 9110, section 10.1.4), which gRPC demands.
func acceptsTrailers(header *pipeline.Header) bool {
	for _, f := range header.Fields() {
		if !pipeline.EqualFold(f.Name, "Te") {
			continue
		}
		for coding := range strings.SplitSeq(f.Value, ",") {
			if pipeline.EqualFold(strings.TrimSpace(coding), "trailers") {
				return true
			}
		}
	}
	return false
}

// idText is an id as text, in the exchange's own memory.
func idText(ex *pipeline.Exchange, prefix string, of id.ID) string {
	return ex.TextDone(id.Append(ex.TextBuffer(), prefix, of))
}
