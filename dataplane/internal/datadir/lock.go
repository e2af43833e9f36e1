package datadir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockFile holds the number of the process that has the lock, for people. It stays: removing it would let two processes lock
// two files of its name.
const lockFile = "lock"

// ErrInUse is returned for a directory that another process holds.
var ErrInUse = errors.New("the data directory is in use")

// Lock is a directory held. It is held until it is released, or the process ends.
type Lock struct{ file *os.File }

// Hold makes the directory if need be, for its owner alone, and holds it; or says who does.
func Hold(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := flock(file); err != nil {
		defer file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s is that of a running edge%s; stop it, or give this one a -data-dir of its own", ErrInUse, dir, owner(file))
		}
		return nil, fmt.Errorf("lock the data directory %s: %w", dir, err)
	}
	if err := sign(file); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data directory %s: %w", dir, err), file.Close())
	}
	return &Lock{file}, nil
}

// Release lets the directory go.
func (l *Lock) Release() { _ = l.file.Close() } // it holds nothing that could be lost

func flock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func sign(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// owner names the process that holds the lock, if it can be told.
func owner(file *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 32))
	if pid, wrong := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && wrong == nil {
		return fmt.Sprintf(" (process %d)", pid)
	}
	return ""
}
