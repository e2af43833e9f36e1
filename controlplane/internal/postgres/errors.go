package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

// SQLSTATEs that mean something to a domain (PostgreSQL, appendix A).
const (
	foreignKeyViolation  = "23503"
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014"
	readOnlyTransaction  = "25006" // the server has become a standby

	classConnection = "08"
	classResources  = "53"
	classOperator   = "57P" // the server shuts down or starts
)

// translate gives an error of the database the meaning that it has to a domain, and keeps it as cause.
func translate(err error) error {
	if err == nil {
		return nil
	}
	var known *problem.Error
	if errors.As(err, &known) || errors.Is(err, publish.ErrRetry) {
		return err
	}
	var failed *pgconn.PgError
	if !errors.As(err, &failed) {
		return unreachable(err)
	}
	switch {
	case failed.Code == uniqueViolation, failed.Code == foreignKeyViolation, failed.Code == serializationFailure, failed.Code == deadlockDetected:
		return fmt.Errorf("%w: %w", publish.ErrRetry, err)
	case failed.Code == lockNotAvailable, failed.Code == readOnlyTransaction, strings.HasPrefix(failed.Code, classConnection), strings.HasPrefix(failed.Code, classResources), strings.HasPrefix(failed.Code, classOperator):
		return problem.Wrap(err, problem.Unavailable, "the database doesn't take this now; try again")
	}
	return err
}

// unreachable tells a connection that can't be made, or that broke, from other errors.
func unreachable(err error) error {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) || (pgconn.SafeToRetry(err) && !errors.Is(err, context.Canceled)) {
		return problem.Wrap(err, problem.Unavailable, "the database can't be reached; try again")
	}
	// The server died, or the way to it; a deadline is the caller's own.
	var broken *net.OpError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || (errors.As(err, &broken) && !broken.Timeout()) {
		return problem.Wrap(err, problem.Unavailable, "the connection to the database broke; a write may have been made all the same, so read before trying again")
	}
	return err
}

// violates tells whether a constraint of this name was violated.
func violates(err error, constraint string) bool {
	var failed *pgconn.PgError
	return errors.As(err, &failed) && failed.Code == uniqueViolation && failed.ConstraintName == constraint
}

// orNotFound makes a missing row a problem.NotFound.
func orNotFound(err error, public string, args ...any) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return problem.Errorf(problem.NotFound, public, args...)
	}
	return translate(err)
}

func noEnvironment(err error, environment string) error {
	return orNotFound(err, "there is no environment %q", environment)
}
