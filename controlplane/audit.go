package controlplane

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// command returns a context in which what a command changes is recorded as its own.
func command(ctx context.Context, operation string) context.Context {
	return audit.WithDraft(ctx, audit.NewDraft(audit.Origin{Actor: audit.Command, Operation: operation}))
}

// VerifyAudit goes through the record of who did what: of one environment (by id or name) or, "", all of it; from a number on. heads
// are lines as AuditHead printed them.
func (c *Commands) VerifyAudit(ctx context.Context, environment string, from uint64, heads string) (string, error) {
	what := audit.Verification{From: from}
	if environment != "" {
		found, err := c.environments.Get(ctx, environment)
		if err != nil {
			return "", err
		}
		what.Environment = found.GetId()
	}
	for line := range strings.Lines(heads) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		signed, err := parseAuditHead(line)
		if err != nil {
			return "", err
		}
		what.Heads = append(what.Heads, signed)
	}
	verified, err := audit.Verify(ctx, c.core.db.Audit(), c.core.signer, what)
	if err != nil {
		return "", fmt.Errorf("the audit record doesn't hold: %w", err)
	}
	var text strings.Builder
	for _, note := range verified.Notes {
		_, _ = fmt.Fprintln(&text, "note:", note) // a Builder takes everything
	}
	_, _ = fmt.Fprintf(&text, "%d events in %d chains hold, and lead through %d signed heads", verified.Events, verified.Chains, verified.Heads)
	return text.String(), nil
}

// AuditHead returns how far the record of an environment (by id or name) goes, signed, on one line: for somebody to keep elsewhere.
func (c *Commands) AuditHead(ctx context.Context, environment string) (string, error) {
	found, err := c.environments.Get(ctx, environment)
	if err != nil {
		return "", err
	}
	heads, err := c.core.db.Audit().Heads(ctx)
	if err != nil {
		return "", err
	}
	head := &edgev1.AuditHead{Environment: found.GetId(), Time: timestamppb.New(time.Now())}
	for _, h := range heads {
		switch h.Chain {
		case found.GetId():
			head.Epoch, head.Number, head.Hash = h.Epoch, h.Number, h.Hash
		case "":
			head.GlobalNumber, head.GlobalHash = h.Number, h.Hash
		}
	}
	signed, err := c.core.signer.SignAudit(head)
	if err != nil {
		return "", err
	}
	text, err := proto.Marshal(signed)
	if err != nil {
		return "", fmt.Errorf("marshal the head: %w", err)
	}
	return base64.StdEncoding.EncodeToString(text), nil
}

var errNoAuditHead = errors.New("a line that is no head as `sallyport-control audit head` prints them")

func parseAuditHead(line string) (*edgev1.SignedAuditHead, error) {
	text, err := base64.StdEncoding.DecodeString(line)
	signed := new(edgev1.SignedAuditHead)
	if err != nil || proto.Unmarshal(text, signed) != nil || len(signed.GetHead()) == 0 {
		return nil, errNoAuditHead
	}
	return signed, nil
}
