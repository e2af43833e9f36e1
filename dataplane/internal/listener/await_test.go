package listener

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
)

// kept serves one connection, and returns its client's end. Without a clock nobody looks at it but the poller.
func kept(t *testing.T, handler Handler, clock *sweeper.Sweeper, before func(client *net.TCPConn)) *net.TCPConn {
	t.Helper()
	client, accepted := pair(t)
	e := newEngine(Config{Handler: handler, Logger: slog.New(slog.DiscardHandler), Sweeper: clock})
	c := newConn(e, accepted)
	e.remember(c)
	before(client)
	served := make(chan struct{})
	go func() {
		defer close(served)
		c.serve(nil)
	}()
	t.Cleanup(func() {
		_ = client.Close()
		<-served
	})
	return client
}

func TestNothingThatComesWhileARequestIsServedWaitsForAClock(t *testing.T) {
	const request = "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, tt := range []struct {
		name, behind string // what comes while the first request is served
		answers      int
	}{
		{"another request", strings.Replace(request, "%s", "2", 1), 1},
		{"more requests than a buffer holds", strings.Repeat(strings.Replace(request, "%s", strings.Repeat("x", 1000), 1), 40), 40},
		{"one with a body that comes at once", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 1},
		{"one with chunks", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begun, goOn := make(chan struct{}), make(chan struct{})
			handler := &echo{serve: func(ex *pipeline.Exchange) {
				if ex.Request.RawPath == "/1" {
					close(begun)
					<-goOn
				}
				_, _ = io.Copy(io.Discard, ex.Request.Body)
				ex.Response.Status = http.StatusOK
			}}
			client := kept(t, handler, sweeper.New(), func(client *net.TCPConn) { say(t, client, strings.Replace(request, "%s", "1", 1)) })
			<-begun
			say(t, client, tt.behind)
			close(goOn)
			reader := bufio.NewReader(client)
			for range 1 + tt.answers {
				if answer, _ := next(t, reader, http.MethodGet); answer.StatusCode != http.StatusOK {
					t.Fatalf("got %d", answer.StatusCode)
				}
			}
		})
	}
}

func TestARequestThatComesInPiecesIsReadOn(t *testing.T) {
	client := kept(t, new(echo), sweeper.New(), func(*net.TCPConn) {})
	reader := bufio.NewReader(client)
	for range 3 {
		for _, piece := range strings.SplitAfter("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n", "\n") {
			say(t, client, piece)
		}
		if answer, _ := next(t, reader, http.MethodGet); answer.StatusCode != http.StatusOK {
			t.Fatalf("got %d", answer.StatusCode)
		}
	}
}

// The poller tells of both in one word.
func TestAConnectionThatEndedTogetherWithItsRequestIsNotKept(t *testing.T) {
	clock := sweeper.New()
	ctx, stop := context.WithCancel(context.Background())
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		_ = clock.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-swept
	})
	client := kept(t, new(echo), clock, func(client *net.TCPConn) {
		say(t, client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
	})
	if got := hearAll(t, client); strings.Count(got, "HTTP/1.1 200") != 1 {
		t.Errorf("got %q", got)
	}
}

func TestTheLookAtAnIdleConnectionIsNoDeadlineOfTheNextHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, side := net.Pipe()
		defer client.Close()
		defer side.Close()
		ctx, stop := context.WithCancel(t.Context())
		swept := make(chan struct{})
		c := clock{sweeper: sweeper.New(), conn: side}
		go func() {
			defer close(swept)
			_ = c.sweeper.Run(ctx)
		}()
		c.sweeper.Add(&c.timer, c.due)
		c.expectNext(time.Hour)
		c.enterHead()
		synctest.Wait()
		time.Sleep(time.Minute)
		if late := c.overdue(); late != quiet {
			t.Errorf("phase %d is overdue after a minute of an hour", late)
		}
		time.Sleep(time.Hour)
		if late := c.overdue(); late != inHead {
			t.Errorf("phase %d is overdue after an hour, want the head's", late)
		}
		stop()
		<-swept
	})
}

// The poller may wake whoever waits just before it is nudged.
func TestAHeadThatHasBegunIsReadOnThoughItsConnectionWasNudged(t *testing.T) {
	client, accepted := pair(t)
	raw, err := accepted.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(Config{Handler: new(echo), Logger: slog.New(slog.DiscardHandler), Sweeper: sweeper.New()})
	c := newConn(e, accepted)
	c.bare(raw)
	c.gone.open(raw, false)
	c.expectNext(time.Hour)
	say(t, client, "GET / HT")
	eventually(t, "it is there", c.readableNow)
	c.mu.Lock()
	c.nudge()
	c.mu.Unlock()
	c.enterHead()
	if _, err := io.ReadFull(accepted, make([]byte, len("GET / HT"))); err != nil {
		t.Error(err)
	}
}

func TestNothingIsSentToAClientWhoWasCutOffWhereverHisRequestIsServed(t *testing.T) {
	_, accepted := pair(t)
	raw, err := accepted.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(Config{Handler: new(echo), Logger: slog.New(slog.DiscardHandler), Sweeper: sweeper.New()})
	c := newConn(e, accepted)
	c.bare(raw)
	if err := raw.Control(func(fd uintptr) { c.fd, c.staying = fd, true }); err != nil {
		t.Fatal(err)
	}
	if err := c.write([]byte("before")); err != nil {
		t.Fatal(err)
	}
	c.Cut()
	if err := c.write([]byte("behind")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
