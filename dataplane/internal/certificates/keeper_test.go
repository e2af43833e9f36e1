package certificates_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/dataplane/internal/certificates"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachHostIsAnsweredForWithItsOwnCertificate(t *testing.T) {
	n := start(t)
	api := n.issue("api", false, "api.test")
	shop := n.issue("shop", false, "shop.test", "*.shop.test")
	special := n.issue("special", false, "a.shop.test")
	for host, want := range map[string]*x509.Certificate{
		"api.test": api.Certificate, "API.test": api.Certificate, "shop.test": shop.Certificate, "b.shop.test": shop.Certificate,
		"a.shop.test": special.Certificate, "a.b.shop.test": nil, "other.test": nil, "": nil, "test": nil,
	} {
		got := n.shown(host)
		if (got == nil) != (want == nil) || got != nil && !got.Equal(want) {
			t.Errorf("%q: %v", host, got)
		}
	}
	standard := n.issue("standard", true)
	for _, host := range []string{"", "other.test", "a.b.shop.test"} {
		if got := n.shown(host); got == nil || !got.Equal(standard.Certificate) {
			t.Errorf("%q: %v", host, got)
		}
	}
	if got := n.shown("api.test"); got == nil || !got.Equal(api.Certificate) {
		t.Errorf("with a default, api.test: %v", got)
	}
	if s := n.Stats(); s.UnknownHost != 4 || s.Full != 9 || s.Keyless != 0 {
		t.Errorf("counted %+v", s)
	}
}

func TestAClientOfAnUnknownHostIsToldThatItsNameIsUnknown(t *testing.T) {
	n := start(t)
	n.issue("api", false, "api.test")
	_, err := n.connect(n.client("other.test"))
	if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("got %v", err)
	}
}

func TestACertificateWithoutItsKeyAnswersNobodyAndNoOtherTakesItsPlace(t *testing.T) {
	n := start(t)
	n.issue("standard", true)
	n.issue("wild", false, "*.test")
	api := n.issue("api", false, "api.test")
	other := n.authority.Issue(t, "api.test")
	for name, spoil := range map[string]func(){
		"the secret is gone":         func() { n.entries.remove(idOf("api")) },
		"the key is another's":       func() { n.entries.put(idOf("api"), other.Key) },
		"the secret holds something": func() { n.entries.put(idOf("api"), "hunter2") },
	} {
		spoil()
		if got := n.shown("api.test"); got != nil {
			t.Errorf("%s: answered with %v", name, got.DNSNames)
		}
		states := n.States()
		at := slices.IndexFunc(states, func(s certificates.State) bool { return s.Name == "api" })
		if states[at].Trouble == "" || slices.ContainsFunc(states, func(s certificates.State) bool { return s.Name != "api" && s.Trouble != "" }) {
			t.Errorf("%s: %+v", name, states)
		}
		n.entries.put(idOf("api"), api.Key)
		if got := n.shown("api.test"); got == nil || !got.Equal(api.Certificate) {
			t.Errorf("%s, and then put right: %v", name, got)
		}
	}
	if s := n.Stats(); s.Keyless != 3 {
		t.Errorf("counted %+v", s)
	}
	if log := n.log.String(); strings.Count(log, "level=ERROR") != 3 || strings.Contains(log, "hunter2") || strings.Contains(log, "PRIVATE") {
		t.Errorf("logged %s", log)
	}
}

func TestRotationIsUsedFromTheNextHandshakeOnAndDisturbsNoConnection(t *testing.T) {
	n := start(t)
	first := n.issue("api", false, "api.test")
	open, err := n.dial(n.client("api.test"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(open, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	second := n.authority.Issue(t, "api.test")
	n.entries.put(idOf("api"), first.Key+second.Key) // both are there while one takes the other's place
	if got := n.shown("api.test"); !got.Equal(first.Certificate) {
		t.Error("the key alone changed which certificate is shown")
	}
	n.shows("api", second, false, "api.test")
	n.entries.put(idOf("api"), second.Key)
	if got := n.shown("api.test"); got == nil || !got.Equal(second.Certificate) {
		t.Errorf("after the rotation: %v", got)
	}
	if _, err := open.Write([]byte("still there?")); err != nil {
		t.Fatal(err)
	}
	heard := make([]byte, len("still there?"))
	if _, err := io.ReadFull(open, heard); err != nil || string(heard) != "still there?" {
		t.Errorf("the open connection: %q %v", heard, err)
	}
}

func TestVersionsAreThoseOfThePolicyAndCiphersSafe(t *testing.T) {
	n := start(t)
	n.issue("api", false, "api.test")
	speaks := func(version uint16, suites ...uint16) bool {
		config := n.client("api.test")
		config.MinVersion, config.MaxVersion, config.CipherSuites = version, version, suites
		state, err := n.connect(config)
		return err == nil && state.Version == version
	}
	if speaks(tls.VersionTLS10) || speaks(tls.VersionTLS11) || !speaks(tls.VersionTLS12) || !speaks(tls.VersionTLS13) {
		t.Error("without a policy, TLS 1.2 and 1.3 aren't what is spoken")
	}
	if speaks(tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA) || !speaks(tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) {
		t.Error("CBC is spoken, or GCM isn't")
	}
	n.lock.Lock()
	n.policy.MinVersion = tls.VersionTLS13
	n.lock.Unlock()
	if speaks(tls.VersionTLS12) || !speaks(tls.VersionTLS13) {
		t.Error("with a policy of 1.3, 1.2 is spoken")
	}
}

func TestH2IsOfferedBeforeHTTP11(t *testing.T) {
	n := start(t)
	n.issue("api", false, "api.test")
	for _, c := range []struct {
		offered []string
		want    string
	}{{[]string{"http/1.1", "h2"}, "h2"}, {[]string{"http/1.1"}, "http/1.1"}, {nil, ""}} {
		config := n.client("api.test")
		config.NextProtos = c.offered
		if state, err := n.connect(config); err != nil || state.NegotiatedProtocol != c.want {
			t.Errorf("%v: %q %v", c.offered, state.NegotiatedProtocol, err)
		}
	}
}

func TestASessionGoesOnAtAnotherNodeForAsLongAsItsKeyIsThere(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			a := start(t)
			a.entries.rotate(1)
			leaf := a.issue("api", false, "api.test")
			b := newNode(t, a.entries, a.authority)
			b.shows("api", leaf, false, "api.test")
			for rotations, want := range []bool{true, true, true, false} {
				config := a.client("api.test")
				config.MinVersion, config.MaxVersion, config.ClientSessionCache = version, version, tls.NewLRUClientSessionCache(1)
				if _, err := a.connect(config); err != nil {
					t.Fatal(err)
				}
				for i := range rotations {
					a.entries.rotate(byte(10*rotations + i + 2))
				}
				state, err := b.connect(config)
				if err != nil || state.DidResume != want {
					t.Errorf("after %d rotations: resumed %v, %v", rotations, state.DidResume, err)
				}
			}
			if s := b.Stats(); s.Resumed != 3 || s.Full != 1 {
				t.Errorf("counted %+v", s)
			}
		})
	}
}

