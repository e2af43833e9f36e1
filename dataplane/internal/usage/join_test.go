package usage

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func alone(t *testing.T, dir, boot string) Config {
	t.Helper()
	c := config(t, dir, boot)
	c.Origin.Node = ""
	return c
}

func TestWhatIsCountedBeforeANodeBelongsSomewhereIsSentThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger, bus := Open(alone(t, "", "first")), newBus()
		sender := NewSender(ledger, nil, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- sender.Run(ctx, time.Second) }()
		for n := range 3 {
			ledger.Recorder().Record(0, request(n))
			time.Sleep(time.Minute)
		}
		if stats := sender.Stats(); stats.Waiting == 0 || stats.Sent != 0 {
			t.Errorf("it tells %+v", stats)
		}
		sender.Join(bus, testNode)
		time.Sleep(time.Minute)
		bus.sums(t).expect(t, 3)
		for _, batch := range bus.order {
			if batch.GetNode() != testNode {
				t.Errorf("a batch is of node %q", batch.GetNode())
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestANodeThatNeverBelongsAnywhereEndsInGoodOrder(t *testing.T) {
	for name, dir := range map[string]string{"with a disk": t.TempDir(), "in memory alone": ""} {
		t.Run(name, func(t *testing.T) {
			ledger := Open(alone(t, dir, "first"))
			ledger.Recorder().Record(0, request(0))
			ctx, stop := context.WithCancel(t.Context())
			stop()
			if err := NewSender(ledger, nil, slog.New(slog.DiscardHandler)).Run(ctx, time.Minute); err != nil {
				t.Error(err)
			}
			if dir != "" {
				drained(t, dir, newBus()).expect(t, 1)
			}
		})
	}
}

// Boots without a name die or end, and the next ones take up what they left, before and after the node has got its name. After each step
// the process is killed, and one that has the name counts each request once.
func TestWhatBootsWithoutANameCountedIsSentOnceByWhateverNameTheNodeGets(t *testing.T) {
	dir, bus, recorded := t.TempDir(), newBus(), 0
	var ledger *Ledger
	step := func(what string) {
		t.Helper()
		drained(t, copyOf(t, dir), bus.clone()).expect(t, recorded)
		if t.Failed() {
			t.Fatalf("killed after: %s", what)
		}
	}
	count := func() {
		t.Helper()
		for n := range 30 {
			ledger.Recorder().Record(uint32(recorded%7), request(recorded))
			recorded++
			if n == 20 {
				ledger.keep()
			}
		}
		step("counted")
	}
	end := func() {
		t.Helper()
		if err := ledger.close(); err != nil {
			t.Fatal(err)
		}
	}
	ledger = Open(alone(t, dir, "killed"))
	count()
	killed := dir
	dir = copyOf(t, killed)
	end() // of what was copied
	for n := range 2 {
		ledger = Open(alone(t, dir, fmt.Sprint("ended", n)))
		count()
		end()
		step("ended in good order")
	}

	ledger = Open(alone(t, dir, "joins"))
	sender := NewSender(ledger, nil, slog.New(slog.DiscardHandler))
	count()
	if sender.round(t.Context()); bus.attempts > 0 || ledger.refused.Load() > 0 {
		t.Fatalf("without a name it sent %d batches, and refused %d boots", bus.attempts, ledger.refused.Load())
	}
	sender.Join(bus, testNode)
	step("joined")
	count()
	bus.fail = func(attempt int) (bool, error) {
		if attempt%2 == 1 {
			return true, os.ErrDeadlineExceeded // stored, and not heard
		}
		return true, nil
	}
	for sent := false; !sent; {
		sent = sender.round(t.Context())
		step("sent some")
	}
	count()
	end()
	step("ended")
}

func TestWhatANodeCountedUnderANameIsNotReportedByAnother(t *testing.T) {
	dir, bus := t.TempDir(), newBus()
	ledger := Open(config(t, dir, "first"))
	ledger.Recorder().Record(0, request(0))
	if err := ledger.close(); err != nil {
		t.Fatal(err)
	}
	ledger = Open(alone(t, dir, "second"))
	defer func() { _ = ledger.close() }()
	sender := NewSender(ledger, nil, slog.New(slog.DiscardHandler))
	sender.Join(bus, "node_other")
	if sender.round(t.Context()); bus.attempts > 0 || ledger.refused.Load() != 1 {
		t.Errorf("%d batches were sent, %d boots were refused", bus.attempts, ledger.refused.Load())
	}
}
