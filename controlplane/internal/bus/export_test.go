package bus

import (
	"context"
	"log/slog"
)

// Floods is floods, for tests.
type Floods struct{ floods }

// NewFloods returns one.
func NewFloods(log *slog.Logger, stats *Stats) *Floods { return &Floods{*newFloods(log, stats)} }

// Judge is judge.
func (f *Floods) Judge(waiting map[string]uint64) { f.judge(waiting) }

// NodeJWTLife is how long a node's JWT lives.
const NodeJWTLife = nodeJWTLife

// Settle makes the bus's account what it must be, once.
func (w *Warden) Settle(ctx context.Context) error {
	conn, err := w.client.connectSystem(w.public)
	if err != nil {
		return err
	}
	defer conn.Close()
	return w.settle(ctx, conn)
}
