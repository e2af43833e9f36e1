package events

import "context"

// Look is one look, as Run does it.
func (w *Watcher) Look(ctx context.Context) error { return w.look(ctx) }

// Round delivers what is due.
func (c *Courier) Round(ctx context.Context) error {
	_, err := c.round(ctx)
	return err
}
