package bus

import "log/slog"

// Floods is floods, for tests.
type Floods struct{ floods }

// NewFloods returns one.
func NewFloods(log *slog.Logger, stats *Stats) *Floods { return &Floods{*newFloods(log, stats)} }

// Judge is judge.
func (f *Floods) Judge(waiting map[string]uint64) { f.judge(waiting) }

// NodeJWTLife is how long a node's JWT lives.
const NodeJWTLife = nodeJWTLife
