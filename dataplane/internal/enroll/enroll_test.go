package enroll

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/renewal"
)

// enrolled enrolls a node.
func enrolled(t *testing.T, p *plane) (Config, *Identity) {
	t.Helper()
	config := p.config(t, p.authority.token(t).String())
	identity, err := Ensure(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return config, identity
}

func TestSecondStartUsesTheKeptIdentityWithoutTokenOrControlPlane(t *testing.T) {
	p := newPlane(t)
	config, first := enrolled(t, p)
	asked := p.asked[0]
	if asked.GetJoinToken() != config.JoinToken || asked.GetName() != "edge-1" || !nkeys.IsValidPublicUserKey(asked.GetBusPublicKey()) {
		t.Errorf("asked %v", asked)
	}
	if first.EnvironmentName() != "production" || first.Node() == "" || first.Environment() == "" || len(first.papers().record.SigningKeys) != 1 || first.BusURLs()[0] != "tls://127.0.0.1:4222" {
		t.Errorf("%+v", first)
	}
	config.JoinToken, config.ControlPlane = "", "127.0.0.1:1"
	second, err := Ensure(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if second.Node() != first.Node() || second.Environment() != first.Environment() || !second.Expires().Equal(first.Expires()) || p.calls() != 1 {
		t.Errorf("another identity, %d calls", p.calls())
	}
}

func TestIdentityIsKeptForItsOwnerAlone(t *testing.T) {
	config, _ := enrolled(t, newPlane(t))
	for path, want := range map[string]os.FileMode{config.Dir: 0o700, filepath.Join(config.Dir, fileName): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	files, err := os.ReadDir(config.Dir)
	if err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestTokenIsToldToNobodyButTheAuthoritysControlPlane(t *testing.T) {
	other := newAuthority(t)
	// serve replaces the chain that the control plane shows.
	serve := func(chain func(*plane, keyPair) []*x509.Certificate) func(*plane) {
		return func(p *plane) {
			p.dress = func(config *tls.Config) *tls.Config {
				key := newKey(p.t)
				var raw [][]byte
				for _, certificate := range chain(p, key) {
					raw = append(raw, certificate.Raw)
				}
				config.Certificates = []tls.Certificate{{Certificate: raw, PrivateKey: key}}
				return config
			}
		}
	}
	leaf := func(change func(*x509.Certificate)) func(*plane) {
		return serve(func(p *plane, key keyPair) []*x509.Certificate {
			return []*x509.Certificate{p.authority.issue(p.t, key.Public(), change), p.authority.certificate}
		})
	}
	tests := map[string]struct {
		change func(*plane)
		want   error
	}{
		"of another authority": {serve(func(p *plane, key keyPair) []*x509.Certificate {
			return []*x509.Certificate{other.issue(p.t, key.Public(), nil), other.certificate}
		}), ErrNotTheAuthority},
		"of another, showing ours": {serve(func(p *plane, key keyPair) []*x509.Certificate {
			return []*x509.Certificate{other.issue(p.t, key.Public(), nil), p.authority.certificate}
		}), nil},
		"without the authority": {serve(func(p *plane, key keyPair) []*x509.Certificate {
			return []*x509.Certificate{p.authority.issue(p.t, key.Public(), nil)}
		}), ErrNotTheAuthority},
		"a node": {leaf(func(c *x509.Certificate) {
			c.URIs = []*url.URL{{Scheme: "spiffe", Host: "sallyport", Path: "/env/e/node/n"}}
		}), nil},
		"with two names": {leaf(func(c *x509.Certificate) {
			c.URIs = append(c.URIs, &url.URL{Scheme: "spiffe", Host: "sallyport", Path: "/x"})
		}), errTwoReadings},
		"without a name":       {leaf(func(c *x509.Certificate) { c.URIs = nil }), errTwoReadings},
		"for clients alone":    {leaf(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), nil},
		"with an ended one":    {leaf(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), nil},
		"with one not yet due": {leaf(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t, tt.change)
			config := p.config(t, p.authority.token(t).String())
			_, err := Ensure(t.Context(), config)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
			if p.calls() != 0 {
				t.Error("the token was sent")
			}
			if _, err := Load(config.Dir); !errors.Is(err, ErrNone) {
				t.Errorf("kept: %v", err)
			}
		})
	}
}

func TestAnswersThatDoNotFitAreRefused(t *testing.T) {
	other := newAuthority(t)
	answer := func(change func(*edgev1.EnrollResponse)) func(*plane) {
		return func(p *plane) { p.change = change }
	}
	tests := map[string]func(*plane){
		"another node":               answer(func(a *edgev1.EnrollResponse) { a.Node = strings.Repeat("node_0", 1) + strings.Repeat("1", 25) }),
		"a node's id malformed":      answer(func(a *edgev1.EnrollResponse) { a.Node = "x" }),
		"an environment malformed":   answer(func(a *edgev1.EnrollResponse) { a.Environment = "production" }),
		"no certificate":             answer(func(a *edgev1.EnrollResponse) { a.Certificates = nil }),
		"a damaged certificate":      answer(func(a *edgev1.EnrollResponse) { a.Certificates[0] = a.Certificates[0][1:] }),
		"a damaged chain":            answer(func(a *edgev1.EnrollResponse) { a.Certificates[1] = a.Certificates[1][1:] }),
		"a certificate for another":  answer(func(a *edgev1.EnrollResponse) { a.Certificates[0] = other.certificate.Raw }),
		"no authority":               answer(func(a *edgev1.EnrollResponse) { a.Trust.Authorities = nil }),
		"another authority":          answer(func(a *edgev1.EnrollResponse) { a.Trust.Authorities = [][]byte{other.certificate.Raw} }),
		"an authority that is none":  answer(func(a *edgev1.EnrollResponse) { a.Trust.Authorities = append(a.Trust.Authorities, a.Certificates[0]) }),
		"a damaged authority":        answer(func(a *edgev1.EnrollResponse) { a.Trust.Authorities = [][]byte{{1}} }),
		"no signing key":             answer(func(a *edgev1.EnrollResponse) { a.Trust.SigningKeys = nil }),
		"a short signing key":        answer(func(a *edgev1.EnrollResponse) { a.Trust.SigningKeys[0].PublicKey = []byte{1} }),
		"no bus JWT":                 answer(func(a *edgev1.EnrollResponse) { a.BusJwt = "" }),
		"a bus address that is none": answer(func(a *edgev1.EnrollResponse) { a.BusUrls = []string{"here"} }),
		"a bus JWT for another": func(p *plane) {
			user, err := nkeys.CreateUser()
			if err != nil {
				p.t.Fatal(err)
			}
			public, err := user.PublicKey()
			if err != nil {
				p.t.Fatal(err)
			}
			text := busJWT(p.t, public)
			p.change = func(a *edgev1.EnrollResponse) { a.BusJwt = text }
		},
		"issued by another": func(p *plane) { p.issuer = other },
		"for servers": func(p *plane) {
			p.leaf = func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
		},
		"ended already": func(p *plane) { p.life = -time.Minute },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t, change)
			config := p.config(t, p.authority.token(t).String())
			if _, err := Ensure(t.Context(), config); err == nil {
				t.Error("taken")
			}
			if _, err := Load(config.Dir); !errors.Is(err, ErrNone) {
				t.Errorf("kept: %v", err)
			}
		})
	}
}

