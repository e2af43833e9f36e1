package proxy

import (
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/websocket"
	"github.com/sallyport/sallyport/proto/problem"
)

// switching is the status by which a service switches protocols.
const switching = 101

// addUpgrade asks the service, in the gateway's own words, to switch to a protocol. Upgrade and Connection are of one connection each; the listener has
// judged the client's.
func addUpgrade(header *pipeline.Header, to string) {
	header.Add("Connection", "Upgrade")
	header.Add("Upgrade", to)
}

// send asks the service. One that switches must have been asked to, by an answer that the client itself would take.
func send(ex *pipeline.Exchange, to snapshot.Sender) error {
	if err := to.Send(ex); err != nil {
		return err //nolint:wrapcheck // a rejection
	}
	if ex.Response.Status != switching && ex.Response.Tunnel == nil {
		return nil
	}
	reason := switchFault(ex)
	if reason == "" {
		return nil
	}
	if tunnel := ex.Response.Tunnel; tunnel != nil {
		_ = tunnel.Close() // nothing was said by it
		ex.Response.Tunnel = nil
	}
	return ex.Reject(problem.UpstreamInvalidResponse, "", "target "+ex.Target+": "+reason)
}

// switchFault says what is wrong with how a service switches; "": nothing.
func switchFault(ex *pipeline.Exchange) string {
	out := &ex.Response
	switch {
	case ex.Request.Upgrade == "":
		return "it switches protocols though it wasn't asked to"
	case out.Tunnel == nil || out.Status != switching:
		return "it switches protocols by half"
	}
	if err := websocket.CheckAnswer(&ex.Request.Header, &out.Header); err != nil {
		return err.Error()
	}
	return ""
}
