package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
)

// claimsUpdate is where servers are told of an account (NATS: the system account's requests).
const claimsUpdate = "$SYS.REQ.CLAIMS.UPDATE"

// claimsLookup is where they say what they know of one.
func claimsLookup(public string) string { return "$SYS.REQ.ACCOUNT." + public + ".CLAIMS.LOOKUP" }

const (
	// wardenPoll is how often the bus's account is compared with the database although nobody said that
	// it differs: news get lost, servers lose their disk.
	wardenPoll = 2 * time.Second
	// wardenTimeout bounds one comparison.
	wardenTimeout = 5 * time.Second
	// wardenRounds bounds how often one comparison writes: others write as well, and each reads again after it wrote.
	wardenRounds = 8
)

// Revocations are which nodes' JWTs the bus must turn away.
type Revocations interface {
	// BusRevocations returns those that are newer than since, the newest first, at most limit.
	BusRevocations(ctx context.Context, since time.Time, limit int) ([]fleet.BusRevocation, error)
}

// Warden keeps the account on the bus as the database says that it must be, so that the bus takes the JWTs of the issuers in use, and a
// disabled node is cut off at once and stays so: also after a server lost its disk, or while nobody could tell it.
// Each replica runs one; they agree, since each reads the database again after it wrote to the bus.
type Warden struct {
	store  Revocations
	client *Client
	public string
	log    *slog.Logger
	wake   chan struct{} // capacity 1
	now    func() time.Time
}

// NewWarden returns a warden of the client's bus; Run makes it work.
func NewWarden(store Revocations, client *Client, log *slog.Logger) (*Warden, error) {
	public, err := client.keys.account.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("name the bus's account: %w", err)
	}
	return &Warden{store: store, client: client, public: public, log: log, wake: make(chan struct{}, 1), now: time.Now}, nil
}

// Wake says that the database may have changed.
func (w *Warden) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// Run compares until ctx ends.
func (w *Warden) Run(ctx context.Context) error {
	conn, err := w.client.connectSystem(w.public)
	if err != nil {
		return err
	}
	defer conn.Close()
	w.client.keys.follow(w.Wake)
	defer w.client.keys.follow(nil)
	poll := time.NewTicker(wardenPoll)
	defer poll.Stop()
	failing := false
	for {
		err := w.settle(ctx, conn)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			w.log.Error("can't keep the bus's account up to date; trying again: a node that is disabled now is cut off its bus later", "error", err)
		case err == nil && failing:
			w.log.Info("the bus's account is up to date again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		case <-poll.C:
		}
	}
}

// settle makes the account on the bus the one that the database asks for. What another replica writes
// meanwhile is older or newer than what we read: reading again tells.
func (w *Warden) settle(ctx context.Context, conn *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, wardenTimeout)
	defer cancel()
	for range wardenRounds {
		revoked, err := w.store.BusRevocations(ctx, w.now().Add(-fleet.RevocationLife), MaxRevocations)
		if err != nil {
			return err
		}
		if len(revoked) == MaxRevocations {
			w.log.Error("so many nodes were disabled within a month that the bus can't hold all of them: those disabled first may come back to it", "held", MaxRevocations)
		}
		wanted := w.client.keys.accountClaims(w.public, revoked)
		known, err := w.lookup(ctx, conn)
		if err != nil {
			return err
		}
		if known != nil && sameAccount(known, wanted) {
			return nil
		}
		if err := w.push(ctx, conn, wanted); err != nil {
			return err
		}
		w.log.Info("told the bus of its account", "revoked", len(wanted.Revocations))
	}
	return errors.New("replicas keep telling the bus different things")
}

// lookup returns what the bus knows of the account; nil: nothing that can be read.
func (w *Warden) lookup(ctx context.Context, conn *nats.Conn) (*jwt.AccountClaims, error) {
	answer, err := conn.RequestWithContext(ctx, claimsLookup(w.public), nil)
	if err != nil {
		return nil, fmt.Errorf("ask the bus for its account: %w", err)
	}
	claims, err := jwt.DecodeAccountClaims(string(answer.Data))
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // an account that can't be read is replaced
	}
	return claims, nil
}

func sameAccount(known, wanted *jwt.AccountClaims) bool {
	a, b := known.Limits, wanted.Limits
	return maps.Equal(known.Revocations, wanted.Revocations) && maps.EqualFunc(known.SigningKeys, wanted.SigningKeys, func(jwt.Scope, jwt.Scope) bool { return true }) &&
		a.NatsLimits == b.NatsLimits && a.AccountLimits == b.AccountLimits && a.JetStreamLimits == b.JetStreamLimits
}

func (w *Warden) push(ctx context.Context, conn *nats.Conn, wanted *jwt.AccountClaims) error {
	encoded, err := wanted.Encode(w.client.keys.operator)
	if err != nil {
		return fmt.Errorf("sign the bus's account: %w", err)
	}
	answer, err := conn.RequestWithContext(ctx, claimsUpdate, []byte(encoded))
	if err != nil {
		return fmt.Errorf("tell the bus of its account: %w", err)
	}
	if !strings.Contains(string(answer.Data), "jwt updated") {
		return fmt.Errorf("the bus refuses its account: %.200s", answer.Data)
	}
	return nil
}
