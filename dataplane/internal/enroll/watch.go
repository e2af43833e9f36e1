package enroll

import (
	"context"
	"log/slog"
	"time"
)

// warnBefore is how long before a certificate's end its operator is told, again and again.
const warnBefore = 4 * time.Hour

// warnEvery is how often.
const warnEvery = time.Hour

// Watch tells an operator in time that the certificate ends, until ctx does. The node serves on
// without one, but no stream or bus connection can be opened anew.
func (i *Identity) Watch(ctx context.Context, log *slog.Logger) error {
	for wait := time.Until(i.Expires()) - warnBefore; sleep(ctx, max(wait, 0)) == nil; wait = warnEvery {
		if left := time.Until(i.Expires()); left > 0 {
			log.Warn("the node's certificate ends soon; enroll it again with a new join token and an empty data directory", "node", i.Node(), "left", left.Round(time.Minute))
		} else {
			log.Error("the node's certificate has ended: it can't connect anew; restart it with a new join token", "node", i.Node(), "ended", i.Expires())
		}
	}
	return nil
}
