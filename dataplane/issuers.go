package dataplane

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/issuers"
	"github.com/sallyport/sallyport/dataplane/internal/upstream"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// openIssuers makes what knows issuers' keys. It may connect where services may, and nowhere else.
func (n *node) openIssuers(own []netip.AddrPort) {
	n.issuers = issuers.NewRegistry(issuers.Config{
		Directory: n.directory, Logger: n.cfg.Logger,
		InForce: func() (*issuers.Set, []netip.Prefix) {
			if now := n.snapshots.Load(); now != nil {
				return now.Issuers(), now.Settings.AllowedTargets.Prefixes()
			}
			return nil, nil
		},
		Guard: func(allowed []netip.Prefix) func(network, address string, c syscall.RawConn) error {
			return upstream.NewGuard(allowed, own).Control
		},
	})
}

// askForKeys has the control plane look at an issuer's keys.
func (n *node) askForKeys(ctx context.Context, issuer id.ID, keyID string) (sequence uint64, err error) {
	answer, err := edgev1.NewEdgeServiceClient(n.connection).RefreshKeys(ctx, &edgev1.RefreshKeysRequest{Issuer: issuer[:], KeyId: keyID})
	if err != nil {
		return 0, fmt.Errorf("ask the control plane: %w", err)
	}
	return answer.GetSequence(), nil
}

// issuerSamples are of issuers' keys, and of the tokens that they signed.
func (n *node) issuerSamples(one func(string, float64, ...string)) {
	s := n.issuers.Stats()
	for _, k := range s.Keys {
		one(admin.IssuerKeys, float64(k.Good), k.Name)
		one(admin.UnknownKeys, float64(k.Unknown), k.Name)
		for outcome, count := range map[string]uint64{
			"asked": k.Asked, "ask_failed": k.AskFailed, "fetched": k.Fetched, "fetch_failed": k.FetchFailed, "put_off": k.PutOff,
		} {
			one(admin.KeyRefreshes, float64(count), k.Name, outcome)
		}
	}
	for outcome, count := range map[string]uint64{"found": s.Found, "in_vain": s.InVain, "crowded": s.Crowded} {
		one(admin.KeyWaits, float64(count), outcome)
	}
	remembered := n.issuers.Tokens().Stats()
	one(admin.TokensRemembered, float64(remembered.Entries))
	one(admin.TokensBytes, float64(remembered.Bytes))
	for event, count := range map[string]uint64{
		"hit": remembered.Hits, "miss": remembered.Misses, "evicted": remembered.Evicted, "dropped": remembered.Dropped, "oversized": remembered.Oversized,
	} {
		one(admin.TokenLookups, float64(count), event)
	}
}
