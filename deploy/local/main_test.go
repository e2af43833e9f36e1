package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASecondStackLeavesTheLogOfTheFirstAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	first, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.WriteString("what the first said\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := openLog(path); err == nil || !strings.Contains(err.Error(), "a stack runs in "+filepath.Dir(path)) {
		t.Errorf("a second one: %v", err)
	}
	if kept, err := os.ReadFile(path); err != nil || string(kept) != "what the first said\n" {
		t.Errorf("the log holds %q: %v", kept, err)
	}
	_ = first.Close()
	next, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if kept, err := os.ReadFile(path); err != nil || len(kept) > 0 {
		t.Errorf("the next run's log begins with %q: %v", kept, err)
	}
}
