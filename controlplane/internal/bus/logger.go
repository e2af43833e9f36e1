package bus

import (
	"context"
	"fmt"
	"log/slog"
)

// logger passes the server's log on. Its notices are for whoever runs NATS, not for whoever runs us.
type logger struct{ log *slog.Logger }

// Noticef implements server.Logger.
func (l logger) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }

// Warnf implements server.Logger.
func (l logger) Warnf(format string, v ...any) { l.say(slog.LevelWarn, format, v) }

// Errorf implements server.Logger.
func (l logger) Errorf(format string, v ...any) { l.say(slog.LevelError, format, v) }

// Debugf implements server.Logger.
func (l logger) Debugf(format string, v ...any) { l.say(slog.LevelDebug, format, v) }

// Tracef implements server.Logger: it says nothing, since traces hold messages.
func (l logger) Tracef(string, ...any) {}

// Fatalf is called for what the server can't go on after; it then returns from Start unready, which
// we report.
func (l logger) Fatalf(format string, v ...any) { l.say(slog.LevelError, format, v) }

func (l logger) say(level slog.Level, format string, v []any) {
	if ctx := context.Background(); l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "from the bus", "text", fmt.Sprintf(format, v...))
	}
}
