package proxy

import (
	"net/netip"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	schemeHTTPS = "https"
	// permanentRedirect keeps method and body, as 301 doesn't (RFC 9110, section 15.4.9): whatever was asked for is asked for again.
	permanentRedirect = 308

	strictTransportHeader = "Strict-Transport-Security"
)

// isSecure tells whether the client speaks TLS: to the edge, or to a trusted proxy, which says so.
func isSecure(ex *pipeline.Exchange, settings *snapshot.Settings) bool {
	if ex.Request.Scheme == schemeHTTPS {
		return true
	}
	if peer := ex.Client.Peer.Addr(); !peer.IsValid() || !settings.TrustedProxies.Contains(peer) {
		return false
	}
	fields := ex.Request.Header.Fields()
	for i := len(fields) - 1; i >= 0; i-- {
		if !pipeline.EqualFold(fields[i].Name, forwardedProtoHeader) {
			continue
		}
		nearest := fields[i].Value // of several it is the last that the proxy before us has written
		if comma := strings.LastIndexByte(nearest, ','); comma >= 0 {
			nearest = nearest[comma+1:]
		}
		return pipeline.EqualFold(strings.TrimSpace(nearest), schemeHTTPS)
	}
	return false
}

// redirect sends a plain request to https: the same host, path and query. It reaches no route, and no key in it is looked at.
func redirect(ex *pipeline.Exchange, by *snapshot.Snapshot) {
	ex.Revision = by.Revision
	to := &by.Settings.HTTPS
	host, ok := written(ex.Request.Authority)
	if !ok {
		ex.Refuse(ex.Reject(problem.BadRequest, "The request names no host that it could be sent to over https.", "a plain request without a host"))
		return
	}
	var location strings.Builder
	location.Grow(len(schemeHTTPS) + len("://") + len(host) + len(to.Port) + len(ex.Request.Path) + 1 + len(ex.Request.Query))
	location.WriteString(schemeHTTPS + "://")
	location.WriteString(host)
	location.WriteString(to.Port)
	location.WriteString(ex.Request.Path)
	if ex.Request.Query != "" {
		location.WriteByte('?')
		location.WriteString(ex.Request.Query)
	}
	_ = ex.Reply(permanentRedirect, nil) // there is no loop of stages to tell
	ex.Verdict = pipeline.Allowed
	ex.Response.Header.Add("Location", location.String())
	ex.Response.Header.Add("Cache-Control", "no-store") // or it would outlive the setting
}

// written returns a host as it stands in a URL: a name, or an address, which IPv6 puts in brackets. What is neither is none.
func written(host string) (string, bool) {
	if strings.Contains(host, ":") {
		address, err := netip.ParseAddr(host)
		return "[" + host + "]", err == nil && address.Zone() == ""
	}
	for i := range len(host) {
		c := host[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return "", false
		}
	}
	return host, host != "" && host[0] != '.'
}

// strictTransport returns what browsers are told, so that they keep to https (RFC 6797); "": nothing. It is told over https alone: over
// plain HTTP anybody could say so.
func strictTransport(ex *pipeline.Exchange, current *snapshot.Snapshot) string {
	if current == nil || current.Settings.HTTPS.StrictTransportSecurity == "" || !isSecure(ex, current.Settings) {
		return ""
	}
	return current.Settings.HTTPS.StrictTransportSecurity
}
