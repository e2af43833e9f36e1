package fleet

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

var _ audit.Signer = (*Signer)(nil)

// auditContext is in front of what is signed of the audit record.
const auditContext = "sallyport audit head v1\x00"

// SignAudit returns a head of the audit record with the control plane's word for it.
func (s *Signer) SignAudit(head *edgev1.AuditHead) (*edgev1.SignedAuditHead, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("marshal an audit head: %w", err)
	}
	by := s.current.Load()
	return &edgev1.SignedAuditHead{Head: body, Signature: ed25519.Sign(by.key, append([]byte(auditContext), body...)), KeyId: by.id}, nil
}

// VerifyAudit returns the head that was signed with a key that nodes believe in; audit.ErrUnknownKey, wrapped, with any other.
func (s *Signer) VerifyAudit(signed *edgev1.SignedAuditHead) (*edgev1.AuditHead, error) {
	key, believed := (*s.believed.Load())[signed.GetKeyId()]
	if !believed || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: %q", audit.ErrUnknownKey, clean(signed.GetKeyId(), 64))
	}
	if !ed25519.Verify(key, append([]byte(auditContext), signed.GetHead()...), signed.GetSignature()) {
		return nil, errors.New("an audit head whose signature doesn't verify")
	}
	head := new(edgev1.AuditHead)
	if err := proto.Unmarshal(signed.GetHead(), head); err != nil {
		return nil, fmt.Errorf("a signed audit head: %w", err)
	}
	return head, nil
}
