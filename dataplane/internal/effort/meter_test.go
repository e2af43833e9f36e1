package effort_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/effort"
	"github.com/sallyport/sallyport/proto/id"
)

var (
	plenty = effort.Allowance{PerAddress: time.Hour, PerCredential: time.Hour, Refill: time.Hour}
	usual  = effort.Allowance{PerAddress: 4 * time.Second, PerCredential: 4 * time.Second, Refill: 10 * time.Second}
)

const (
	short = 500
	long  = 10_000
)

// fixed makes a meter whose pieces cost what they sleep in a bubble of synctest.
func fixed(cfg effort.Config) *effort.Meter {
	began := time.Now()
	cfg.Spent = func() time.Duration { return time.Since(began) }
	if cfg.Processors == 0 {
		cfg.Processors = 100 // as good as any number
	}
	return effort.New(cfg)
}

func at(n int) effort.Caller {
	return effort.Caller{Address: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})}
}

func costs(d time.Duration) func() { return func() { <-time.After(d) } }

func refusedBy(err error) string {
	var spent *effort.SpentError
	if errors.As(err, &spent) {
		return spent.By
	}
	return ""
}

func done(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("a piece is refused: %v", err)
	}
}

func TestACallerIsLetInUntilItHasSpentItsAllowanceAndAgainOnceSomeHasComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{})
		done(t, m.Do(at(1), usual, long, costs(5*time.Second))) // who has spent nothing may run into debt
		for _, err := range []error{m.Spent(at(1), usual), m.Do(at(1), usual, short, func() { t.Error("work is done for who has spent all") })} {
			var spent *effort.SpentError
			if !errors.As(err, &spent) || spent.By != "address" || spent.Retry != 2500*time.Millisecond {
				t.Fatalf("one second of debt is answered %v, %+v", err, spent)
			}
		}
		done(t, m.Do(at(2), usual, long, costs(0)))
		time.Sleep(2500 * time.Millisecond)
		if refusedBy(m.Spent(at(1), usual)) != "address" {
			t.Error("let in before anything is left")
		}
		time.Sleep(10 * time.Millisecond)
		done(t, m.Spent(at(1), usual))
		if got := m.Stats().Refused["address"]; got != 3 {
			t.Errorf("%d refusals are counted", got)
		}
	})
}

func TestACredentialPaysWhereverItComesFromAndAnAddressWhateverItShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{})
		key, other := id.New(time.Now()), id.New(time.Now())
		from := func(address string, credential id.ID) effort.Caller {
			return effort.Caller{Address: netip.MustParseAddr(address), Credential: credential}
		}
		done(t, m.Do(from("2001:db8::1", key), usual, long, costs(5*time.Second)))
		for _, tt := range []struct {
			address    string
			credential id.ID
			want       string
		}{
			{"2001:db8::1", other, "address"},
			{"2001:db8::ffff", id.ID{}, "address"}, // the same /64
			{"192.0.2.1", key, "credential"},
			{"2001:db8:0:1::1", other, ""},
			{"192.0.2.1", id.ID{}, ""},
		} {
			if got := refusedBy(m.Spent(from(tt.address, tt.credential), usual)); got != tt.want {
				t.Errorf("%s is refused by %q, want %q", tt.address, got, tt.want)
			}
		}
	})
}

func TestWhoHasManyTokensOfOneSubjectPaysOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{})
		issuer, another := id.New(time.Now()), id.New(time.Now())
		done(t, m.Do(effort.Caller{Issuer: issuer, Subject: "alice"}, usual, long, costs(5*time.Second)))
		for _, tt := range []struct {
			issuer  id.ID
			subject string
			want    string
		}{{issuer, "alice", "credential"}, {issuer, "bob", ""}, {another, "alice", ""}} {
			if got := refusedBy(m.Spent(effort.Caller{Issuer: tt.issuer, Subject: tt.subject}, usual)); got != tt.want {
				t.Errorf("%s is refused by %q, want %q", tt.subject, got, tt.want)
			}
		}
	})
}

func TestADebtIsTenAllowancesAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{})
		done(t, m.Do(at(1), usual, long, costs(time.Hour)))
		var spent *effort.SpentError
		if err := m.Spent(at(1), usual); !errors.As(err, &spent) || spent.Retry != 90*time.Second {
			t.Errorf("an hour's work is answered %+v", spent)
		}
	})
}

func TestAPieceThatPanicsCostsAndGivesItsTurnBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{Turns: 2})
		for n := range 3 {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("the panic is lost")
					}
				}()
				_ = m.Do(at(n), usual, long, func() {
					time.Sleep(4 * time.Second)
					panic("in a rule")
				})
			}()
		}
		if got := refusedBy(m.Spent(at(2), usual)); got != "address" {
			t.Errorf("a panic costs nothing: refused by %q", got)
		}
		for _, c := range m.Stats().Classes {
			if c.AtWork != 0 {
				t.Errorf("%d %s pieces keep their turns", c.AtWork, c.Class)
			}
		}
	})
}

func TestNobodyWaitsLongerThanPromisedNorForAClientThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{Turns: 2, Patience: 3 * time.Second})
		var all sync.WaitGroup
		all.Go(func() { done(t, m.Do(at(1), plenty, long, costs(time.Minute))) })
		synctest.Wait()

		began := time.Now()
		if err := m.Do(at(2), plenty, long, costs(0)); !errors.Is(err, effort.ErrBusy) || time.Since(began) != 3*time.Second {
			t.Errorf("waited %s, got %v", time.Since(began), err)
		}
		gone, leave := context.WithCancel(t.Context())
		caller := at(3)
		caller.Watch = func(cut func()) (func(), error) {
			stop := context.AfterFunc(gone, cut)
			return func() { stop() }, gone.Err()
		}
		began = time.Now()
		time.AfterFunc(time.Second, leave)
		for range 2 { // the second time it was gone before
			if err := m.Do(caller, plenty, long, costs(0)); !errors.Is(err, effort.ErrGone) || time.Since(began) != time.Second {
				t.Errorf("waited %s for a client that is gone, got %v", time.Since(began), err)
			}
		}
		s := m.Stats()
		if s.Refused["too_late"] != 1 || s.Refused["client_gone"] != 2 || s.Classes[1].Waiting != 0 {
			t.Errorf("%+v", s)
		}
		all.Wait()
	})
}

func TestTheFirstPieceWidensTheProcessOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var by []int
		m := fixed(effort.Config{Turns: 4, Widen: func(n int) { by = append(by, n) }})
		if by != nil {
			t.Error("widened although nothing is inspected")
		}
		for range 3 {
			done(t, m.Do(at(1), usual, short, costs(0)))
		}
		if len(by) != 1 || by[0] != 3 {
			t.Errorf("widened by %v", by)
		}
	})
}

func TestWithoutAMeterNothingIsBounded(t *testing.T) {
	var m *effort.Meter
	did := false
	if m.Do(at(1), effort.Allowance{PerAddress: 1, Refill: 1}, long, func() { did = true }) != nil || !did || m.Spent(at(1), usual) != nil {
		t.Error("something is")
	}
}

func TestAnAllowanceOfNothingBoundsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{})
		for range 5 {
			done(t, m.Do(at(1), effort.Allowance{}, long, costs(time.Minute)))
		}
	})
}
