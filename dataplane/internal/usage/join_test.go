package usage

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
)

// taker takes everything.
type taker struct{ requests atomic.Uint64 }

func (b *taker) Publish(_ context.Context, _ string, data []byte) error {
	var batch usagev1.Batch
	if err := proto.Unmarshal(data, &batch); err != nil || batch.GetNode() != "n" {
		return context.Canceled
	}
	for _, c := range batch.GetCounters() {
		b.requests.Add(c.GetRequests())
	}
	return nil
}

func TestWhatIsCountedBeforeANodeBelongsSomewhereIsSentThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorder, bus := NewRecorder(), new(taker)
		sender := NewSender(recorder, nil, Origin{}, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- sender.Run(ctx, time.Second) }()
		for range 3 {
			recorder.Record(0, Key{Minute: 1, StatusClass: 2}, Counts{Requests: 1})
			time.Sleep(time.Minute)
		}
		if sender.Stats().Waiting != 1 {
			t.Errorf("it tells %+v", sender.Stats())
		}
		sender.Join(bus, Origin{Node: "n", Environment: "e", Boot: "b"})
		time.Sleep(time.Minute)
		if got := bus.requests.Load(); got != 3 {
			t.Errorf("%d requests were sent, want 3", got)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestANodeThatNeverBelongsAnywhereEndsInGoodOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorder := NewRecorder()
		recorder.Record(0, Key{Minute: 1}, Counts{Requests: 1})
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := NewSender(recorder, nil, Origin{}, slog.New(slog.DiscardHandler)).Run(ctx, time.Minute); err != nil {
			t.Error(err)
		}
	})
}
