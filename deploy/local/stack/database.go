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
	server, err := postgres.Start(ctx, s.postgresConfig(portOf(s.server().DSN(database))))
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	s.setPostgres(server)
	return nil
}

// startStandby gives the database a synchronous replica.
func (s *Stack) startStandby(ctx context.Context) error {
	primary := s.server()
	cfg := s.postgresConfig(0)
	cfg.Dir += "-standby"
	standby, err := postgres.StartStandby(ctx, cfg, primary)
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	both, err := postgres.DSNOfAll(database, primary, standby)
	s.mu.Lock()
	s.standby, s.both = standby, both
	s.mu.Unlock()
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	return primary.RequireStandby(ctx) //nolint:wrapcheck // says what
}

// FailOver makes the standby the database, once the one before was killed.
func (s *Stack) FailOver(ctx context.Context) error {
	s.mu.Lock()
	standby := s.standby
	s.mu.Unlock()
	if standby == nil {
		return errors.New("stack: the database has no standby")
	}
	if err := standby.Promote(ctx); err != nil {
		return err //nolint:wrapcheck // says what
	}
	s.mu.Lock()
	s.former, s.standby = s.postgres, nil
	s.mu.Unlock()
	s.setPostgres(standby)
	return nil
}

func (s *Stack) server() *postgres.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.postgres
}
