package usage

import (
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

const (
	// roundRejections and roundSamples bound the single requests that are kept of one round of the keeper, a tenth of a second.
	roundRejections = 200
	roundSamples    = 20
	// sampleEvery is which of the allowed requests are kept. Power of two.
	sampleEvery = 1024
	// maxText, maxMethod bound what of a request is kept of its texts.
	maxText   = 512
	maxMethod = 32
	// waitingEvents and waitingEventBytes bound what waits while the bus is away.
	waitingEvents     = 4096
	waitingEventBytes = 2 << 20
)

// events keeps single requests until the keeper takes them: rejected ones as long as there is room, and a sample of the others. What is
// beyond its bounds costs a request two atomic additions.
type events struct {
	rejections, samples atomic.Int32 // taken in this round
	dropped             atomic.Uint64

	mu   sync.Mutex
	kept []*usagev1.Event
}

// offer keeps a request if it is one to keep. nth counts the requests of a stripe.
func (e *events) offer(q *Request, nth uint64) {
	switch {
	case q.Verdict != Allowed:
		if e.rejections.Load() >= roundRejections || e.rejections.Add(1) > roundRejections {
			e.dropped.Add(1)
			return
		}
	case nth%sampleEvery != 0 || e.samples.Load() >= roundSamples || e.samples.Add(1) > roundSamples:
		return
	}
	event := q.event()
	e.mu.Lock()
	e.kept = append(e.kept, event)
	e.mu.Unlock()
}

// take moves out what was kept, and how many rejected requests weren't.
func (e *events) take() (kept []*usagev1.Event, dropped uint64) {
	e.mu.Lock()
	kept, e.kept = e.kept, nil
	e.mu.Unlock()
	e.rejections.Store(0)
	e.samples.Store(0)
	return kept, e.dropped.Swap(0)
}

// event copies what is told of a single request: the exchange's memory is another request's soon. Neither query nor header is told, where secrets are.
func (q *Request) event() *usagev1.Event {
	event := &usagev1.Event{
		TimeMs:        q.TimeMs,
		RequestId:     id.Text(id.Request, q.ID),
		Method:        cut(q.Method, maxMethod),
		Host:          cut(q.Host, maxText),
		Path:          cut(q.Path, maxText),
		Route:         idBytes(q.Route),
		Consumer:      idBytes(q.Consumer),
		Credential:    idBytes(q.Credential),
		Status:        uint32(q.Status),
		Verdict:       q.Verdict,
		Policy:        idBytes(q.Policy),
		Revision:      q.Revision,
		DurationUs:    q.DurationUs,
		UpstreamUs:    q.UpstreamUs,
		RequestBytes:  q.RequestBytes,
		ResponseBytes: q.ResponseBytes,
	}
	if q.Client.IsValid() {
		event.Client = q.Client.AsSlice()
	}
	return event
}

// cut returns the beginning of a text, as text that a message can hold.
func cut(text string, most int) string {
	return strings.ToValidUTF8(strings.Clone(text[:min(len(text), most)]), "")
}

func idBytes(of id.ID) []byte {
	if of.IsZero() {
		return nil
	}
	return of[:]
}

// waiting are single requests on their way to the bus.
type waiting struct {
	events  []*usagev1.Event
	bytes   int
	dropped uint64
}

// admit returns of more what there is room for. The newest go without; of those the rejected ones are counted.
func (w *waiting) admit(more []*usagev1.Event) (admitted []*usagev1.Event, dropped uint64) {
	bytes := w.bytes
	for _, event := range more {
		size := proto.Size(event)
		if len(w.events)+len(admitted) < waitingEvents && bytes+size <= waitingEventBytes {
			admitted, bytes = append(admitted, event), bytes+size
		} else if event.GetVerdict() != Allowed {
			dropped++
		}
	}
	return admitted, dropped
}

// add puts more behind.
func (w *waiting) add(more []*usagev1.Event, dropped uint64) {
	w.dropped += dropped
	w.events = append(w.events, more...)
	for _, event := range more {
		w.bytes += proto.Size(event)
	}
}

// remove takes away the first n, and so many of those that were dropped.
func (w *waiting) remove(n int, dropped uint64) {
	for _, event := range w.events[:n] {
		w.bytes -= proto.Size(event)
	}
	w.events = append([]*usagev1.Event(nil), w.events[n:]...)
	w.dropped -= dropped
}
