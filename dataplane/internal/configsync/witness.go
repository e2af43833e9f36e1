package configsync

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// auditContext stands before what is signed of the audit record.
const auditContext = "sallyport audit head v1\x00"

// witness keeps the newest head of the control plane's audit record, so that the record can't be written anew: who does that has
// the database, and not this node's disk. It decides nothing about traffic.
type witness struct {
	environment string
	trust       Trust
	state       *state.Store // nil: it is kept in memory alone
	log         *slog.Logger

	mu     sync.Mutex
	head   *edgev1.AuditHead
	signed *edgev1.SignedAuditHead
}

// newWitness returns a witness of what is kept. What lies on the disk and isn't believed is passed over, loudly: it may have been
// signed with a key that was retired since, or changed.
func newWitness(config Config) *witness {
	w := &witness{environment: config.Environment, trust: config.Trust, state: config.State, log: config.Logger.With("component", "audit witness")}
	if w.state == nil {
		return w
	}
	kept, err := w.state.AuditHead()
	if err != nil || len(kept) == 0 {
		if err != nil {
			w.log.Error("the audit head that was kept can't be read", "error", err)
		}
		return w
	}
	signed := new(edgev1.SignedAuditHead)
	err = proto.Unmarshal(kept, signed)
	var head *edgev1.AuditHead
	if err == nil {
		head, err = w.read(signed)
	}
	if err != nil && !errors.Is(err, errUnknownAuditKey) {
		w.log.Error("the audit head that was kept isn't believed", "error", err)
		return w
	}
	w.head, w.signed = head, signed
	return w
}

var errUnknownAuditKey = errors.New("signed with a key that the node doesn't believe in")

// read returns the head that was signed for this node's environment. With errUnknownAuditKey it is as it came, unproved.
func (w *witness) read(signed *edgev1.SignedAuditHead) (*edgev1.AuditHead, error) {
	head := new(edgev1.AuditHead)
	if err := proto.Unmarshal(signed.GetHead(), head); err != nil {
		return nil, fmt.Errorf("an audit head that can't be read: %w", err)
	}
	if head.GetEnvironment() != w.environment {
		return nil, fmt.Errorf("an audit head of environment %q", head.GetEnvironment())
	}
	key, believed := w.trust.SigningKey(signed.GetKeyId())
	if !believed {
		return head, fmt.Errorf("an audit head %w", errUnknownAuditKey)
	}
	if !ed25519.Verify(key, append([]byte(auditContext), signed.GetHead()...), signed.GetSignature()) {
		return nil, errors.New("an audit head whose signature doesn't verify")
	}
	return head, nil
}

// take keeps a head that is newer than what is kept. One that goes back, or that says otherwise of the same event, is refused: what the
// node then shows in its next Hello is the proof.
func (w *witness) take(signed *edgev1.SignedAuditHead) {
	head, err := w.read(signed)
	if err == nil {
		err = w.keep(head, signed)
	}
	if err != nil {
		w.log.Error("an audit head is refused; the node keeps the one that it has", "error", err)
	}
}

func (w *witness) keep(head *edgev1.AuditHead, signed *edgev1.SignedAuditHead) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head != nil {
		if err := follows(w.head, head); err != nil {
			return err
		}
	}
	if w.state != nil {
		body, err := proto.Marshal(signed)
		if err == nil {
			err = w.state.KeepAuditHead(body)
		}
		if err != nil {
			w.log.Error("an audit head can't be kept on the disk", "error", err) // in memory it is
		}
	}
	w.head, w.signed = head, signed
	return nil
}

// follows tells whether a head can come behind another one. In a later epoch all of it can: the database went back.
func follows(before, head *edgev1.AuditHead) error {
	switch {
	case head.GetEpoch() > before.GetEpoch():
		return nil
	case head.GetEpoch() < before.GetEpoch():
		return fmt.Errorf("it is of epoch %d, and what is kept of %d", head.GetEpoch(), before.GetEpoch())
	}
	for _, chain := range []struct {
		name             string
		before, number   uint64
		hashBefore, hash []byte
	}{
		{"the environment's chain", before.GetNumber(), head.GetNumber(), before.GetHash(), head.GetHash()},
		{"the global chain", before.GetGlobalNumber(), head.GetGlobalNumber(), before.GetGlobalHash(), head.GetGlobalHash()},
	} {
		if chain.number < chain.before {
			return fmt.Errorf("%s goes back from event %d to %d", chain.name, chain.before, chain.number)
		}
		if chain.number == chain.before && !bytes.Equal(chain.hash, chain.hashBefore) {
			return fmt.Errorf("event %d of %s has another hash than before", chain.number, chain.name)
		}
	}
	return nil
}

// kept returns what the node shows in its Hello.
func (w *witness) kept() *edgev1.SignedAuditHead {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.signed
}
