package e2e

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// mine is what the client writes into every header that it forges: it must not arrive in any of them.
const mine = "forged-by-the-client"

var forged = []string{
	"X-Sallyport-Consumer", "X-Sallyport-Consumer-Name", "X-Sallyport-Credential", "X-Sallyport-Anything",
	"X_Sallyport_Consumer", "X-Sallyport_Consumer", "x_sallyport-consumer_name", "X_SALLYPORT_CREDENTIAL", "X-SALLYPORT-CONSUMER",
	"X-Forwarded-For", "X_Forwarded_For", "x-forwarded_for", "Forwarded", "X-Forwarded-Host", "X_Forwarded-Host",
	"X-Forwarded-Proto", "X_Forwarded_Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Real-Ip", "X_Real_IP",
	"X-Request-Id", "X_Request_Id", "True-Client-Ip", "X-Client-Ip",
	"X-Original-Url", "X_Original_URL", "X-Rewrite-Url", "X-Http-Method-Override", "X_HTTP_Method_Override",
	"Remote-User", "X-Remote-User", "X_Remote_User", "Proxy",
}

// The request is sent as raw bytes, so that no client tidies the names.
func TestSpoofedIdentityHeadersNeverReachTheService(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	s.Route(sallyport.Route{Name: s.Name("public"), Service: s.Service("public", upstream.Address).Name, Paths: harness.Below("/public"), Public: true})
	edge := s.Edges()[0]

	var forgery strings.Builder
	for _, name := range forged {
		forgery.WriteString(name + ": " + mine + "\r\n")
	}
	// What Connection names is of one connection: it must not take the gateway's own headers away, nor pass.
	forgery.WriteString("Connection: X-Sallyport-Consumer, X-Request-Id, X-Hop\r\nX-Hop: " + mine + "\r\n")
	forgery.WriteString("Keep-Alive: " + mine + "\r\nTe: " + mine + "\r\nX-Harmless: passes\r\n")
	ask := func(path, more string) {
		t.Helper()
		answer, err := edge.DoRaw(t.Context(), "GET "+path+" HTTP/1.1\r\nHost: "+s.Host+"\r\n"+forgery.String()+more+"\r\n")
		if err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%s was answered %s, %v", path, answer, err)
		}
	}
	ask("/public", "")
	ask("/", "X-Api-Key: "+p.Key.Key+"\r\n")

	if strings.Contains(string(upstream.Raw()), mine) {
		t.Errorf("a forged header reached the service:\n%s", upstream.Raw())
	}
	if strings.Contains(string(upstream.Raw()), p.Key.Key) {
		t.Error("the key reached the service")
	}
	reached := upstream.Requests()
	if len(reached) != 2 {
		t.Fatalf("the service was reached %d times, want twice", len(reached))
	}
	for _, request := range reached {
		if request.Header.Get("X-Harmless") != "passes" {
			t.Errorf("a header of no concern was dropped: %v", request.Header)
		}
		if !strings.HasPrefix(request.Header.Get("X-Request-Id"), "req_") {
			t.Errorf("X-Request-Id is %q", request.Header.Get("X-Request-Id"))
		}
		if address := net.ParseIP(request.Header.Get("X-Forwarded-For")); !address.IsLoopback() {
			t.Errorf("X-Forwarded-For is %q, want the client's own address", request.Header.Get("X-Forwarded-For"))
		}
	}
	if who := reached[0].Header.Get("X-Sallyport-Consumer"); who != "" {
		t.Errorf("on a public route the service was told that %q calls", who)
	}
	who := reached[1].Header
	if who.Get("X-Sallyport-Consumer") != p.Consumer.ID || who.Get("X-Sallyport-Consumer-Name") != p.Consumer.Name ||
		who.Get("X-Sallyport-Credential") != p.Key.ID {
		t.Errorf("the service was told %v, want %s by %s", who, p.Consumer.ID, p.Key.ID)
	}
}
