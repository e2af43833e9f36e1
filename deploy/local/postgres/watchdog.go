package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// watchdog is a shell that waits for the end of a pipe which only we hold open. When we are gone, however
// that came, it reads the end and asks the server for a fast shutdown.
type watchdog struct {
	process *os.Process
	pipe    *os.File
}

func startWatchdog(pid int) (*watchdog, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}
	command := exec.CommandContext(context.Background(), "/bin/sh", "-c", `read -r _; kill -INT "$1"`, "sallyport-watchdog", strconv.Itoa(pid))
	command.Stdin = reader
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C isn't for it
	err = errors.Join(command.Start(), reader.Close())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the watchdog: %w", err), writer.Close())
	}
	return &watchdog{process: command.Process, pipe: writer}, nil
}

// dismiss ends the watchdog before its pipe closes, so that it signals nobody.
func (w *watchdog) dismiss() {
	_ = w.process.Kill()
	_, _ = w.process.Wait()
	_ = w.pipe.Close()
}
