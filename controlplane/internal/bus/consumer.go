package bus

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/controlplane/internal/usage"
)

const (
	// group is how many messages are received together: one transaction for all of them.
	group = 256
	// groupWait is how long to wait for the first message of a group before asking again.
	groupWait = time.Second
	// receiveTimeout bounds the work on one group; less than ackWait.
	receiveTimeout = 8 * time.Second
	// retryDelay is when a message that could not be taken comes again.
	retryDelay = 2 * time.Second
	// ensureTimeout bounds making the stream and its consumer.
	ensureTimeout = 10 * time.Second
	// fetchRetry is the pause after the bus failed.
	fetchRetry = time.Second
)

// Receiver takes usage messages. It answers each, in their order.
type Receiver interface {
	Receive(ctx context.Context, deliveries []usage.Delivery) []usage.Verdict
}

// Consumer brings usage from the stream to a receiver, and acks what it has committed. Replicas
// share the stream: each message goes to one of them.
type Consumer struct {
	js       jetstream.JetStream
	receiver Receiver
	log      *slog.Logger
	floods   *floods

	stream   jetstream.Stream   // nil: not looked for yet, or lost
	consumer jetstream.Consumer // alike
}

// NewConsumer returns a consumer over a connection, which stays the caller's.
func NewConsumer(conn *nats.Conn, receiver Receiver, log *slog.Logger, stats *Stats) (*Consumer, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return &Consumer{js: js, receiver: receiver, log: log, floods: newFloods(log, stats)}, nil
}

// Run receives until ctx ends. What is being received then is finished; the rest stays in the stream.
// A bus that isn't there yet, or lost its stream with its disk, is waited for.
func (c *Consumer) Run(ctx context.Context) error {
	failing := false
	for ctx.Err() == nil {
		err := c.Ensure(ctx)
		if err == nil {
			err = c.round(ctx)
			c.floods.look(ctx, c.stream)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			if !failing {
				c.log.Error("can't read the usage stream; trying again", "error", err)
			}
			failing = true
			c.consumer = nil
			pause(ctx, fetchRetry)
		case err == nil && failing:
			c.log.Info("reads the usage stream again")
			failing = false
		}
	}
	return nil
}

// Ensure makes the usage stream and its consumer, unless that was done and nothing failed since.
func (c *Consumer) Ensure(ctx context.Context) error {
	if c.consumer != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ensureTimeout)
	defer cancel()
	var err error
	c.stream, c.consumer, err = ensureUsage(ctx, c.js)
	return err
}

// round receives one group: it waits for the first message, and takes along what else is there. It
// doesn't end early with ctx: a message that was delivered to nobody would come again only after
// ackWait.
func (c *Consumer) round(ctx context.Context) error {
	first, err := collect(c.consumer.Fetch(1, jetstream.FetchMaxWait(groupWait)))
	if err != nil || len(first) == 0 {
		return err
	}
	more, err := collect(c.consumer.FetchNoWait(group - 1))
	c.receive(ctx, append(first, more...))
	return err
}

// collect returns all messages of a batch. An error may come with messages: what was delivered
// before it counts.
func collect(batch jetstream.MessageBatch, err error) ([]jetstream.Msg, error) {
	if err != nil {
		return nil, err
	}
	var messages []jetstream.Msg
	for m := range batch.Messages() {
		messages = append(messages, m)
	}
	return messages, batch.Error()
}

func (c *Consumer) receive(ctx context.Context, messages []jetstream.Msg) {
	deliveries := make([]usage.Delivery, len(messages))
	for i, m := range messages {
		deliveries[i] = usage.Delivery{Subject: m.Subject(), Data: m.Data()}
		if metadata, err := m.Metadata(); err == nil {
			deliveries[i].SentAt = metadata.Timestamp
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), receiveTimeout)
	defer cancel()
	for i, verdict := range c.receiver.Receive(ctx, deliveries) {
		if err := answer(messages[i], verdict); err != nil {
			// It will be delivered again, and found to be counted already.
			c.log.Warn("can't answer a usage message", "subject", messages[i].Subject(), "error", err)
		}
	}
}

func answer(m jetstream.Msg, verdict usage.Verdict) error {
	switch verdict {
	case usage.Committed:
		return m.Ack()
	case usage.Refused:
		return m.Term()
	default:
		return m.NakWithDelay(retryDelay)
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