func TestRefusalEndsAtOnceAndNeverShowsTheToken(t *testing.T) {
	var logged bytes.Buffer
	p := newPlane(t, func(p *plane) { p.fail = []error{status.Error(codes.PermissionDenied, "used up")} })
	config := p.config(t, p.authority.token(t).String())
	config.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	_, err := Ensure(t.Context(), config)
	if status.Code(err) != codes.PermissionDenied || p.calls() != 1 {
		t.Fatalf("%v after %d calls", err, p.calls())
	}
	if secret := config.JoinToken[20:30]; strings.Contains(err.Error()+logged.String(), secret) {
		t.Error("the token is shown")
	}
}

func TestControlPlaneThatIsNotThereYetIsAskedAgain(t *testing.T) {
	p := newPlane(t, func(p *plane) {
		p.fail = []error{status.Error(codes.Unavailable, "starting"), status.Error(codes.ResourceExhausted, "busy")}
	})
	if _, identity := enrolled(t, p); identity == nil || p.calls() != 3 {
		t.Errorf("%d calls", p.calls())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	config := p.config(t, p.authority.token(t).String())
	if _, err := Ensure(ctx, config); err == nil {
		t.Error("enrolled after its context's end")
	}
}

func TestNodeWithoutIdentityNeedsAToken(t *testing.T) {
	p := newPlane(t)
	if _, err := Ensure(t.Context(), p.config(t, "")); !errors.Is(err, ErrNoToken) {
		t.Errorf("got %v", err)
	}
	if _, err := Ensure(t.Context(), p.config(t, "spj_nonsense")); err == nil {
		t.Error("nonsense is taken")
	}
}

func TestTokenOfAnotherInstallationIsRefusedByAnEnrolledNode(t *testing.T) {
	config, _ := enrolled(t, newPlane(t))
	other := newPlane(t)
	config.JoinToken, config.ControlPlane = other.authority.token(t).String(), other.address
	if _, err := Ensure(t.Context(), config); !errors.Is(err, ErrOther) {
		t.Errorf("got %v", err)
	}
	config.JoinToken = "spj_nonsense"
	if _, err := Ensure(t.Context(), config); err == nil {
		t.Error("nonsense is taken")
	}
}

func TestIdentityThatEndedTooLongAgoTakesANewToken(t *testing.T) {
	p := newPlane(t)
	config, first := enrolled(t, p)
	age(t, p, config, first, renewal.Grace+time.Minute)
	again := config
	again.JoinToken = ""
	if _, err := Ensure(t.Context(), again); !errors.Is(err, ErrExpired) {
		t.Errorf("got %v", err)
	}
	second, err := Ensure(t.Context(), config)
	if err != nil || second.Node() == first.Node() || !time.Now().Before(second.Expires()) {
		t.Errorf("%v, %v", second, err)
	}
}

func TestEndedIdentityThatCanBeRenewedIsKeptEvenWithAToken(t *testing.T) {
	p := newPlane(t)
	config, first := enrolled(t, p)
	age(t, p, config, first, renewal.Grace-time.Minute)
	second, err := Ensure(t.Context(), config)
	if err != nil || second.Node() != first.Node() || p.calls() != 1 {
		t.Errorf("%v, %v, after %d calls", second, err, p.calls())
	}
}

// age makes the identity one, here and on the disk, whose certificate ended so long ago.
func age(t *testing.T, p *plane, config Config, i *Identity, ended time.Duration) {
	t.Helper()
	old := i.papers().record
	leaf := p.authority.issue(t, i.papers().certificate.Leaf.PublicKey, func(c *x509.Certificate) {
		c.URIs = i.papers().certificate.Leaf.URIs
		c.NotAfter = time.Now().Add(-ended)
		c.NotBefore = c.NotAfter.Add(-24 * time.Hour)
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	old.Certificates = [][]byte{leaf.Raw}
	aged, err := newPapers(old)
	if err != nil {
		t.Fatal(err)
	}
	if err := aged.save(config.Dir); err != nil {
		t.Fatal(err)
	}
	i.newest.Store(aged)
}

func TestDamagedIdentityIsRefusedWithoutShowingIt(t *testing.T) {
	config, identity := enrolled(t, newPlane(t))
	path := filepath.Join(config.Dir, fileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seed := string(identity.papers().record.BusSeed)
	damages := map[string][]byte{
		"empty":          nil,
		"cut":            whole[:len(whole)/2],
		"another form":   bytes.Replace(whole, []byte(`"version":1`), []byte(`"version":2`), 1),
		"unknown field":  bytes.Replace(whole, []byte(`"version"`), []byte(`"more":1,"version"`), 1),
		"key of another": bytes.Replace(whole, []byte(`"key":"`), []byte(`"key":"AAAA`), 1),
		"other node":     bytes.Replace(whole, []byte(identity.Node()), []byte("node_"+strings.Repeat("0", 26)), 1),
		"no bus seed":    bytes.Replace(whole, []byte(`"bus_seed":"`), []byte(`"bus_seed":"AAAA`), 1),
	}
	for name, body := range damages {
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(config.Dir); err == nil || errors.Is(err, ErrNone) || strings.Contains(err.Error(), seed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(config.Dir); err == nil {
		t.Error("an identity that others may read is taken")
	}
}

func TestIdentityThatCannotBeKeptIsReported(t *testing.T) {
	p := newPlane(t)
	config := p.config(t, p.authority.token(t).String())
	if err := os.WriteFile(config.Dir, nil, 0o600); err != nil { // a file where the directory belongs
		t.Fatal(err)
	}
	if _, err := Ensure(t.Context(), config); err == nil {
		t.Error("no error")
	}
}

func TestIdentityOpensMutualTLSToTheControlPlaneAlone(t *testing.T) {
	p := newPlane(t, func(p *plane) {
		p.dress = func(c *tls.Config) *tls.Config { return c }
	})
	config, identity := enrolled(t, p)
	call := func(address string) error {
		connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(identity.TLS())))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = connection.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), attemptTimeout)
		defer cancel()
		_, err = edgev1.NewEdgeServiceClient(connection).Enroll(ctx, p.asked[0])
		return err
	}
	if err := call(config.ControlPlane); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	last := p.peers[len(p.peers)-2]
	p.mu.Unlock()
	if got, want := fmt.Sprint(last.URIs), fmt.Sprintf("[%s]", nodeID(identity.Environment(), identity.Node())); got != want {
		t.Errorf("the node shows %s, want %s", got, want)
	}
	if impostor := newPlane(t); call(impostor.address) == nil || impostor.calls() != 0 {
		t.Error("another control plane is taken for ours")
	}
}

func TestBusNonceIsSignedByTheKeyInTheJWT(t *testing.T) {
	p := newPlane(t)
	_, identity := enrolled(t, p)
	nonce := sha256.Sum256([]byte("nonce"))
	signature, err := identity.BusSign(nonce[:])
	if err != nil {
		t.Fatal(err)
	}
	public, err := nkeys.FromPublicKey(p.asked[0].GetBusPublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if err := public.Verify(nonce[:], signature); err != nil {
		t.Error(err)
	}
	if text, err := identity.BusJWT(); err != nil || text == "" {
		t.Error(err)
	}
}

type keyPair interface{ Public() crypto.PublicKey }
