// Command local runs the whole product on this machine, with a demo: `make run`.
//
// It starts a database, the control plane, edges and a demo service, seeds a small environment, shows on it what the gateway does, prints
// where everything is, and runs until it is interrupted. State is kept in .sallyport, and so is an env file by which scripts find the
// running stack.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/deploy/local/seed"
	"github.com/sallyport/sallyport/deploy/local/stack"
)

const stopTimeout = 30 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sallyport:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	set, err := settingsFrom(os.Getenv)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(set.dir, 0o700); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	logs, err := openLog(filepath.Join(set.dir, "log"))
	if err != nil {
		return err
	}
	defer logs.Close()

	running, err := stack.Start(ctx, stack.Config{
		Dir: set.dir, Bin: set.bin, Environment: set.environment, Edges: set.edges, Ports: set.ports, Restart: set.restart,
		Output:   logs,
		Logger:   slog.New(slog.NewTextHandler(logs, nil)),
		Progress: func(step string) { fmt.Fprintf(out, "  starting the %s …\n", step) },
	})
	if err != nil {
		return fmt.Errorf("%w\nwhat the programs said is in %s", err, logs.Name())
	}
	defer func() {
		fmt.Fprintln(out, "\nStopping …")
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if stopped := running.Stop(ctx); err == nil {
			err = stopped
		}
	}()

	environment := envFile{path: filepath.Join(set.dir, "env"), stack: running}
	if err := environment.write(); err != nil {
		return err
	}
	running.Changed(environment.rewrite)
	keys, err := seed.Demo(ctx, running, set.environment, running.DemoAddress(), set.dir)
	if err != nil {
		return err
	}
	if err := report(ctx, out, running, set, keys); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// openLog empties the log of the last run, unless that run still goes on: it holds a lock on the file.
func openLog(path string) (*os.File, error) {
	logs, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	err = syscall.Flock(int(logs.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("a stack runs in %s already; stop it, or set SALLYPORT_DIR to another folder", filepath.Dir(path))
	}
	if err == nil {
		err = logs.Truncate(0)
	}
	if err != nil {
		_ = logs.Close() // nothing was written
		return nil, err
	}
	return logs, nil
}
