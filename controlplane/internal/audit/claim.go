package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// ErrUnknownKey says that a head was signed with a key that nodes don't believe in any more. It may be as it was signed, or not.
var ErrUnknownKey = errors.New("a head signed with a key that is retired, or not the control plane's")

// Signer signs heads, and tells which ones it has signed. It is fleet.Signer.
type Signer interface {
	Key() *edgev1.SigningKey
	SignAudit(head *edgev1.AuditHead) (*edgev1.SignedAuditHead, error)
	// VerifyAudit returns the head that was signed; ErrUnknownKey, wrapped, when its key is none that is believed in.
	VerifyAudit(signed *edgev1.SignedAuditHead) (*edgev1.AuditHead, error)
}

// claim is that a chain had an event of this hash at a number, in an epoch of an environment.
type claim struct {
	chain, environment string
	epoch, number      uint64
	hash               []byte
}

// claims are what a head says of the environment's chain, and of the global one.
func claimsOf(head *edgev1.AuditHead) [2]claim {
	return [2]claim{
		{head.GetEnvironment(), head.GetEnvironment(), head.GetEpoch(), head.GetNumber(), head.GetHash()},
		{"", head.GetEnvironment(), head.GetEpoch(), head.GetGlobalNumber(), head.GetGlobalHash()},
	}
}

// known is what a claim is held against.
type known interface {
	HashAt(ctx context.Context, chain string, number uint64) ([]byte, bool, error)
	Opened(ctx context.Context, chain, environment string, epoch uint64) (uint64, bool, error)
}

// against returns what speaks against the chain, in words; "": it leads through what is claimed. epoch is the environment's now.
// What lay behind the opening of a later epoch may be gone: the database went back, and the chain says so.
func (c claim) against(ctx context.Context, k known, epoch uint64) (string, error) {
	if c.number == 0 {
		return "", nil
	}
	if c.epoch > epoch {
		return fmt.Sprintf("event %d of %s was seen in epoch %d, and the database is in epoch %d", c.number, chainName(c.chain), c.epoch, epoch), nil
	}
	if c.epoch < epoch {
		opened, ok, err := k.Opened(ctx, c.chain, c.environment, c.epoch)
		if err != nil {
			return "", err
		}
		if !ok {
			return fmt.Sprintf("epoch %d of %s ended, and %s doesn't say so", c.epoch, c.environment, chainName(c.chain)), nil
		}
		if c.number >= opened {
			return "", nil
		}
	}
	hash, ok, err := k.HashAt(ctx, c.chain, c.number)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return fmt.Sprintf("event %d of %s was seen, and is gone", c.number, chainName(c.chain)), nil
	case !bytes.Equal(hash, c.hash):
		return fmt.Sprintf("event %d of %s isn't the one that was seen: it, or one before it, was changed", c.number, chainName(c.chain)), nil
	}
	return "", nil
}

// signedHead reads a signed head as it is kept.
func signedHead(text []byte) (*edgev1.SignedAuditHead, error) {
	signed := new(edgev1.SignedAuditHead)
	if err := proto.Unmarshal(text, signed); err != nil {
		return nil, fmt.Errorf("a signed head that can't be read: %w", err)
	}
	return signed, nil
}

// unverified reads a head whose signature nobody can check.
func unverified(signed *edgev1.SignedAuditHead) (*edgev1.AuditHead, error) {
	head := new(edgev1.AuditHead)
	if err := proto.Unmarshal(signed.GetHead(), head); err != nil {
		return nil, fmt.Errorf("a head that can't be read: %w", err)
	}
	return head, nil
}
