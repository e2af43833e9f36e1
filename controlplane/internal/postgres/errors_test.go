package postgres

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestErrorsOfTheDatabaseGetTheirMeaning(t *testing.T) {
	for code, want := range map[string]problem.Code{
		"08006": problem.Unavailable, "53300": problem.Unavailable, "57P01": problem.Unavailable, "25006": problem.Unavailable, "55P03": problem.Unavailable, "22P02": problem.Internal, "": problem.Internal,
	} {
		err := translate(fmt.Errorf("select: %w", &pgconn.PgError{Code: code, Message: "secret detail"}))
		if got := problem.CodeOf(err); got != want || errors.Is(err, publish.ErrRetry) {
			t.Errorf("%q: %v", code, err)
		}
	}
	for _, code := range []string{"23505", "23503", "40001", "40P01"} {
		if err := translate(&pgconn.PgError{Code: code}); !errors.Is(err, publish.ErrRetry) {
			t.Errorf("%s: %v", code, err)
		}
	}
	known := problem.Errorf(problem.Referenced, "x")
	if err := translate(fmt.Errorf("wrapped: %w", known)); problem.CodeOf(err) != problem.Referenced {
		t.Errorf("got %v", err)
	}
	if translate(nil) != nil {
		t.Error("nothing became an error")
	}
}

func TestUnreachableDatabaseIsUnavailable(t *testing.T) {
	_, err := pgconn.Connect(t.Context(), "host=/nonexistent user=x connect_timeout=1")
	if got := problem.CodeOf(translate(err)); got != problem.Unavailable {
		t.Errorf("got %s of %v", got, err)
	}
}

func TestAServerThatDiesIsUnavailableAndNoInternalError(t *testing.T) {
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: syscall.ECONNRESET}} {
		if got := problem.CodeOf(translate(fmt.Errorf("commit: %w", broken))); got != problem.Unavailable {
			t.Errorf("got %s of %v", got, broken)
		}
	}
}
