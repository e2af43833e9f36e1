package configsync

import (
	"cmp"
	"errors"
	"slices"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
)

// Codes of a refusal as a whole. They are stable: the control plane shows and counts them.
const (
	codeUnknownKey       = "unknown_signing_key"
	codeBadSignature     = "bad_signature"
	codeBadHead          = "bad_head"
	codeWrongEnvironment = "wrong_environment"
	codeWrongLane        = "wrong_lane"
	codeLowerPosition    = "lower_position"
	codeWrongBase        = "wrong_base"
	codeDigestMismatch   = "digest_mismatch"
	codeMalformed        = "malformed"
	codeUnknownField     = "unknown_field"
	codeTooLarge         = "too_large"
	codeNotCompiled      = "not_compiled"
	codeCrashed          = "crashed_the_node"
	codeNotDurable       = "not_durable"
	codeTrustRefused     = "trust_refused"
)

// reaction is what follows a refusal.
type reaction uint8

const (
	// keep what we hold and wait for something newer.
	keep reaction = iota
	// resync: ask for a snapshot.
	resync
	// reconnect: the other side is wrong about what we hold, or isn't who it should be.
	reconnect
)

// refusal is why a state was refused. It holds nothing of the state's content but names.
type refusal struct {
	code     string
	detail   string
	objects  []*edgev1.ObjectError // why, per object
	reaction reaction
	expected bool // nothing is wrong: another process of the node takes it
}

func (r *refusal) Error() string { return r.code + ": " + r.detail }

// thenReconnect is the refusal when the stream can't go on.
func (r *refusal) thenReconnect() *refusal {
	return &refusal{code: r.code, detail: r.detail, reaction: reconnect}
}

// maxErrors bounds the errors of one Nack.
const maxErrors = 100

// nack is the refusal as said to the control plane.
func (r *refusal) nack(number uint64) *edgev1.Nack {
	reasons := r.objects
	if len(reasons) == 0 {
		reasons = []*edgev1.ObjectError{{Code: r.code, Message: r.detail}}
	}
	slices.SortStableFunc(reasons, func(a, b *edgev1.ObjectError) int {
		return cmp.Or(cmp.Compare(a.GetCollection(), b.GetCollection()), cmp.Compare(a.GetId(), b.GetId()), cmp.Compare(a.GetPointer(), b.GetPointer()))
	})
	return &edgev1.Nack{
		Number: number,
		Errors: reasons[:min(len(reasons), maxErrors)],
		Resync: r.reaction == resync,
	}
}

// asRefusal finds the refusal in err; what is none is the content's fault.
func asRefusal(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	code := codeMalformed
	switch {
	case errors.Is(err, directory.ErrUnknownField):
		code = codeUnknownField
	case errors.Is(err, directory.ErrTooMany):
		code = codeTooLarge
	}
	return &refusal{code: code, detail: err.Error(), reaction: keep}
}
