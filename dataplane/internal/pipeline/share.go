package pipeline

import "github.com/sallyport/sallyport/dataplane/internal/payload"

// NewShare returns a share of the node's memory for what a stage holds of an exchange beside the request's body. Who asks gives it back.
func (ex *Exchange) NewShare() *payload.Share { return payload.NewShare(ex.memory) }
