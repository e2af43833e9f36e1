package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestADirectoryIsHeldByOneAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Hold(dir)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("a second one is told: %v", err)
	}
	first.Release()
	again, err := Hold(dir)
	if err != nil {
		t.Fatalf("what was let go can't be held: %v", err)
	}
	defer again.Release()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
}

func TestADirectoryThatCannotBeMadeIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Hold(filepath.Join(file, "data")); err == nil || errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
}

// handed returns a copy of an open file, as another process gets it.
func handed(t *testing.T, file *os.File) *os.File {
	t.Helper()
	number, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(number), file.Name())
}

func TestADirectoryThatIsHandedOverIsHeldUntilNeitherHoldsIt(t *testing.T) {
	dir := t.TempDir()
	first, err := Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	next, err := Inherit(dir, handed(t, first.File()))
	if err != nil {
		t.Fatal(err)
	}
	first.Release()
	if _, err := Hold(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("while the next one holds it: %v", err)
	}
	if err := next.Sign(); err != nil {
		t.Error(err)
	}
	next.Release()
	last, err := Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	last.Release()
}

func TestALockOfAnotherDirectoryOrOfNobodyIsNotInherited(t *testing.T) {
	dir := t.TempDir()
	first, err := Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Release()
	other, err := Hold(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Release()
	if _, err := Inherit(dir, handed(t, other.File())); err == nil {
		t.Error("that of another directory is taken")
	}
	own, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if _, err := Inherit(dir, own); err == nil {
		t.Error("a file that doesn't hold the lock is taken")
	}
}

func TestOneOfTwoProcessesWrites(t *testing.T) {
	dir := t.TempDir()
	first, err := Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Release()
	next, err := Inherit(dir, handed(t, first.File()))
	if err != nil {
		t.Fatal(err)
	}
	defer next.Release()
	writer, err := first.Write()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := next.Write(); !errors.Is(err, ErrWritten) {
		t.Errorf("the second is told %v", err)
	}
	writer.Release()
	if writer, err = next.Write(); err != nil {
		t.Fatal(err)
	}
	defer writer.Release()
	if _, err := first.Write(); !errors.Is(err, ErrWritten) {
		t.Errorf("the first, which let go, is told %v", err)
	}
}
