package dataplane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/dataplane/internal/configsync"
	"github.com/sallyport/sallyport/dataplane/internal/enroll"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/renewal"
)

// home is where a node belongs, and whom it believes there: by its identity, or, as long as it has none, by the file that it starts from.
type home struct {
	environment, name string
	node              string           // "": it has none yet
	trust             configsync.Trust // nil: it has no identity yet, and believes in keys
	keys              []*edgev1.SigningKey
}

func homeOf(identity *enroll.Identity, file *snapshotFile) home {
	if identity != nil {
		return home{environment: identity.Environment(), name: identity.EnvironmentName(), node: identity.Node(), trust: identity}
	}
	m := file.reader.Manifest()
	return home{environment: m.GetEnvironment(), name: m.GetEnvironmentName(), keys: m.GetSigningKeys()}
}

// identify returns the node's identity. With a file to start from, a node that has none doesn't wait for one; it is nil then.
func identify(ctx context.Context, cfg Config, file *snapshotFile, at *ground) (*enroll.Identity, error) {
	if at.taking != nil {
		return identifyNext(cfg, file)
	}
	if file != nil {
		kept, err := enroll.Load(cfg.DataDir)
		switch {
		case errors.Is(err, enroll.ErrNone):
			return nil, nil //nolint:nilnil // a node without an identity is one
		case err != nil:
			return nil, err //nolint:wrapcheck // says what
		case cfg.JoinToken != "" && time.Now().After(kept.Expires().Add(renewal.Grace)):
			return nil, nil //nolint:nilnil // it enrols anew, and serves meanwhile
		}
	}
	identity, err := enroll.Ensure(ctx, cfg.enrolment())
	if err != nil {
		return nil, err //nolint:wrapcheck // says what
	}
	if file != nil && file.reader.Manifest().GetEnvironment() != identity.Environment() {
		return nil, errOtherEnvironment(identity, file.reader.Manifest().GetEnvironmentName())
	}
	return identity, nil
}

func errOtherEnvironment(identity *enroll.Identity, of string) error {
	return fmt.Errorf("the snapshot file is of environment %q, the node belongs to %q: export that one, or start without -snapshot", of, identity.EnvironmentName())
}

// join makes the node one of its control plane's.
func (n *node) join(identity *enroll.Identity) (err error) {
	self, err := id.Parse(id.Node, identity.Node())
	if err != nil {
		return fmt.Errorf("the node's id %q: %w", identity.Node(), err)
	}
	if n.connection, err = configsync.Dial(n.cfg.Control, identity.TLS()); err != nil {
		return err //nolint:wrapcheck // says what
	}
	n.identity = identity
	identity.Holding(func(lane edgev1.Lane) (epoch, number uint64) {
		at := n.state.Lane(lane).Highest()
		return at.Epoch, at.Number
	})
	// A node that came back with a certificate that has ended was turned away until now.
	n.renewer = enroll.NewRenewer(n.cfg.enrolment(), identity, n.connection.ResetConnectBackoff)
	origin := usage.Origin{Node: identity.Node(), Environment: identity.Environment(), Boot: n.boot}
	n.bus, err = usage.Connect(usage.BusConfig{
		URLs: identity.BusURLs(), TLS: identity.BusTLS(), JWT: identity.BusJWT, Sign: identity.BusSign, Refused: n.renewer.Want,
		Origin: origin, Log: n.cfg.Logger,
	})
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	n.syncer.Connect(n.connection, identity)
	n.answerer = n.newAnswerer()
	n.shares.Join(self)
	n.sender.Join(n.bus, identity.Node())
	n.issuers.Join(n.askForKeys)
	n.joined.Store(true)
	return nil
}

// belong keeps the node in touch with its control plane, which it joins first if need be and if it may: a node without a join token is on
// its own.
func (n *node) belong(ctx context.Context) error {
	if !n.joined.Load() {
		n.syncer.Alone()
		if n.cfg.JoinToken == "" {
			n.cfg.Logger.Warn("the node has neither an identity nor a join token: it serves what its snapshot file holds, hears of no change, and its usage waits on its disk")
			<-ctx.Done()
			return nil
		}
		select {
		case <-n.handing.turn: // an identity is written by who may
		case <-ctx.Done():
			return nil
		}
		identity, err := n.enrol(ctx)
		if err != nil || identity == nil {
			return err
		}
		if err := n.join(identity); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return n.syncer.Run(ctx) })
	group.Go(func() error { return n.renewer.Run(ctx) })
	group.Go(func() error { return n.answerer.Run(ctx) })
	return group.Wait() //nolint:wrapcheck // says what
}

// enrolPause is how long a node that was refused serves on before it asks again.
const enrolPause = 30 * time.Second

// enrol returns an identity once there is one; nil: ctx ended before. A refusal doesn't end a node that serves.
func (n *node) enrol(ctx context.Context) (*enroll.Identity, error) {
	for ctx.Err() == nil {
		identity, err := enroll.Ensure(ctx, n.cfg.enrolment())
		switch {
		case err == nil && identity.Environment() != n.home.environment:
			return nil, errOtherEnvironment(identity, n.home.name)
		case err == nil:
			return identity, nil
		}
		n.cfg.Logger.Error("the node can't enrol; it serves what its snapshot file holds, and tries again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(enrolPause):
		}
	}
	return nil, nil //nolint:nilnil // the process ends
}

// nodeID returns the node's id; "" as long as it has none.
func (n *node) nodeID() string {
	if !n.joined.Load() {
		return ""
	}
	return n.identity.Node()
}
