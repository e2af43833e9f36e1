package usage

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/proto/subject"
)

// BusConfig is how a node reaches the bus, and as whom.
type BusConfig struct {
	// URLs of the bus.
	URLs []string
	// TLS proves the node and checks the bus.
	TLS *tls.Config
	// JWT is the node's user JWT, Sign answers the bus's challenge with the node's nkey.
	JWT  func() (string, error)
	Sign func(nonce []byte) ([]byte, error)
	// Refused is called each time that the bus turns the node's JWT away.
	Refused func()
	// Origin names the node.
	Origin Origin
	// Log hears of connections lost and found.
	Log *slog.Logger
}

const (
	reconnectWait   = 500 * time.Millisecond
	reconnectJitter = 500 * time.Millisecond
	pingInterval    = 5 * time.Second
)

// Bus is a Publisher on JetStream. It connects in the background, and again whenever the connection is lost.
type Bus struct {
	connection *nats.Conn
	stream     jetstream.JetStream
	subject    string
}

// Connect returns at once; until the bus is there, Publish fails by its deadline.
func Connect(cfg BusConfig) (*Bus, error) {
	for _, token := range []string{cfg.Origin.Environment, cfg.Origin.Node} {
		if err := subject.Check(token); err != nil {
			return nil, fmt.Errorf("name the usage subject: %w", err)
		}
	}
	options := []nats.Option{
		nats.Name("sallyport-edge " + cfg.Origin.Node),
		nats.UserJWT(cfg.JWT, cfg.Sign),
		nats.Secure(cfg.TLS),
		nats.CustomInboxPrefix(subject.InboxPrefix(cfg.Origin.Node)),
		nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.PingInterval(pingInterval),
		nats.IgnoreAuthErrorAbort(),
		// What cannot be sent now must fail now: the sender keeps it, nobody else does.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				cfg.Log.Warn("bus lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { cfg.Log.Info("bus found again") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			cfg.Log.Warn("bus refused", "error", err)
			cfg.tellRefusal(err)
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { cfg.tellRefusal(err) }),
	}
	connection, err := nats.Connect(strings.Join(cfg.URLs, ","), options...)
	if err != nil {
		return nil, fmt.Errorf("connect to the bus: %w", err)
	}
	stream, err := jetstream.New(connection)
	if err != nil {
		connection.Close()
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return &Bus{connection: connection, stream: stream, subject: subject.Usage(cfg.Origin.Environment, cfg.Origin.Node)}, nil
}

// tellRefusal says that the bus wants another JWT, if that is what an error means.
func (c *BusConfig) tellRefusal(err error) {
	for _, refusal := range []error{nats.ErrAuthorization, nats.ErrAuthRevoked, nats.ErrAuthExpired} {
		if errors.Is(err, refusal) && c.Refused != nil {
			c.Refused()
			return
		}
	}
}

// Publish returns nil once the bus has stored the message; one of the same name is stored once.
func (b *Bus) Publish(ctx context.Context, message string, data []byte) error {
	_, err := b.stream.Publish(ctx, b.subject, data,
		jetstream.WithMsgID(message), jetstream.WithExpectStream(subject.UsageStream), jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("publish usage: %w", err)
	}
	return nil
}

// Connected reports whether the bus is there now.
func (b *Bus) Connected() bool { return b.connection.IsConnected() }

// Close ends the connection.
func (b *Bus) Close() { b.connection.Close() }
