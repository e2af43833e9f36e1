package bus

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
)

const (
	connectTimeout  = 5 * time.Second
	reconnectWait   = 250 * time.Millisecond
	reconnectJitter = 250 * time.Millisecond
	// pingInterval, twice unanswered, is how long a connection may be silent before it counts as dead.
	pingInterval = 5 * time.Second
)

// Client is how the control plane reaches a bus as itself: the server in its own process, or servers
// elsewhere. It vouches for nodes and says where they find the bus.
type Client struct {
	keys     *Keys
	announce []string
	log      *slog.Logger
	url      string        // comma-separated; empty: the process's own server
	options  []nats.Option // how it is reached
}

// NewClient returns a client of the servers at these URLs, which must show a certificate of ours. Nodes
// are told announce, or else the same URLs. It connects to nothing yet.
func NewClient(urls, announce []string, config *tls.Config, keys *Keys, log *slog.Logger) *Client {
	if len(announce) == 0 {
		announce = urls
	}
	return &Client{keys: keys, announce: announce, log: log, url: strings.Join(urls, ","), options: []nats.Option{
		nats.Secure(config), nats.RetryOnFailedConnect(true),
	}}
}

// NodeJWT is Keys.NodeJWT.
func (c *Client) NodeJWT(identity fleet.Identity, publicKey string) (string, error) {
	return c.keys.NodeJWT(identity, publicKey)
}

// URLs returns where nodes find the bus.
func (c *Client) URLs() []string { return c.announce }

// Connect returns a connection that may do anything in the account. A server elsewhere that can't be
// reached is connected to later.
func (c *Client) Connect() (*nats.Conn, error) {
	return c.connect("control", c.keys.account, func(*jwt.UserClaims) {})
}

// connectSystem returns a connection that may tell servers of the account, and nothing else.
func (c *Client) connectSystem(public string) (*nats.Conn, error) {
	return c.connect("control accounts", c.keys.system, func(claims *jwt.UserClaims) {
		claims.Pub.Allow.Add(claimsUpdate, claimsLookup(public))
		claims.Sub.Allow.Add("_INBOX.>")
	})
}

func (c *Client) connect(name string, account nkeys.KeyPair, allow func(*jwt.UserClaims)) (*nats.Conn, error) {
	vouch, sign, err := c.keys.user(account, allow)
	if err != nil {
		return nil, fmt.Errorf("make the control plane's bus credential: %w", err)
	}
	options := append([]nats.Option{
		nats.Name(name),
		nats.UserJWT(vouch, sign),
		nats.Timeout(connectTimeout), nats.PingInterval(pingInterval),
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		// What can't be said now must fail now: a revocation that waits in a buffer would be an old one when it comes.
		nats.ReconnectBufSize(-1),
		// Its servers may be told of the account later than we come.
		nats.IgnoreAuthErrorAbort(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.log.Warn("bus connection", "connection", name, "error", err)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.log.Warn("the bus is lost; usage waits where it is", "connection", name, "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { c.log.Info("the bus is found again", "connection", name) }),
	}, c.options...)
	conn, err := nats.Connect(c.url, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to the bus: %w", err)
	}
	return conn, nil
}