func TestASessionOfOneCertificateIsNoneOfAnother(t *testing.T) {
	n := start(t)
	n.entries.rotate(1)
	n.issue("api", false, "api.test")
	n.issue("bank", false, "bank.test")
	cache := lastSession{}
	config := n.client("api.test")
	config.ClientSessionCache = &cache
	if _, err := n.connect(config); err != nil || cache.session == nil {
		t.Fatalf("no session: %v", err)
	}
	config.ServerName = "bank.test"
	config.InsecureSkipVerify = true // or the client itself would refuse to try
	if state, err := n.connect(config); err != nil || state.DidResume {
		t.Errorf("resumed %v, %v", state.DidResume, err)
	}
	n.entries.remove(idOf("bank"))
	if _, err := n.connect(config); err == nil {
		t.Error("a session let somebody in whose host has no key")
	}
}

// lastSession offers the session of whichever host was there last.
type lastSession struct{ session *tls.ClientSessionState }

func (l *lastSession) Get(string) (*tls.ClientSessionState, bool) { return l.session, l.session != nil }

func (l *lastSession) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		l.session = s
	}
}

func TestWithoutSharedKeysNoTicketIsGiven(t *testing.T) {
	n := start(t)
	n.issue("api", false, "api.test")
	config := n.client("api.test")
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for range 2 {
		if state, err := n.connect(config); err != nil || state.DidResume {
			t.Errorf("resumed %v, %v", state.DidResume, err)
		}
	}
}

func TestAServiceIsShownTheCertificateWithTheKeyThatIsThereNow(t *testing.T) {
	n := start(t)
	if _, err := n.ClientCertificate(idOf("api")); err == nil {
		t.Error("one that isn't there was shown")
	}
	leaf := n.issue("api", false)
	shown, err := n.ClientCertificate(idOf("api"))
	if err != nil || !shown.Leaf.Equal(leaf.Certificate) || !shown.PrivateKey.(*ecdsa.PrivateKey).PublicKey.Equal(leaf.Certificate.PublicKey) {
		t.Errorf("%v", err)
	}
	n.entries.remove(idOf("api"))
	if _, err := n.ClientCertificate(idOf("api")); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("without its key: %v", err)
	}
}

func TestASetRefusesWhatItWouldHaveToChooseFrom(t *testing.T) {
	n := start(t)
	leaf := n.authority.Issue(t, "a.test", "*.a.test")
	made := func(name string, standard bool, hosts ...string) *certificates.Certificate {
		c, err := certificates.New(idOf(name), &configv1.Certificate{Name: name, Chain: leaf.Chain, PrivateKey: id.Text(id.Secret, idOf(name)), Hosts: hosts, Default: standard})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, pair := range map[string][2]*certificates.Certificate{
		"a host twice":     {made("x", false, "a.test"), made("y", false, "a.test")},
		"a wildcard twice": {made("x", false, "*.a.test"), made("y", false, "*.a.test")},
		"two defaults":     {made("x", true), made("y", true)},
	} {
		if _, err := certificates.NewSet(pair[:]); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for what, m := range map[string]*configv1.Certificate{
		"chain": {Chain: "x", PrivateKey: id.Text(id.Secret, idOf("x"))}, "private_key": {Chain: leaf.Chain, PrivateKey: "x"},
	} {
		if _, err := certificates.New(idOf("x"), m); err == nil || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A handshake must not parse keys anew: that costs as much as the handshake.
func TestWhatIsMadeOfAKeyIsKeptWhileNothingChanges(t *testing.T) {
	n := start(t)
	n.entries.rotate(1)
	n.issue("api", false, "api.test")
	choose := n.TLS().GetConfigForClient
	hello := &tls.ClientHelloInfo{ServerName: "api.test"}
	first, err := choose(hello)
	if err != nil {
		t.Fatal(err)
	}
	if allocated := testing.AllocsPerRun(100, func() {
		if again, err := choose(hello); err != nil || again != first {
			t.Error("another configuration, though nothing changed")
		}
	}); allocated > 0 {
		t.Errorf("%.0f allocations", allocated)
	}
	n.entries.rotate(2)
	if again, err := choose(hello); err != nil || again == first {
		t.Errorf("the same configuration, though the ticket keys changed: %v", err)
	}
}
