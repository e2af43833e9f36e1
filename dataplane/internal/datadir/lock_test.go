package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
