package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/proto/subject"
)

const (
	// usageBytes bounds the stream: beyond it nodes are refused and keep their batches.
	usageBytes = 2 << 30
	// duplicateWindow is how long a message's id is remembered. It only saves work: what counts a
	// batch once is its receipt in Postgres.
	duplicateWindow = 2 * time.Minute
	// ackWait is how long a message may be worked on before it is delivered again.
	ackWait = 10 * time.Second
	// maxInFlight bounds what is delivered and not yet acked, all replicas together.
	maxInFlight = 1024
)

// ensureUsage makes the usage stream and its consumer, or brings them up to date.
func ensureUsage(ctx context.Context, js jetstream.JetStream) (jetstream.Consumer, error) {
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        subject.UsageStream,
		Description: "usage batches of nodes, on their way into Postgres",
		Subjects:    []string{subject.UsageAll()},
		Storage:     jetstream.FileStorage,
		// What was acked is gone; what wasn't is never thrown away: a full stream refuses instead.
		Retention:  jetstream.WorkQueuePolicy,
		Discard:    jetstream.DiscardNew,
		MaxBytes:   usageBytes,
		MaxMsgSize: maxPayload,
		Duplicates: duplicateWindow,
		// Nothing of ours purges or deletes, so that nobody else shall find a way to make us.
		DenyPurge:  true,
		DenyDelete: true,
	})
	if err != nil {
		return nil, fmt.Errorf("make the usage stream: %w", err)
	}
	consumer, err := stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable:       subject.UsageConsumer,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1,
		MaxAckPending: maxInFlight,
	})
	if err != nil {
		return nil, fmt.Errorf("make the usage consumer: %w", err)
	}
	return consumer, nil
}
