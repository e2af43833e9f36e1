//go:build linux

package machine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Become makes this process another program that may use these processors alone, and so all that it starts.
func Become(processors []int, program string, args []string) error {
	path, err := exec.LookPath(program)
	if err != nil {
		return err //nolint:wrapcheck // says which
	}
	runtime.LockOSThread() // the one that becomes the program
	set := setOf(processors)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to processors %v: %w", processors, err)
	}
	mayOpenMany()
	return fmt.Errorf("become %s: %w", program, unix.Exec(path, append([]string{program}, args...), os.Environ()))
}

// manyFiles are enough for 10,000 clients, and a relay's connections behind them.
const manyFiles = 65_536

// mayOpenMany lets this process, and what it becomes or starts, have many connections: as many as the system's limit is where raising that isn't allowed.
func mayOpenMany() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	raised := syscall.Rlimit{Cur: max(limit.Max, manyFiles), Max: max(limit.Max, manyFiles)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) != nil {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // then connections fail, and say so
	}
}

// Stay keeps this process, and all that it starts from now on, on these processors.
func Stay(processors []int) error {
	set := setOf(processors)
	pinned := map[string]bool{}
	for more := true; more; { // a thread may have begun another one meanwhile
		more = false
		threads, err := filepath.Glob("/proc/self/task/*")
		if err != nil {
			return fmt.Errorf("list threads: %w", err)
		}
		for _, thread := range threads {
			if pinned[thread] {
				continue
			}
			pinned[thread], more = true, true
			id, err := strconv.Atoi(filepath.Base(thread))
			if err != nil {
				return fmt.Errorf("list threads: %w", err)
			}
			if err := unix.SchedSetaffinity(id, &set); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("pin to processors %v: %w", processors, err)
			}
		}
	}
	runtime.GOMAXPROCS(len(processors))
	mayOpenMany()
	return nil
}

// Available lists the processors that this process may use.
func Available() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("which processors there are: %w", err)
	}
	var all []int
	for n := range len(set) * 64 {
		if set.IsSet(n) {
			all = append(all, n)
		}
	}
	return all, nil
}

func setOf(processors []int) (set unix.CPUSet) {
	for _, n := range processors {
		set.Set(n)
	}
	return set
}

// processorTime reads the clock of all of a process's threads, those that ended too: in nanoseconds, where /proc counts in ticks.
func processorTime(pid int) (time.Duration, error) {
	const everyThread = 2 // CPUCLOCK_SCHED, per process
	var spent unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|everyThread), &spent); err != nil {
		return 0, err //nolint:wrapcheck // the caller says of whom
	}
	return time.Duration(spent.Nano()), nil
}

// Ticker ticks on time. Those of package time are woken up to a millisecond late while a program waits for its connections.
type Ticker struct{ file *os.File }

// NewTicker makes one; Close ends it.
func NewTicker(every time.Duration) (*Ticker, error) {
	descriptor, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a timer: %w", err)
	}
	t := &Ticker{file: os.NewFile(uintptr(descriptor), "timer")}
	interval := unix.NsecToTimespec(every.Nanoseconds())
	if err := unix.TimerfdSettime(descriptor, 0, &unix.ItimerSpec{Interval: interval, Value: interval}, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("set a timer: %w", err), t.Close())
	}
	return t, nil
}

// Wait returns at the next tick.
func (t *Ticker) Wait() error {
	var passed [8]byte
	if _, err := t.file.Read(passed[:]); err != nil {
		return fmt.Errorf("wait for a tick: %w", err)
	}
	return nil
}

// Close ends the ticker.
func (t *Ticker) Close() error { return t.file.Close() } //nolint:wrapcheck // says what
