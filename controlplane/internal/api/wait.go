package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// awaitNodes waits until the live nodes have what a write made, or the time is up. The write is
// committed whatever comes of the waiting: if that fails, only the header is missing.
func (s *Server) awaitNodes(x *exchange, environment *adminv1.Environment, most time.Duration, result publish.Result) {
	ctx, cancel := context.WithTimeout(x.context(), most)
	defer cancel()
	applied, live, err := s.Nodes.Wait(ctx, environment.GetId(), result.Revision, result.Sequence)
	if err != nil {
		s.Logger.WarnContext(ctx, "can't tell which nodes have a write", "request_id", requestID(x.echo), "error", err)
		return
	}
	x.header().Set(headerApplied, strconv.Itoa(applied)+"/"+strconv.Itoa(live))
}

// joinTags makes one list of several If-Match headers (RFC 9110 §5.3); of an empty one, a tag that no
// object has.
func joinTags(values []string) string {
	joined := strings.Trim(strings.Join(values, ","), ", \t")
	if joined == "" {
		return `""`
	}
	return joined
}
