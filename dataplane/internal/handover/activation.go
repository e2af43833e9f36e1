package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Activation is what a service manager (systemd) says in the environment of a process that it starts.
type Activation struct {
	// Process is LISTEN_PID: whom the sockets are for. Count is LISTEN_FDS, Names is LISTEN_FDNAMES: names with colons between.
	Process, Count, Names string
	// NotifyTo is NOTIFY_SOCKET: where it wants to hear how far the process is.
	NotifyTo string
}

// firstPassed is the number of the first file that is passed on (SD_LISTEN_FDS_START).
const firstPassed = 3

// Listeners returns the sockets that were passed on, by name; nil: there are none for this process. Each must have one of the names, once.
func (a Activation) Listeners(names ...string) (map[string]net.Listener, error) {
	passed, err := a.passed(firstPassed, names)
	if err != nil || passed == nil {
		return nil, err
	}
	listeners := make(map[string]net.Listener, len(passed))
	for name, number := range passed {
		syscall.CloseOnExec(number)
		listener, err := Listener(os.NewFile(uintptr(number), name))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("socket %q of the service manager: %w", name, err), closeAll(listeners))
		}
		listeners[name] = listener
	}
	return listeners, nil
}

// passed returns the numbers of the files by their names.
func (a Activation) passed(first int, known []string) (map[string]int, error) {
	if a.Process == "" || a.Count == "" || a.Process != strconv.Itoa(os.Getpid()) {
		return nil, nil //nolint:nilnil // nothing is for us
	}
	count, err := strconv.Atoi(a.Count)
	if err != nil || count < 0 || count > maxFiles {
		return nil, fmt.Errorf("LISTEN_FDS is %.32q, want a number up to %d", a.Count, maxFiles)
	}
	if count == 0 {
		return nil, nil //nolint:nilnil // as above
	}
	names := strings.Split(a.Names, ":")
	if a.Names == "" || len(names) != count {
		return nil, fmt.Errorf("LISTEN_FDNAMES is %.128q for %d sockets: give each of the units FileDescriptorName=, one of %s", a.Names, count, strings.Join(known, ", "))
	}
	passed := make(map[string]int, count)
	for i, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("a socket is called %.64q: FileDescriptorName= is to be one of %s", name, strings.Join(known, ", "))
		}
		if _, twice := passed[name]; twice {
			return nil, fmt.Errorf("two sockets are called %q: give each ListenStream= a unit of its own", name)
		}
		passed[name] = first + i
	}
	return passed, nil
}

func closeAll(listeners map[string]net.Listener) error {
	var failed error
	for _, listener := range listeners {
		failed = errors.Join(failed, listener.Close())
	}
	return failed
}

// Notify tells the service manager how far the process is, READY=1 for instance, if it wants to hear.
func (a Activation) Notify(state string) error {
	if a.NotifyTo == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: a.NotifyTo, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	_, err = conn.Write([]byte(state))
	if err = errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}
