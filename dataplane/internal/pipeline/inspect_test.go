package pipeline_test

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/effort"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

var aSecond = effort.Allowance{PerAddress: time.Second, PerCredential: time.Second, Refill: 10 * time.Second}

// meterOf makes a meter whose pieces cost what they sleep in a bubble of synctest.
func meterOf() *effort.Meter {
	began := time.Now()
	return effort.New(effort.Config{Turns: 2, Processors: 8, Spent: func() time.Duration { return time.Since(began) }})
}

func exchangeFrom(address string, who pipeline.Identity) *pipeline.Exchange {
	ex := new(pipeline.Pool).Get()
	ex.Client.Address, ex.Identity = netip.MustParseAddr(address), who
	return ex
}

func refusal(t *testing.T, err error) *pipeline.Rejection {
	t.Helper()
	var r *pipeline.Rejection
	if !errors.As(err, &r) {
		t.Fatalf("%v is no refusal", err)
	}
	return r
}

func TestWhoseInspectionsCostTooMuchIsRefusedWithTheTimeToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meter, key, issuer := meterOf(), id.New(time.Now()), id.New(time.Now())
		token := func(subject string) pipeline.Identity {
			return pipeline.Identity{Token: &directory.Token{Issuer: issuer, Subject: subject}, Issuer: issuer}
		}
		for _, ex := range []*pipeline.Exchange{exchangeFrom("192.0.2.1", pipeline.Identity{Credential: key}), exchangeFrom("192.0.2.2", token("alice"))} {
			if r := ex.Inspect(meter, aSecond, 10, func() { time.Sleep(1150 * time.Millisecond) }); r != nil {
				t.Fatal(r)
			}
		}
		for name, tt := range map[string]struct {
			ex      *pipeline.Exchange
			refused bool
		}{
			"the address":             {exchangeFrom("192.0.2.2", pipeline.Identity{}), true},
			"the key elsewhere":       {exchangeFrom("192.0.2.9", pipeline.Identity{Credential: key}), true},
			"the subject elsewhere":   {exchangeFrom("192.0.2.9", token("alice")), true},
			"another subject":         {exchangeFrom("192.0.2.9", token("bob")), false},
			"somebody else elsewhere": {exchangeFrom("192.0.2.9", pipeline.Identity{}), false},
		} {
			for _, err := range []error{tt.ex.MayInspect(meter, aSecond), tt.ex.Inspect(meter, aSecond, 10, func() {})} {
				if (err != nil) != tt.refused || tt.refused && refusal(t, err).Code != problem.InspectionOverBudget {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		last := refusal(t, exchangeFrom("192.0.2.2", pipeline.Identity{}).MayInspect(meter, aSecond))
		if last.Header.Get("Retry-After") != "2" { // 150 ms at a tenth of a processor
			t.Errorf("%+v", last)
		}
		dry := exchangeFrom("192.0.2.2", pipeline.Identity{})
		dry.Dry = true
		inspected := false
		if dry.MayInspect(meter, aSecond) != nil || dry.Inspect(meter, aSecond, 10, func() { inspected = true }) != nil || !inspected {
			t.Error("a dry run is metered")
		}
	})
}

// cutOnce is something else that an exchange waits for.
type cutOnce struct{ cut bool }

// Cut implements pipeline.Cutter.
func (c *cutOnce) Cut() { c.cut = true }

func TestAnInspectionThatWaitedTakesNothingOutOfReachThatTheExchangeWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meter, ex, answer := meterOf(), exchangeFrom("192.0.2.2", pipeline.Identity{}), new(cutOnce)
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				_ = exchangeFrom("192.0.2.1", pipeline.Identity{}).Inspect(meter, aSecond, 10, func() { time.Sleep(time.Second) })
			})
		}
		synctest.Wait()
		_ = ex.Abort.Hold(answer)
		if err := ex.Inspect(meter, aSecond, 10, func() {}); err != nil {
			t.Fatal(err)
		}
		ex.Abort.Because(errors.New("gone"))
		if !answer.cut {
			t.Error("what the exchange waited for isn't cut any more")
		}
		all.Wait()
	})
}

func TestAClientThatIsGoneLeavesTheLineOfInspections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meter := meterOf()
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				_ = exchangeFrom("192.0.2.1", pipeline.Identity{}).Inspect(meter, aSecond, 10, func() { time.Sleep(time.Minute) })
			})
		}
		synctest.Wait()
		ex, began := exchangeFrom("192.0.2.2", pipeline.Identity{}), time.Now()
		answer := new(cutOnce) // that is under way
		_ = ex.Abort.Hold(answer)
		time.AfterFunc(time.Second, func() { ex.Abort.Because(errors.New("gone")) })
		r := refusal(t, ex.Inspect(meter, aSecond, 10, func() { t.Error("inspected for nobody") }))
		if r.Code != problem.InspectionBusy || r.Header.Get("Retry-After") != "1" || time.Since(began) != time.Second {
			t.Errorf("%+v after %s", r, time.Since(began))
		}
		if !answer.cut {
			t.Error("while an inspection waits nothing else is cut")
		}
		if meter.Stats().Refused["client_gone"] != 1 {
			t.Errorf("%+v", meter.Stats())
		}
		all.Wait()
	})
}
