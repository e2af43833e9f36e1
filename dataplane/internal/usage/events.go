package usage

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/apikey"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// Reason is why a single request is told of.
type Reason uint8

// Reasons.
const (
	Refused       Reason = iota // it was refused; all are told of as long as there is room
	Sampled                     // it is one of the sample of those that were let pass
	ShadowRefused               // a policy in shadow would have refused it
	Watched                     // its credential is watched, and wasn't told of from this address lately
	reasons
)

// places bound the single requests that are kept of one round of the keeper, a tenth of a second.
var places = [reasons]int32{Refused: 200, Sampled: 20, ShadowRefused: 20, Watched: 20}

const (
	// maxText, maxMethod bound what of a request is kept of its texts.
	maxText   = 512
	maxMethod = 32
	// waitingEvents and waitingEventBytes bound what waits while the bus is away.
	waitingEvents     = 4096
	waitingEventBytes = 4 << 20
)

// events keeps single requests until the keeper takes them. What is beyond its bounds costs a request two atomic additions.
type events struct {
	taken   [reasons]atomic.Int32 // places, in this round
	dropped atomic.Uint64

	watch watch

	mu   sync.Mutex
	kept []*usagev1.Event
}

// offer keeps a request if it is one to keep.
func (e *events) offer(q *Request) {
	switch {
	case q.Verdict != Allowed:
		if !e.admit(Refused) {
			e.dropped.Add(1)
			return
		}
	case q.Sampled && e.admit(Sampled):
	case q.ShadowVerdict != "" && e.admit(ShadowRefused):
	case q.Watched && e.hasRoom(Watched) && e.watch.news(q) && e.admit(Watched):
	default:
		return
	}
	event := q.event()
	e.mu.Lock()
	e.kept = append(e.kept, event)
	e.mu.Unlock()
}

// hasRoom tells whether there is a place.
func (e *events) hasRoom(why Reason) bool { return e.taken[why].Load() < places[why] }

// admit takes a place, if there is one.
func (e *events) admit(why Reason) bool {
	return e.hasRoom(why) && e.taken[why].Add(1) <= places[why]
}

// take moves out what was kept, and how many rejected requests weren't.
func (e *events) take() (kept []*usagev1.Event, dropped uint64) {
	e.mu.Lock()
	kept, e.kept = e.kept, nil
	e.mu.Unlock()
	for i := range e.taken {
		e.taken[i].Store(0)
	}
	return kept, e.dropped.Swap(0)
}

// event copies what is told of a single request: the exchange's memory is another request's soon. Neither query nor header is told, where secrets are.
func (q *Request) event() *usagev1.Event {
	event := &usagev1.Event{
		TimeMs:        q.TimeMs,
		RequestId:     id.Text(id.Request, q.ID),
		Method:        Cut(q.Method, maxMethod),
		Host:          Cut(q.Host, maxText),
		Path:          Cut(q.Path, maxText),
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
		ShadowVerdict: q.ShadowVerdict,
	}
	if q.Teller != nil {
		event.Decision = q.Teller.Decision()
	}
	if q.Client.IsValid() {
		event.Client = q.Client.AsSlice()
	}
	return event
}

// Cut returns a copy of the beginning of a text, as text that a message can hold, with nothing in it that has the form of a key.
func Cut(text string, most int) string {
	return strings.ToValidUTF8(strings.Clone(masked(text[:min(len(text), most)])), "")
}

// mask stands where a key was.
const mask = apikey.Scheme + "***"

// masked returns a text in which whatever has the form of an API key, or begins like one, is replaced: callers put keys where none
// belong.
func masked(text string) string {
	if !strings.Contains(text, apikey.Scheme) {
		return text
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, apikey.Scheme)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		out.WriteString(mask)
		text = strings.TrimLeftFunc(rest, ofKey)
	}
}

// ofKey tells whether a key may hold a character.
func ofKey(r rune) bool {
	return '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || r == '_' || r == '-'
}

func idBytes(of id.ID) []byte {
	if of.IsZero() {
		return nil
	}
	return of[:]
}

// waiting are single requests on their way to the bus, each encoded as it will be sent.
type waiting struct {
	events  [][]byte
	bytes   int
	dropped uint64
}

// admit returns of more what there is room for. The newest go without; of those the rejected ones are counted.
func (w *waiting) admit(more []*usagev1.Event) (admitted [][]byte, dropped uint64) {
	bytes := w.bytes
	for _, event := range more {
		encoded, err := proto.Marshal(event)
		if err == nil && len(w.events)+len(admitted) < waitingEvents && bytes+len(encoded) <= waitingEventBytes {
			admitted, bytes = append(admitted, encoded), bytes+len(encoded)
		} else if event.GetVerdict() != Allowed {
			dropped++
		}
	}
	return admitted, dropped
}

// add puts more behind.
func (w *waiting) add(more [][]byte, dropped uint64) {
	w.dropped += dropped
	w.events = append(w.events, more...)
	for _, event := range more {
		w.bytes += len(event)
	}
}

// remove takes away the first n, and so many of those that were dropped.
func (w *waiting) remove(n int, dropped uint64) {
	for _, event := range w.events[:n] {
		w.bytes -= len(event)
	}
	w.events = slices.Delete(w.events, 0, n)
	w.dropped -= dropped
}
