package chaos

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// room is what the database's disk has beside its files, in bytes, before somebody else fills it.
const room = 64 << 20

// onSmallDisk moves a database's files to a disk of their own, and returns a folder on it. It must be called before the stack's end is
// planned: the disk outlives the server.
func onSmallDisk(t *testing.T) (move func(*harness.Stack) string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a disk of the database's own takes root")
	}
	disk := ""
	t.Cleanup(func() {
		if disk != "" {
			shell(t, os.Environ(), fmt.Sprintf("umount %q; rmdir %q", disk, disk))
		}
	})
	return func(stack *harness.Stack) string {
		t.Helper()
		files := stack.DatabaseDir()
		if files == "" {
			t.Skip("the database is somebody else's: its disk can't be filled")
		}
		at, err := os.MkdirTemp(filepath.Dir(files), "full-") // where its owner may go
		if err != nil {
			t.Fatal(err)
		}
		if err := stack.KillDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
		data := filepath.Join(files, "data")
		used, err := strconv.Atoi(shell(t, os.Environ(), fmt.Sprintf("printf %%s $(du -sk %q | cut -f1)", data)))
		if err != nil {
			t.Fatal(err)
		}
		shell(t, os.Environ(), fmt.Sprintf("mount -t tmpfs -o mode=0755,size=%d tmpfs %q", used<<10+room, at))
		disk = at
		shell(t, os.Environ(), fmt.Sprintf("mv %q %q && ln -s %q %q", data, filepath.Join(at, "data"), filepath.Join(at, "data"), data))
		if err := stack.ReviveDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
		return at
	}
}

// fill leaves no room on a disk.
func fill(t *testing.T, disk string) (filler string) {
	t.Helper()
	filler = filepath.Join(disk, "filler")
	file, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 1 << 20; size > 0; {
		if _, err := file.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return filler
}

// The disk under the database fills up, and is emptied again. Writes are refused as what they are, the fault of the control plane; edges
// serve on; nothing that was acknowledged is lost.
func TestWhileTheDatabasesDiskIsFullNothingIsAcknowledgedThatIsNotKept(t *testing.T) {
	move := onSmallDisk(t)
	stack, s := own(t, harness.Config{}, 2)
	disk := move(stack)
	f := begin(t, s)
	s = f.story

	filler := fill(t, disk)
	// Pages and the log that have room already take a while to fill.
	tried := 0
	harness.Eventually(t, progressBound, func() error {
		tried++
		return refusedForRoom(t, s, s.Name("full"+strconv.Itoa(tried)))
	})
	f.progress(t, loopProgress)
	f.writing.mu.Lock()
	failed := f.writing.failed
	f.writing.mu.Unlock()
	t.Logf("%d writes were acknowledged, and %d not", f.writing.count(), failed)

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, progressBound, func() error {
		made, err := s.API.CreateConsumerWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Consumer{Name: s.Name("room")})
		return sallyport.Check(made, err)
	})
	f.progress(t, loopProgress)
	f.check(t)
}

// refusedForRoom has no error once a write that takes room is refused. Until then it fails the test when the write is refused for
// anything but the control plane's fault.
func refusedForRoom(t *testing.T, s *harness.Story, name string) error {
	t.Helper()
	made, err := s.API.CreateConsumerWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Consumer{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	switch status := made.StatusCode(); {
	case status == http.StatusCreated:
		return errors.New("the disk takes writes still")
	case status < http.StatusInternalServerError:
		t.Fatalf("a write without room was answered %d: %s", status, made.Body)
	}
	return nil
}
