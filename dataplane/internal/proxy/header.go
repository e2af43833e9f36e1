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

// Prefixes of ids as text.
const (
	consumerPrefix   = id.Consumer
	credentialPrefix = id.APIKey
)

// ownPrefixes begin names that are the gateway's alone: what it says of the caller, and what proxies say of a request, be it
// who the user is (X-Forwarded-User, -Email, -Groups, -Client-Cert, …). Lower case, with hyphens, at most longestName long.
var ownPrefixes = [...]string{"x-sallyport-", "x-forwarded-"}

// refusedNames never reach a service from a client: those that the gateway sets itself, and those by which some services let a
// client speak of another path or method than the one that was decided on. Lower case, with hyphens.
var refusedNames = map[string]bool{
	"x-request-id": true, "forwarded": true, "x-forwarded": true, "x-real-ip": true,
	"x-client-ip": true, "x-cluster-client-ip": true, "true-client-ip": true,
	"x-original-url": true, "x-original-uri": true, "x-rewrite-url": true,
	"x-http-method": true, "x-http-method-override": true, "x-method-override": true,
	"remote-user": true, "x-remote-user": true,
	"proxy": true, // CGI makes it HTTP_PROXY
}

// hopByHop are the fields of one connection (RFC 9110, section 7.6.1), besides what Connection names. Lower case.
var hopByHop = map[string]bool{
	"connection": true, "proxy-connection": true, "keep-alive": true, "te": true, "trailer": true,
	"transfer-encoding": true, "upgrade": true, "proxy-authenticate": true, "proxy-authorization": true, "proxy-authentication-info": true,
	"http2-settings": true, "expect": true, "content-length": true, // framing is told by ContentLength alone
}

// longestName is the longest name in the tables; a longer one can only be the gateway's by its prefix.
const longestName = 32

// prepareRequest leaves in the header what the service may see, and adds what the gateway knows.
func prepareRequest(ex *pipeline.Exchange) {
	header := &ex.Request.Header
	trailers := acceptsTrailers(header)
	header.DropConnection()
	header.DeleteFunc(func(f pipeline.Field) bool {
		name, whole := folded(f.Name)
		return name.isOwn() || whole && (hopByHop[name.text()] || refusedNames[name.text()])
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
	header.Add(requestIDHeader, requestID(ex))
	header.Add(forwardedProtoHeader, ex.Request.Scheme)
	if ex.Request.Host != "" {
		header.Add(forwardedHostHeader, ex.Request.Host)
	}
	if ex.Client.Address.IsValid() {
		address := ex.Client.Address.String()
		header.Add(forwardedForHeader, address)
		header.Add(realIPHeader, address)
	}
	if ex.Identity.Known() {
		header.Add(consumerHeader, id.Text(consumerPrefix, ex.Identity.Consumer.ID))
		header.Add(consumerNameHeader, ex.Identity.Consumer.Name)
		header.Add(credentialHeader, id.Text(credentialPrefix, ex.Identity.Credential))
	}
}

// prepareResponse leaves in the header what the client may see.
func prepareResponse(ex *pipeline.Exchange) {
	header := &ex.Response.Header
	header.DropConnection()
	header.DeleteFunc(func(f pipeline.Field) bool {
		name, whole := folded(f.Name)
		return whole && hopByHop[name.text()] && name.text() != "trailer"
	})
}

// nameBuffer holds a folded name without allocating.
type nameBuffer struct {
	bytes  [longestName]byte
	length int
}

func (n *nameBuffer) text() string { return string(n.bytes[:n.length]) }

func (n *nameBuffer) isOwn() bool {
	for _, prefix := range ownPrefixes {
		if strings.HasPrefix(n.text(), prefix) {
			return true
		}
	}
	return false
}

// folded returns a name in lower case with hyphens for all that is neither letter nor digit: many services read
// X_Forwarded_For as X-Forwarded-For, and those that make variables of names X.Forwarded.For as well. whole is false when the name
// was cut.
func folded(name string) (buffer *nameBuffer, whole bool) {
	buffer = new(nameBuffer)
	for i := range min(len(name), longestName) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case (c < 'a' || c > 'z') && (c < '0' || c > '9'):
			c = '-'
		}
		buffer.bytes[i] = c
	}
	buffer.length = min(len(name), longestName)
	return buffer, len(name) <= longestName
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

func requestID(ex *pipeline.Exchange) string { return id.Text(pipeline.RequestIDPrefix, ex.ID) }
