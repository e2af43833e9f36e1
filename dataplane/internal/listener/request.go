package listener

import (
	"fmt"
	"runtime/debug"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/websocket"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	http10 = "HTTP/1.0"
	http11 = "HTTP/1.1"

	methodGet     = "GET"
	methodHead    = "HEAD"
	methodConnect = "CONNECT"
	methodTrace   = "TRACE"

	switching = 101
)

// begin takes an exchange for the request whose head was read.
func (c *conn) begin(head []byte, limits *http1.Limits) *http1.Error {
	c.begun = true
	c.exchange = c.engine.handler.Acquire()
	c.prepare(c.exchange)
	return c.request.Parse(head, limits, &c.exchange.Request.Header)
}

// handle serves the request that has begun.
func (c *conn) handle(malformed *http1.Error) {
	ex := c.exchange
	if malformed != nil {
		c.refuse(malformed)
		return
	}
	// Behind CONNECT may come what is meant for somebody else, by a client that didn't wait for the answer (RFC 9110, section 9.3.6).
	c.closing = c.request.Close || c.request.Method == methodConnect
	if refused := c.fill(ex); refused != nil {
		ex.Refuse(refused)
	}
	c.clock.serve(ex.Abort)
	c.engine.serve(ex)
	c.answer(ex)
}

// prepare says of an exchange what is known before its head.
func (c *conn) prepare(ex *pipeline.Exchange) {
	ex.ID = id.New(c.started)
	ex.Started = c.started
	if c.staying { // the head has come at once
		ex.Now = c.started
	}
	ex.Client.Peer = c.peer
	ex.Wire = &c.wire
	ex.Request.Scheme, ex.Request.Proto = c.scheme, http11
	ex.Request.Body = noBody{}
}

// fill describes the request; what HTTP itself or the canonical path forbids comes back as a rejection.
func (c *conn) fill(ex *pipeline.Exchange) *pipeline.Rejection {
	from, in := &c.request, &ex.Request
	in.Method, in.Host, in.Authority = from.Method, from.Host, from.Authority
	if from.Minor == 0 {
		in.Proto = http10
	} else {
		ex.Interim = c.interim
	}
	if from.Framing != http1.None {
		c.openBody(in)
	}
	if refused := fillUpgrade(in, from); refused != nil {
		return refused
	}
	in.Header.DropConnection()
	if refused := checkMethod(in.Method); refused != nil {
		return refused
	}
	return fillTarget(in, from.Target)
}

func checkMethod(method string) *pipeline.Rejection {
	if method == methodConnect || method == methodTrace {
		return &pipeline.Rejection{Code: problem.MethodNotAllowed, Detail: "The gateway takes neither CONNECT nor TRACE.", Reason: method}
	}
	return nil
}

// fillUpgrade takes the one protocol that the gateway switches to, asked for as its specification says (RFC 6455, section 4.1). Whatever else
// asks for another protocol is refused: a service that switches to it would take what comes for that, and the gateway for HTTP.
func fillUpgrade(in *pipeline.Request, from *http1.Request) *pipeline.Rejection {
	if from.Upgrade == "" && !in.Header.Has("Upgrade") {
		return nil
	}
	if !pipeline.EqualFold(from.Upgrade, websocket.Protocol) || from.Method != methodGet || from.Framing != http1.None {
		return &pipeline.Rejection{Code: problem.UpgradeNotSupported, Reason: "Upgrade asked for"}
	}
	if err := websocket.CheckRequest(&in.Header); err != nil {
		refused := &pipeline.Rejection{Code: problem.BadRequest, Detail: "The opening handshake of WebSocket is malformed.", Reason: err.Error()}
		refused.Header.Add(websocket.VersionField, websocket.Version)
		return refused
	}
	in.Upgrade = websocket.Protocol
	return nil
}

// serve answers though the handler panics, which would be a fault of ours: the caller is told so, and the request counts as failed.
func (e *engine) serve(ex *pipeline.Exchange) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		// The value's text might hold something of the request.
		e.log.Error("a request failed by a panic", "request_id", id.Text(pipeline.RequestIDPrefix, ex.ID),
			"type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		ex.Refuse(&pipeline.Rejection{Code: problem.Internal, Reason: "panic"})
		ex.Answer()
	}()
	e.handler.Serve(ex)
}
