package enroll

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// clockwork is a renewer in a synctest bubble, whose control plane is a function.
type clockwork struct {
	*Renewer
	logged bytes.Buffer
	ways   []way
	at     []time.Time
}

const day = 24 * time.Hour

// newClockwork returns one whose certificate was issued so long ago.
func newClockwork(age time.Duration, answer func(c *clockwork) error) *clockwork {
	c := new(clockwork)
	c.Renewer = &Renewer{
		identity: newIdentity(certified(-age), ""), renewed: func() {}, log: slog.New(slog.NewTextHandler(&c.logged, nil)), spread: renewSpread,
	}
	c.attempt = func(_ context.Context, by way) error {
		c.ways, c.at = append(c.ways, by), append(c.at, time.Now())
		return answer(c)
	}
	return c
}

func certified(from time.Duration) *papers {
	begins := time.Now().Add(from)
	return &papers{certificate: tls.Certificate{Leaf: &x509.Certificate{NotBefore: begins, NotAfter: begins.Add(day)}}}
}

func renewNow(c *clockwork) error {
	c.identity.newest.Store(certified(0))
	return nil
}

// runFor runs the renewer for so long.
func (c *clockwork) runFor(t *testing.T, length time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	if err := c.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestIdentityIsRenewedInTheMiddleOfItsLifeAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(0, renewNow)
		began := time.Now()
		c.runFor(t, 30*day)
		if n := len(c.at); n < 50 || n > 60 {
			t.Errorf("renewed %d times in 30 days", n)
		}
		for _, at := range c.at {
			if gap := at.Sub(began); gap < day/2 || gap > day*6/10+time.Minute {
				t.Errorf("renewed after %v", gap)
			}
			began = at
		}
		if slices.Contains(c.ways, byProof) || strings.Contains(c.logged.String(), "WARN") {
			t.Errorf("%v, %s", c.ways, &c.logged)
		}
	})
}

func TestFleetThatStartedTogetherDoesNotRenewTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := certified(0)
		seen := make(map[time.Time]bool)
		for range 100 {
			seen[firstDue(p)] = true
		}
		if len(seen) < 90 {
			t.Errorf("%d moments for 100 nodes", len(seen))
		}
	})
}

func TestLateStartRenewsAtOnceAndAnEndedCertificateByProof(t *testing.T) {
	for age, want := range map[time.Duration]way{day * 7 / 10: byCertificate, 2 * day: byProof} {
		synctest.Test(t, func(t *testing.T) {
			c := newClockwork(age, renewNow)
			began := time.Now()
			c.runFor(t, time.Hour)
			if len(c.ways) != 1 || c.ways[0] != want || !c.at[0].Equal(began) {
				t.Errorf("aged %v: %v at %v", age, c.ways, c.at)
			}
		})
	}
}

func TestWrongClockDoesNotMakeANodeRenewWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// By our clock each certificate is in the last hour of its life when it is issued.
		c := newClockwork(23*time.Hour, func(c *clockwork) error {
			c.identity.newest.Store(certified(-23 * time.Hour))
			return nil
		})
		c.runFor(t, 2*day)
		if len(c.ways) > 5 {
			t.Errorf("renewed %d times in two days", len(c.ways))
		}
	})
}

func TestOutageIsOutlivedByRetriesThatTurnIntoProofs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := time.Now().Add(10 * day)
		c := newClockwork(0, func(c *clockwork) error {
			if time.Now().Before(ends) {
				return status.Error(codes.Unavailable, "away")
			}
			return renewNow(c)
		})
		expires := c.identity.Expires()
		c.runFor(t, 10*day+time.Minute)
		last := len(c.at) - 1
		if succeeded, _ := c.Renewals(); succeeded != 1 || c.ways[last] != byProof || c.at[last].Sub(ends) > endRetry {
			t.Errorf("%d renewals, the last by %s %v after the outage", succeeded, c.ways[last], c.at[last].Sub(ends))
		}
		for i, at := range c.at {
			if !at.Before(expires) && c.ways[i] != byProof {
				t.Errorf("shown after its end: %v", at)
			}
			if i > 0 && (at.Sub(c.at[i-1]) > mostRetry || at.Sub(c.at[i-1]) < leastRetry/2) {
				t.Errorf("a pause of %v", at.Sub(c.at[i-1]))
			}
		}
		if !slices.Contains(c.ways[:100], byProof) || !slices.Contains(c.ways[:100], byCertificate) {
			t.Error("only one way was tried while the server was away")
		}
		if !strings.Contains(c.logged.String(), "level=WARN") || !strings.Contains(c.logged.String(), "level=ERROR") {
			t.Error("the operator wasn't told")
		}
	})
}

func TestRefusedRenewalIsTriedAgainSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, err := range []error{status.Error(codes.PermissionDenied, "disabled"), status.Error(codes.Unimplemented, "older"), errors.New("disk full")} {
			c := newClockwork(day*7/10, func(*clockwork) error { return err })
			c.runFor(t, time.Hour)
			if n := len(c.ways); n < 5 || n > 61 || slices.Contains(c.ways, byProof) {
				t.Errorf("%v: %d attempts in an hour: %v", err, n, c.ways)
			}
		}
	})
}

func TestRenewalThatIsWantedComesEarlyButNotAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(0, renewNow)
		c.wanted = make(chan struct{}, 1)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var nagging sync.WaitGroup
		nagging.Go(func() { // as a bus that turns the node away at each try
			for ctx.Err() == nil {
				c.Want()
				time.Sleep(time.Second)
			}
		})
		c.runFor(t, 10*time.Minute-time.Second)
		cancel()
		nagging.Wait()
		if len(c.at) < 5 || c.at[0].Sub(began) > time.Second {
			t.Fatalf("renewed at %v, wanted from %v on", c.at, began)
		}
		for i := 1; i < len(c.at); i++ {
			if gap := c.at[i].Sub(c.at[i-1]); gap < leastEarly {
				t.Errorf("renewed again after %v", gap)
			}
		}
	})
}

func TestBusMayHaveACertificateOfItsOwnAndTheControlPlaneMayNot(t *testing.T) {
	a := newAuthority(t)
	key := newKey(t)
	for _, name := range []string{controlID, busID, nodeID("env_x", "node_x")} {
		chain := []*x509.Certificate{a.issue(t, key.Public(), func(c *x509.Certificate) { c.URIs = []*url.URL{mustURL(t, name)} }), a.certificate}
		if err := verifyServer(chain, []*x509.Certificate{a.certificate}, controlID, busID); (err == nil) != (name == controlID || name == busID) {
			t.Errorf("as the bus, %s: %v", name, err)
		}
		if err := verifyServer(chain, []*x509.Certificate{a.certificate}, controlID); (err == nil) != (name == controlID) {
			t.Errorf("as the control plane, %s: %v", name, err)
		}
	}
}
