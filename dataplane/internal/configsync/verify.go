package configsync

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/state"
	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// headContext stands before what is signed, so that no signature over anything else is one over a
// head.
const headContext = "sallyport head v1\x00"

// head is a verified head.
type head struct {
	epoch, number  uint64
	digest         digest.Sum
	sequenceNeeded uint64
	time           time.Time
	signed         *edgev1.SignedHead // as it came
}

// verifier tells whether a head is the control plane's word about one lane of our environment.
type verifier struct {
	environment string
	lane        edgev1.Lane
	trust       Trust
}

// signingKeys reads the keys of a trust bundle.
func signingKeys(keys []*edgev1.SigningKey) (map[string]ed25519.PublicKey, error) {
	if len(keys) == 0 {
		return nil, errors.New("the trust bundle holds no signing key")
	}
	known := make(map[string]ed25519.PublicKey, len(keys))
	for _, key := range keys {
		if len(key.GetPublicKey()) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("signing key %q has %d bytes, want %d", key.GetId(), len(key.GetPublicKey()), ed25519.PublicKeySize)
		}
		if _, twice := known[key.GetId()]; twice || key.GetId() == "" {
			return nil, fmt.Errorf("signing key id %q is empty or there twice", key.GetId())
		}
		known[key.GetId()] = ed25519.PublicKey(key.GetPublicKey())
	}
	return known, nil
}

// verify checks a signed head: key, signature, form, environment, lane. The error is a *refusal.
func (v *verifier) verify(signed *edgev1.SignedHead) (head, error) {
	key, known := v.trust.SigningKey(signed.GetKeyId())
	if !known {
		return head{}, unknownKey(signed)
	}
	return v.verifyBy(key, signed)
}

// verifyKept is verify for what comes off the node's disk: a key that was retired since may have signed it, up to where
// the node was then.
func (v *verifier) verifyKept(signed *edgev1.SignedHead) (head, error) {
	key, epoch, number, retired := v.trust.RetiredKey(signed.GetKeyId(), v.lane)
	if _, current := v.trust.SigningKey(signed.GetKeyId()); current || !retired {
		return v.verify(signed)
	}
	h, err := v.verifyBy(key, signed)
	if err == nil && (state.Position{Epoch: epoch, Number: number}).Before(h.position()) {
		return head{}, unknownKey(signed)
	}
	return h, err
}

func unknownKey(signed *edgev1.SignedHead) *refusal {
	return &refusal{code: codeUnknownKey, reaction: reconnect, detail: fmt.Sprintf("the head is signed with key %q, which the node doesn't trust", signed.GetKeyId())}
}

func (v *verifier) verifyBy(key ed25519.PublicKey, signed *edgev1.SignedHead) (head, error) {
	if !ed25519.Verify(key, append([]byte(headContext), signed.GetHead()...), signed.GetSignature()) {
		return head{}, &refusal{code: codeBadSignature, reaction: reconnect, detail: "the head's signature doesn't verify"}
	}
	var h edgev1.Head
	if err := proto.Unmarshal(signed.GetHead(), &h); err != nil {
		return head{}, &refusal{code: codeBadHead, reaction: reconnect, detail: "the head is no message"}
	}
	if fault := refuseUnknown(h.ProtoReflect()); fault != nil {
		return head{number: h.GetNumber()}, fault
	}
	switch {
	case h.GetEnvironment() != v.environment:
		return head{}, &refusal{code: codeWrongEnvironment, reaction: reconnect, detail: fmt.Sprintf("the head is of environment %q, the node's is %q", h.GetEnvironment(), v.environment)}
	case h.GetLane() != v.lane:
		return head{}, &refusal{code: codeWrongLane, reaction: reconnect, detail: fmt.Sprintf("the head is of %v on the stream of %v", h.GetLane(), v.lane)}
	case len(h.GetDigest()) != len(digest.Sum{}) || h.GetEpoch() == 0 || h.GetTime().CheckValid() != nil:
		return head{}, &refusal{code: codeBadHead, reaction: reconnect, detail: "the head lacks its epoch, time or digest"}
	}
	return head{
		epoch:          h.GetEpoch(),
		number:         h.GetNumber(),
		digest:         digest.Sum(h.GetDigest()),
		sequenceNeeded: h.GetSequenceNeeded(),
		time:           h.GetTime().AsTime(),
		signed:         signed,
	}, nil
}
