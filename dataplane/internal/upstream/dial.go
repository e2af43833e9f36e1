package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// maxTries is how many addresses of a target are tried for one connection.
const maxTries = 3

// giveUp makes what waits for a context stop.
type giveUp context.CancelFunc

// Cut implements pipeline.Cutter.
func (g giveUp) Cut() { g() }

// dial opens a connection for a request. The place of it is reserved.
func (t *target) dial(a *attempt) (*conn, error) {
	patience, late := a.within(a.pool.spec.Connect)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := a.ex.Abort.Hold(giveUp(cancel)); err != nil {
		return nil, err
	}
	if t.tlsError != nil {
		return nil, &dialError{t.tlsError}
	}
	c, err := t.connect(ctx, a.pool.guard)
	if err != nil && late != nil && ctx.Err() != nil {
		return nil, late
	}
	if err != nil {
		return nil, &dialError{err}
	}
	t.counts.opened.Add(1)
	return c, nil
}

// connect finds the target and connects to it.
func (t *target) connect(ctx context.Context, guard *Guard) (*conn, error) {
	where, err := t.resolve(ctx)
	if err != nil {
		return nil, err
	}
	return t.dialAny(ctx, guard, where)
}

// dialError is a connection that can't be had: nothing of a request was sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// dialAny tries the target's addresses. If all are refused, so is the target; else it is told why an allowed one didn't work.
func (t *target) dialAny(ctx context.Context, guard *Guard, where *known) (*conn, error) {
	var failed error
	addresses := where.inTurn(t.turn.Add(1) - 1)
	if len(addresses) > maxTries {
		addresses = addresses[:maxTries]
	}
	for i, address := range addresses {
		c, err := t.dialOne(ctx, guard, address, len(addresses)-i)
		if err == nil {
			c.knew = where
			return c, nil
		}
		if failed == nil || errors.Is(failed, ErrAddressRefused) {
			failed = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

// dialOne connects to one address, in its share of the time that is left.
func (t *target) dialOne(ctx context.Context, guard *Guard, address netip.AddrPort, left int) (*conn, error) {
	if end, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(left))
		defer cancel()
	}
	dialer := net.Dialer{Control: guard.Control}
	opened, err := dialer.DialContext(ctx, "tcp", address.String())
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	socket, ok := opened.(*net.TCPConn)
	if !ok {
		_ = opened.Close()
		return nil, fmt.Errorf("connect: %T isn't TCP", opened)
	}
	c, err := t.newConn(socket, address, guard)
	if err == nil && t.tls != nil {
		err = c.secureIt(ctx, t.tls)
	}
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	t.registry.cfg.Sweeper.Add(&c.timer, c.expire)
	return c, nil
}

// secureIt makes the connection one of TLS.
func (c *conn) secureIt(ctx context.Context, config *tls.Config) error {
	c.secure = tls.Client(&patientWire{TCPConn: c.socket, conn: c}, config)
	if err := c.secure.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	c.wire = c.secure
	return nil
}
