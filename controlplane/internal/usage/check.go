package usage

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/subject"
)

// Limits of a batch: what a node that lies can make of one.
const (
	maxCounters    = 20_000
	maxCredentials = 20_000
	maxEvents      = 10_000
	maxVerdict     = 64 // bytes
	maxBoot        = 64 // bytes
	idSize         = 16
	maxSum         = 1 << 52 // of one counter: no node sums up more in a minute
	maxBatchNumber = 1 << 62
)

// Limits of an event's texts, in bytes; what is longer is cut.
const (
	maxRequestID = 64
	maxMethod    = 32
	maxHost      = 255
	maxPath      = 512
)

// ErrBatch says that a batch is no good.
var ErrBatch = errors.New("bad usage batch")

func check(delivery Delivery) (*usagev1.Batch, error) {
	environment, node, err := subject.ParseUsage(delivery.Subject)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	batch := &usagev1.Batch{}
	if err := proto.Unmarshal(delivery.Data, batch); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	if batch.GetNode() != node || batch.GetEnvironment() != environment {
		return nil, fmt.Errorf("%w: sent by node %s of %s, in the name of %.64q of %.64q",
			ErrBatch, node, environment, batch.GetNode(), batch.GetEnvironment())
	}
	return batch, checkBatch(batch)
}

// checkBatch makes sure that the database can take the batch, so that what it then refuses is its
// own fault and worth another try.
func checkBatch(batch *usagev1.Batch) error {
	if _, err := id.Parse(id.Node, batch.GetNode()); err != nil {
		return fmt.Errorf("%w: node: %w", ErrBatch, err)
	}
	if _, err := id.Parse(id.Environment, batch.GetEnvironment()); err != nil {
		return fmt.Errorf("%w: environment: %w", ErrBatch, err)
	}
	if !plain(batch.GetBoot(), maxBoot) || batch.GetBoot() == "" {
		return fmt.Errorf("%w: boot", ErrBatch)
	}
	if n := batch.GetNumber(); n == 0 || n > maxBatchNumber {
		return fmt.Errorf("%w: number %d", ErrBatch, n)
	}
	if c, k, e := len(batch.GetCounters()), len(batch.GetCredentials()), len(batch.GetEvents()); c > maxCounters || k > maxCredentials || e > maxEvents {
		return fmt.Errorf("%w: %d counters, %d credentials, %d events", ErrBatch, c, k, e)
	}
	if batch.GetEventsDropped() > maxSum {
		return fmt.Errorf("%w: %d events dropped", ErrBatch, batch.GetEventsDropped())
	}
	return errors.Join(
		each("counter", batch.GetCounters(), checkCounter),
		each("credential", batch.GetCredentials(), checkCredential),
	)
}

// each returns what is wrong with the first bad item of a list.
func each[T any](what string, items []T, check func(T) error) error {
	for i, item := range items {
		if err := check(item); err != nil {
			return fmt.Errorf("%w: %s %d: %w", ErrBatch, what, i, err)
		}
	}
	return nil
}

// checkCounter looks at all but the minute: a wrong clock is no reason to lose counts.
func checkCounter(c *usagev1.Counter) error {
	switch {
	case !idOrNone(c.GetRoute()):
		return errors.New("route")
	case !idOrNone(c.GetConsumer()):
		return errors.New("consumer")
	case c.GetStatusClass() < 1 || c.GetStatusClass() > 5:
		return fmt.Errorf("status class %d", c.GetStatusClass())
	case !isVerdict(c.GetVerdict()):
		return errors.New("verdict")
	case max(c.GetRequests(), c.GetRequestBytes(), c.GetResponseBytes(), c.GetDurationUs()) > maxSum:
		return errors.New("a sum is out of range")
	}
	return nil
}

func checkCredential(c *usagev1.CredentialCount) error {
	switch {
	case len(c.GetCredential()) != idSize:
		return errors.New("id")
	case !idOrNone(c.GetConsumer()):
		return errors.New("consumer")
	case c.GetRequests() > maxSum:
		return errors.New("requests are out of range")
	}
	return nil
}

// isListable tells whether an event can be listed; what a stranger wrote and what the clock said is made fit
// elsewhere. One that can't is left out: it is no reason to lose the counts beside it.
func isListable(e *usagev1.Event) bool {
	for _, raw := range [][]byte{e.GetRoute(), e.GetConsumer(), e.GetCredential(), e.GetPolicy()} {
		if !idOrNone(raw) {
			return false
		}
	}
	size := len(e.GetClient())
	return (size == 0 || size == 4 || size == 16) && e.GetStatus() < 1000 && isVerdict(e.GetVerdict()) &&
		(e.GetShadowVerdict() == "" || isVerdict(e.GetShadowVerdict())) &&
		max(e.GetRevision(), e.GetDurationUs(), e.GetUpstreamUs(), e.GetRequestBytes(), e.GetResponseBytes()) <= maxSum
}

func idOrNone(raw []byte) bool { return len(raw) == 0 || len(raw) == idSize }

// isVerdict tells whether a text has a code's form. Which codes there are a newer edge knows better.
func isVerdict(s string) bool {
	if s == "" || len(s) > maxVerdict {
		return false
	}
	for _, c := range []byte(s) {
		if c != '_' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// plain tells whether a text is short, valid and without control characters.
func plain(s string, limit int) bool {
	if len(s) > limit || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return true
}
