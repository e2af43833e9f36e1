package dataplane

import (
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/problem"
)

// restore puts in force what the node has kept, as fresh as it was.
func (n *node) restore() {
	n.syncer.Restore()
	_, kept := n.syncer.Confirmed()
	n.freshness.Restore(n.state.Freshness(), kept, time.Now())
}

// maxStaleness is the environment's limit in force; 0: none.
func (n *node) maxStaleness() time.Duration {
	if current := n.snapshots.Load(); current != nil {
		return current.Settings.MaxStaleness
	}
	return 0
}

// admission is who may keep a long exchange open: whoever is let in, as long as the node may let anybody in by a credential.
type admission struct {
	*directory.Directory

	stale   func(now time.Time) bool
	vouches func(*directory.Token) bool
}

// Denied implements streams.Admission.
func (a admission) Denied(who directory.Bearer, now time.Time) (problem.Code, bool) {
	proven := who.Digest != (apikey.Digest{}) || !who.Consumer.IsZero()
	if proven && a.stale(now) {
		return problem.ConfigurationStale, true
	}
	if code, denied := a.Directory.Denied(who, now); denied {
		return code, true
	}
	if who.Token != nil && !a.vouches(who.Token) {
		return problem.CredentialInvalid, true
	}
	return "", false
}

// vouches tells whether a token's issuer is trusted still, and has the key that signed it.
func (n *node) vouches(token *directory.Token) bool {
	current := n.snapshots.Load()
	return current != nil && current.Issuers().Vouches(token)
}

// stale tells whether routes that authenticate have stopped.
func (n *node) stale(now time.Time) bool {
	limit := n.maxStaleness()
	return limit > 0 && n.freshness.Age(now) > limit
}

func (n *node) stalenessSamples(one func(string, float64, ...string)) {
	now := time.Now()
	one(admin.Stale, truth(n.stale(now)))
	if age := n.freshness.Age(now); age != freshness.Never {
		one(admin.ConfirmedAge, age.Seconds())
	}
}
