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

// Lock is a directory held. It is held until it is released, or the process ends. A process that it is handed to (File, Inherit) holds it as
// well: the directory is free once neither does.
type Lock struct {
	dir  string
	file *os.File
}

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
			return nil, fmt.Errorf("%w: %s is that of a running edge%s; stop it, let this one -take-over from it, or give this one a -data-dir of its own", ErrInUse, dir, owner(file))
		}
		return nil, fmt.Errorf("lock the data directory %s: %w", dir, err)
	}
	if err := sign(file); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data directory %s: %w", dir, err), file.Close())
	}
	return &Lock{dir: dir, file: file}, nil
}

// Inherit holds a directory by the lock of the process that holds it, which has handed its open file over.
func Inherit(dir string, file *os.File) (*Lock, error) {
	own, err := os.Stat(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	given, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("the lock that was handed over: %w", err)
	}
	if !os.SameFile(own, given) {
		return nil, fmt.Errorf("the lock that was handed over isn't that of %s", dir)
	}
	// That of an open file which has it already does nothing; any other fails.
	if err := flock(file); err != nil {
		return nil, fmt.Errorf("the lock that was handed over isn't held: %w", err)
	}
	return &Lock{dir: dir, file: file}, nil
}

// File is what the lock is handed over by.
func (l *Lock) File() *os.File { return l.file }

// Sign puts this process's number in the lock.
func (l *Lock) Sign() error {
	if err := sign(l.file); err != nil {
		return fmt.Errorf("sign the lock of %s: %w", l.dir, err)
	}
	return nil
}

// Release lets the directory go.
func (l *Lock) Release() { _ = l.file.Close() } // it holds nothing that could be lost

// pen is the file whose lock tells which of two processes that hold a directory writes in it.
const pen = "writer"

// ErrWritten is returned while another process writes.
var ErrWritten = errors.New("another process of the node writes in the data directory")

// Writer is the right to write in a directory that is held.
type Writer struct{ file *os.File }

// Write takes the right to write, which one process has at a time: of two that hold the directory while one takes over from the other.
func (l *Lock) Write() (*Writer, error) {
	file, err := os.OpenFile(filepath.Join(l.dir, pen), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := flock(file); err != nil {
		defer file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrWritten, l.dir)
		}
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return &Writer{file}, nil
}

// Release lets another process write.
func (w *Writer) Release() { _ = w.file.Close() } // it holds nothing that could be lost

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
