package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// bufferSize fits what is measured, in one read.
const bufferSize = 32 << 10

// Run passes connections on to a target until ctx ends.
func Run(ctx context.Context, listen, target string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	unhook := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer unhook()
	var passing sync.WaitGroup
	defer passing.Wait()
	for {
		client, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept: %w", err)
		}
		passing.Go(func() { pass(ctx, client, target) })
	}
}

// pass ends both sides as soon as one of them has ended: for clients that don't half-close.
func pass(ctx context.Context, client net.Conn, target string) {
	defer client.Close()
	service, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		return
	}
	end := sync.OnceFunc(func() { _ = errors.Join(client.Close(), service.Close()) })
	defer end()
	unhook := context.AfterFunc(ctx, end)
	defer unhook()
	var back sync.WaitGroup
	back.Go(func() {
		defer end()
		forward(client, service)
	})
	forward(service, client)
	end()
	back.Wait()
}

// forward isn't io.Copy: that splices, which for small messages costs more than it saves.
func forward(to, from net.Conn) {
	buffer := make([]byte, bufferSize)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
