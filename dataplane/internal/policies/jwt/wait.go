package jwt

import (
	"context"

	"github.com/sallyport/sallyport/dataplane/internal/issuers"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/token"
)

// giveUp ends the waiting of a request whose client is gone.
type giveUp context.CancelFunc

// Cut implements pipeline.Cutter.
func (g giveUp) Cut() { g() }

// learned has somebody asked for a key that isn't known, and tells whether there is something new to look at. It waits only where the policy
// lets requests wait, and the client's address hasn't shown too many tokens that nobody signed; a dry run neither waits nor asks, and one in shadow
// holds nobody up.
func (s *stage) learned(ex *pipeline.Exchange, issuer *issuers.Issuer, seen *token.KeySet, keyID string, mayWait bool) bool {
	if ex.Dry {
		return false
	}
	if s.patience == 0 || !mayWait || ex.InShadow() {
		s.registry.Unknown(issuer.Keys(), keyID)
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	if ex.Abort.Hold(giveUp(cancel)) != nil {
		return false
	}
	defer func() { _ = ex.Abort.Hold(nil) }() // why it was aborted is for who asks the service
	return s.registry.Wait(ctx, issuer.Keys(), seen, keyID)
}
