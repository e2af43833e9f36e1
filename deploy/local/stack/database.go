package stack

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/sallyport/sallyport/deploy/local/postgres"
)

// KillDatabase ends the database at once, as a crash would, and returns once it is gone. Unless the stack restarts what dies, it
// stays dead until ReviveDatabase.
func (s *Stack) KillDatabase(ctx context.Context) error {
	server := s.server()
	if server == nil || server.External() {
		return errors.New("stack: the database isn't ours to kill")
	}
	if err := syscall.Kill(server.PID(), syscall.SIGKILL); err != nil {
		return fmt.Errorf("stack: kill the database: %w", err)
	}
	return server.Wait(ctx) //nolint:wrapcheck // says what
}

// ReviveDatabase starts a database that was killed, where it was, and returns once it answers.
func (s *Stack) ReviveDatabase(ctx context.Context) error {
	server, err := postgres.Start(ctx, s.postgresConfig(portOf(s.DatabaseURL())))
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	s.setPostgres(server)
	return nil
}

func (s *Stack) server() *postgres.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.postgres
}
