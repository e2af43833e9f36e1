package denials

import "context"

// Look looks once for what has had its time.
func (s *Sweeper) Look(ctx context.Context) error { return s.look(ctx) }
