package inquiry

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"google.golang.org/protobuf/types/known/timestamppb"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const (
	// maxTroubles is how many errors are remembered.
	maxTroubles = 16
	// maxTrouble bounds one of them, in bytes.
	maxTrouble = 512
)

// Troubles remembers the latest errors that were logged. What may not be in a log is in no trouble either.
type Troubles struct {
	mu   sync.Mutex
	ring [maxTroubles]*edgev1.NodeTrouble
	next int
}

// Logger returns a logger that logs as before, and whose errors are remembered.
func (t *Troubles) Logger(log *slog.Logger) *slog.Logger {
	return slog.New(remembering{log.Handler(), t, nil})
}

// Latest returns what is remembered, newest first.
func (t *Troubles) Latest() []*edgev1.NodeTrouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	var latest []*edgev1.NodeTrouble
	for i := range maxTroubles {
		if trouble := t.ring[(t.next-1-i+maxTroubles)%maxTroubles]; trouble != nil {
			latest = append(latest, trouble)
		}
	}
	return latest
}

// add remembers an error of a logger that was made with some attributes.
func (t *Troubles) add(with []slog.Attr, record slog.Record) {
	text := record.Message
	tell := func(a slog.Attr) bool {
		switch a.Key {
		case "error", "reason", "code", "lane":
			text += " " + a.Key + "=" + a.Value.String()
		}
		return len(text) < maxTrouble
	}
	for _, a := range with {
		tell(a)
	}
	record.Attrs(tell)
	trouble := &edgev1.NodeTrouble{Time: timestamppb.New(record.Time), Message: clip(text)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring[t.next] = trouble
	t.next = (t.next + 1) % maxTroubles
}

// clip bounds a text, and leaves none that isn't UTF-8: a message couldn't hold it.
func clip(text string) string {
	text = text[:min(len(text), maxTrouble)]
	return string([]rune(text))
}

// remembering is a handler that passes on, and remembers errors.
type remembering struct {
	slog.Handler
	troubles *Troubles
	with     []slog.Attr // that the logger has been made with
}

func (r remembering) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError || r.Handler.Enabled(ctx, level)
}

func (r remembering) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelError {
		r.troubles.add(r.with, record)
	}
	if !r.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return r.Handler.Handle(ctx, record)
}

func (r remembering) WithAttrs(attrs []slog.Attr) slog.Handler {
	return remembering{r.Handler.WithAttrs(attrs), r.troubles, slices.Concat(r.with, attrs)}
}

func (r remembering) WithGroup(name string) slog.Handler {
	return remembering{r.Handler.WithGroup(name), r.troubles, r.with}
}
