package enroll

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nkeys"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/dataplane/internal/reach"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/jointoken"
	"github.com/sallyport/sallyport/proto/renewal"
)

// Bounds of an attempt to enroll.
const (
	attemptTimeout = 15 * time.Second
	leastPause     = 200 * time.Millisecond
	mostPause      = 10 * time.Second
)

// Errors that a person must mend.
var (
	ErrNoToken = errors.New("enroll: the node has no identity yet: give it a join token")
	ErrExpired = errors.New("enroll: the node's certificate ended more than 30 days ago: give it a new join token")
	ErrOther   = errors.New("enroll: the data directory holds an identity of another control plane than the join token's: give the node another data directory, or remove its identity.json")
)

// Config is what a node starts with.
type Config struct {
	// Dir is the data directory. It is made if need be, for its owner alone.
	Dir string
	// JoinToken may be empty once the node has an identity.
	JoinToken string
	// ControlPlane is where Enroll is served, host:port; several with commas between.
	ControlPlane string
	// Name of the node, for people.
	Name string
	// Logger takes what an operator should know.
	Logger *slog.Logger
}

// Ensure returns the node's identity: the one it keeps, else one that it enrolls for. One whose
// certificate has ended is kept for as long as a Renewer can renew it, join token or not, so that the
// node stays the one it is. A control plane that can't be reached is tried again until ctx ends; one
// that refuses is not.
func Ensure(ctx context.Context, config Config) (*Identity, error) {
	kept, err := Load(config.Dir)
	switch {
	case errors.Is(err, ErrNone):
	case err != nil:
		return nil, err
	case time.Now().Before(kept.Expires().Add(renewal.Grace)):
		if err := kept.checkToken(ctx, config); err != nil {
			return nil, err
		}
		return kept, nil
	case config.JoinToken == "":
		return nil, ErrExpired
	default:
		config.Logger.Warn("the node's certificate ended too long ago to be renewed; it enrolls as a new node", "node", kept.Node(), "ended", kept.Expires())
	}
	if config.JoinToken == "" {
		return nil, ErrNoToken
	}
	token, err := jointoken.Parse(config.JoinToken)
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	return enroll(ctx, config, token)
}

// checkToken refuses a token of another installation: whoever gave it expects the node there. One of an authority
// that the node has yet to hear of may be of its own: it was away while the authority was rotated.
func (i *Identity) checkToken(ctx context.Context, config Config) error {
	if config.JoinToken == "" {
		return nil
	}
	token, err := jointoken.Parse(config.JoinToken)
	if err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	for _, authority := range i.papers().authorities {
		if sha256.Sum256(authority.RawSubjectPublicKeyInfo) == token.Authority {
			return nil
		}
	}
	return i.checkControl(ctx, config)
}

// checkControl returns ErrOther if the control plane is one that the node doesn't believe. One that isn't there now will
// have to prove itself later.
func (i *Identity) checkControl(ctx context.Context, config Config) error {
	addresses, err := reach.Parse(config.ControlPlane)
	if err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	refused := false
	settings := clientTLS(func(state tls.ConnectionState) error {
		err := verifyServer(state.PeerCertificates, i.papers().authorities, controlID)
		refused = err != nil
		return err
	}, nil)
	settings.NextProtos = []string{"h2"}
	for _, address := range addresses {
		var connection net.Conn
		if connection, err = (&tls.Dialer{Config: settings}).DialContext(ctx, "tcp", address); err == nil {
			_ = connection.Close() // nothing was said
			return nil
		}
		if refused {
			return ErrOther
		}
	}
	config.Logger.Warn("the join token names an authority that the node doesn't know, and the control plane can't be asked: the node begins as who it is", "node", i.Node(), "error", err)
	return nil
}

// keys are the node's own secrets, in the making of an identity.
type keys struct {
	private []byte // PKCS #8
	request []byte // PKCS #10
	seed    []byte // of the nkey
	user    string // its public half
}

// makeKey makes the key of a certificate, and the request for it.
func makeKey() (private, request []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("enroll: make a key: %w", err)
	}
	if private, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, nil, fmt.Errorf("enroll: marshal the key: %w", err)
	}
	if request, err = x509.CreateCertificateRequest(rand.Reader, new(x509.CertificateRequest), key); err != nil {
		return nil, nil, fmt.Errorf("enroll: make a certificate request: %w", err)
	}
	return private, request, nil
}

func makeKeys() (keys, error) {
	private, request, err := makeKey()
	if err != nil {
		return keys{}, err
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		return keys{}, fmt.Errorf("enroll: make a bus key: %w", err)
	}
	seed, seedErr := user.Seed()
	public, publicErr := user.PublicKey()
	if err := errors.Join(seedErr, publicErr); err != nil {
		return keys{}, fmt.Errorf("enroll: make a bus key: %w", err)
	}
	return keys{private: private, request: request, seed: seed, user: public}, nil
}

func enroll(ctx context.Context, config Config, token jointoken.Token) (*Identity, error) {
	own, err := makeKeys()
	if err != nil {
		return nil, err
	}
	peer := new(pinned)
	connection, err := reach.Dial(config.ControlPlane, pinnedTLS(token.Authority, peer.found))
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	defer func() { _ = connection.Close() }() // nothing left to lose
	answer, err := ask(ctx, edgev1.NewEdgeServiceClient(connection), peer, config.Logger, &edgev1.EnrollRequest{
		JoinToken: token.String(), CertificateRequest: own.request, BusPublicKey: own.user, Name: config.Name,
	})
	if err != nil {
		return nil, err
	}
	made, err := accept(answer, own, peer.get())
	if err != nil {
		return nil, fmt.Errorf("enroll: the control plane's answer is refused: %w", err)
	}
	if err := made.save(config.Dir); err != nil {
		return nil, err
	}
	identity := newIdentity(made, config.Dir)
	config.Logger.Info("enrolled", "node", identity.Node(), "environment", identity.EnvironmentName(), "until", identity.Expires())
	return identity, nil
}

// ask asks until there is an answer or a refusal.
func ask(ctx context.Context, client edgev1.EdgeServiceClient, peer *pinned, log *slog.Logger, request *edgev1.EnrollRequest) (*edgev1.EnrollResponse, error) {
	for pause := leastPause; ; pause = min(2*pause, mostPause) {
		answer, err := attempt(ctx, client, request)
		if err == nil {
			return answer, nil
		}
		if refused := peer.refused(); refused != nil {
			return nil, refused // an impostor shan't be asked again and again
		}
		if ctx.Err() != nil || !passing(status.Code(err)) {
			return nil, fmt.Errorf("enroll: %w", err)
		}
		log.Warn("the control plane can't be reached yet; the node tries again", "error", err)
		jitter := mathrand.N(pause / 2) // #nosec G404 -- no secret, only to spread a fleet
		if err := sleep(ctx, pause/2+jitter); err != nil {
			return nil, fmt.Errorf("enroll: %w", err)
		}
	}
}

// passing tells whether an error may be over the next time: no control plane yet, or a busy one.
func passing(code codes.Code) bool {
	return code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.ResourceExhausted
}

func attempt(ctx context.Context, client edgev1.EdgeServiceClient, request *edgev1.EnrollRequest) (*edgev1.EnrollResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return client.Enroll(ctx, request)
}

func sleep(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pinned is what the handshakes found.
type pinned struct {
	mu        sync.Mutex
	authority *x509.Certificate
	err       error
}

func (p *pinned) found(authority *x509.Certificate, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.authority, p.err = authority, err
}

func (p *pinned) get() *x509.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.authority
}

func (p *pinned) refused() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
