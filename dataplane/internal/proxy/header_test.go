package proxy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

func exchangeWith(fields ...string) *pipeline.Exchange {
	ex := new(pipeline.Exchange)
	ex.Request.Scheme = "http"
	ex.Client.Peer = netip.MustParseAddrPort("192.0.2.1:999")
	ex.Client.Address = ex.Client.Peer.Addr()
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		ex.Request.Header.Add(name, value)
	}
	return ex
}

func TestClientsCannotSpeakInTheGatewaysName(t *testing.T) {
	spoofed := []string{
		"X-Sallyport-Consumer", "X_Sallyport_Consumer", "x-sallyport_consumer", "X-SALLYPORT-CONSUMER-NAME", "X-Sallyport-Anything-That-Comes-Later-However-Long",
		"X.Sallyport.Consumer", "x~sallyport~consumer", "X-Forwarded-For", "X-Forwarded-User", "X_Forwarded.Groups", "X-Forwarded-Client-Cert",
		"X-Forwarded-Preferred-Username-Of-Any-Length",
	}
	for _, name := range slices.Concat(refused.byLength[:]...) {
		spoofed = append(spoofed, name, strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."))
	}
	for _, name := range spoofed {
		ex := exchangeWith(name+": spoofed", "Accept: */*", "X-Forward: 1", "Traceparent: 2")
		prepareRequest(ex)
		for _, f := range ex.Request.Header.Fields() {
			if f.Value == "spoofed" {
				t.Errorf("%s reached the service", name)
			}
		}
		for _, kept := range []string{"Accept", "X-Forward", "Traceparent"} {
			if !ex.Request.Header.Has(kept) {
				t.Errorf("with %s, %s was lost", name, kept)
			}
		}
	}
}

func TestServicesLearnWhoCallsFromTheGateway(t *testing.T) {
	ex := exchangeWith("X-Sallyport-Consumer: con_spoofed")
	ex.Identity.Consumer = &directory.Consumer{Name: "shop"}
	prepareRequest(ex)
	if got := ex.Request.Header.Get(consumerNameHeader); got != "shop" {
		t.Errorf("%s is %q, want shop", consumerNameHeader, got)
	}
	if got := ex.Request.Header.Get(forwardedForHeader); got != "192.0.2.1" {
		t.Errorf("%s is %q, want the client's address", forwardedForHeader, got)
	}
	if got := ex.Request.Header.Get(consumerHeader); !strings.HasPrefix(got, "con_") || got == "con_spoofed" {
		t.Errorf("%s is %q", consumerHeader, got)
	}
}

func TestHopByHopFieldsDoNotPass(t *testing.T) {
	ex := exchangeWith("Connection: close, X-Secret , Keep-Alive", "X-Secret: 1", "Keep-Alive: timeout=5", "TE: trailers, gzip;q=1",
		"Transfer-Encoding: chunked", "Transfer_Encoding: chunked", "Proxy-Authorization: Basic x", "Upgrade: h2c", "X-Other: 2")
	prepareRequest(ex)
	var names []string
	for _, f := range ex.Request.Header.Fields() {
		names = append(names, f.Name+": "+f.Value)
	}
	for _, gone := range []string{"X-Secret", "Keep-Alive", "Transfer", "Proxy-Auth", "Upgrade", "Connection"} {
		if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, gone) }) {
			t.Errorf("%s passed: %q", gone, names)
		}
	}
	if !slices.Contains(names, "X-Other: 2") || !slices.Contains(names, "Te: trailers") {
		t.Errorf("end-to-end fields are missing: %q", names)
	}
}

func TestOnlyTrustedProxiesNameTheClient(t *testing.T) {
	proxies := netip.MustParsePrefix("10.0.0.0/8")
	tests := []struct {
		peer string
		xff  []string
		want string
	}{
		{"203.0.113.9:1", []string{"198.51.100.7"}, "203.0.113.9"},
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"10.0.0.1:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:1", []string{"6.6.6.6, 198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:1", []string{"6.6.6.6, 198.51.100.7, 10.2.2.2"}, "198.51.100.7"},
		{"10.0.0.1:1", []string{"6.6.6.6", "198.51.100.7", "10.9.9.9"}, "198.51.100.7"},
		{"10.0.0.1:1", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"10.0.0.1:1", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
	}
	for _, tt := range tests {
		ex := exchangeWith()
		ex.Client.Peer = netip.MustParseAddrPort(tt.peer)
		for _, v := range tt.xff {
			ex.Request.Header.Add("X-Forwarded-For", v)
		}
		if got := clientAddress(ex, proxies.Contains); got != netip.MustParseAddr(tt.want) {
			t.Errorf("peer %s, %q: got %s, want %s", tt.peer, tt.xff, got, tt.want)
		}
	}
}
