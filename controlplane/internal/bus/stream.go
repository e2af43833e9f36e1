package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/proto/subject"
)

const (
	// usageBytes bounds the stream: beyond it nodes are refused and keep their batches.
	usageBytes = 2 << 30
	// usagePerNode bounds what one node has in the stream: an eighth of it at most, so that a node that floods
	// it takes no room from the others, and at most so many messages lie before theirs.
	usagePerNode = 256
	// duplicateWindow is how long a message's id is remembered. It only saves work: what counts a
	// batch once is its receipt in Postgres.
	duplicateWindow = 2 * time.Minute
	// ackWait is how long a message may be worked on before it is delivered again.
	ackWait = 10 * time.Second
	// maxInFlight bounds what is delivered and not yet acked, all replicas together.
	maxInFlight = 1024
)

// ensureUsage makes the usage stream and its consumer, or brings them up to date.
func ensureUsage(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, jetstream.Consumer, error) {
	perNode, err := share(ctx, js)
	if err != nil {
		return nil, nil, err
	}
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        subject.UsageStream,
		Description: "usage batches of nodes, on their way into Postgres",
		Subjects:    []string{subject.UsageAll()},
		Storage:     jetstream.FileStorage,
		// What was acked is gone; what wasn't is never thrown away: a full stream refuses instead.
		Retention: jetstream.WorkQueuePolicy,
		Discard:   jetstream.DiscardNew,
		MaxBytes:  usageBytes,
		// A node has a subject of its own, so that this is each node's bound.
		MaxMsgsPerSubject:    perNode,
		DiscardNewPerSubject: true,
		MaxMsgSize:           maxPayload,
		Duplicates:           duplicateWindow,
		// Nothing of ours purges or deletes, so that nobody else shall find a way to make us.
		DenyPurge:  true,
		DenyDelete: true,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make the usage stream: %w", err)
	}
	consumer, err := stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable:       subject.UsageConsumer,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1,
		MaxAckPending: maxInFlight,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make the usage consumer: %w", err)
	}
	return stream, consumer, nil
}

// share returns how much one node may have in the stream: usagePerNode, unless the stream is one of a build that had no
// such bound, or a greater one, and a node has more in it. Lowering the bound would throw that away; it is lowered at a later start.
func share(ctx context.Context, js jetstream.JetStream) (int64, error) {
	stream, err := js.Stream(ctx, subject.UsageStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return usagePerNode, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for the usage stream: %w", err)
	}
	if bound := stream.CachedInfo().Config.MaxMsgsPerSubject; bound > 0 && bound <= usagePerNode {
		return usagePerNode, nil
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject.UsageAll()))
	if err != nil {
		return 0, fmt.Errorf("look into the usage stream: %w", err)
	}
	var most uint64
	for _, waiting := range info.State.Subjects {
		most = max(most, waiting)
	}
	if most <= usagePerNode/2 { // they go on sending meanwhile
		return usagePerNode, nil
	}
	return int64(most) + usagePerNode, nil
}
