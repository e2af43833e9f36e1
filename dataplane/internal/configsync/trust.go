package configsync

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Trust is what the node believes in. It may change at any time.
type Trust interface {
	// TrustVersion returns which announcement the node believes in.
	TrustVersion() uint64
	// SigningKey returns a key that heads may be signed with now.
	SigningKey(id string) (ed25519.PublicKey, bool)
	// RetiredKey returns a key that heads on the node's disk may be signed with, and up to which position of a lane.
	RetiredKey(id string, lane edgev1.Lane) (key ed25519.PublicKey, epoch, number uint64, ok bool)
	// Learn believes in what was announced, once it lies on the disk, and returns the version believed in then.
	Learn(announced *edgev1.Announcements) (version uint64, err error)
	// Changed returns a channel that is closed when the node believes in something else.
	Changed() <-chan struct{}
}

// fixedTrust is what a node believes in that never learns.
type fixedTrust map[string]ed25519.PublicKey

func (fixedTrust) TrustVersion() uint64 { return 0 }

func (f fixedTrust) SigningKey(id string) (ed25519.PublicKey, bool) {
	key, ok := f[id]
	return key, ok
}

func (fixedTrust) RetiredKey(string, edgev1.Lane) (ed25519.PublicKey, uint64, uint64, bool) {
	return nil, 0, 0, false
}

func (fixedTrust) Learn(*edgev1.Announcements) (uint64, error) {
	return 0, errors.New("this node follows no announcements")
}

func (fixedTrust) Changed() <-chan struct{} { return nil }

// trustWait is how long a head of the configuration waits for the announcement of its key, which comes on the other stream.
const trustWait = 5 * time.Second

// check is the lane's, with patience: the streams don't wait for each other.
func (s *session) check(ctx context.Context, signed *edgev1.SignedHead) (head, error) {
	timeout := time.NewTimer(trustWait)
	defer timeout.Stop()
	for {
		learnt := s.lane.verifier.trust.Changed() // before looking, so that nothing is missed
		h, err := s.lane.check(signed)
		if r := (*refusal)(nil); !errors.As(err, &r) || r.code != codeUnknownKey || s.lane.verifier.lane == edgev1.Lane_LANE_DIRECTORY {
			return h, err
		}
		select {
		case <-learnt:
		case <-timeout.C:
			return h, err
		case <-ctx.Done():
			return h, err
		}
	}
}

// learn takes what was announced, and says so once it is kept and believed.
func (s *session) learn(announced *edgev1.Announcements) error {
	link, ok := s.link.(directoryLink)
	if !ok {
		return errNothingSaid
	}
	version, err := s.lane.verifier.trust.Learn(announced)
	if err != nil {
		return s.refuse(0, &refusal{code: codeTrustRefused, reaction: reconnect, detail: err.Error()})
	}
	s.lane.log.Info("the node believes in what was announced", "version", version)
	if err := link.trusted(version); err != nil {
		return fmt.Errorf("say what is believed: %w", err)
	}
	return nil
}
