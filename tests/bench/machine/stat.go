package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrSystem is returned where the system isn't Linux.
var ErrSystem = errors.New("processes are pinned and measured on Linux only")

// tick is the unit of times in /proc: USER_HZ is 100 on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// Stat is what /proc/<pid>/stat says of a process, as far as it matters here.
type Stat struct {
	PID    int
	Name   string
	Parent int
	// User and System are processor time, in ticks of 10 ms.
	User, System time.Duration
}

// Numbers of the fields behind the name, counted from the state.
const (
	parentField = 1
	userField   = 11
	systemField = 12
)

// ParseStat reads a line of /proc/<pid>/stat. A name may hold anything, parentheses and spaces too: it ends at the last parenthesis.
func ParseStat(line string) (Stat, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return Stat{}, fmt.Errorf("a process without a name: %q", line)
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) <= systemField {
		return Stat{}, fmt.Errorf("a process with %d fields: %q", len(fields), line)
	}
	numbers := make([]int, 4)
	for i, text := range []string{strings.TrimSpace(line[:open]), fields[parentField], fields[userField], fields[systemField]} {
		number, err := strconv.Atoi(text)
		if err != nil {
			return Stat{}, fmt.Errorf("a process's numbers: %w", err)
		}
		numbers[i] = number
	}
	return Stat{
		PID: numbers[0], Name: line[open+1 : end], Parent: numbers[1],
		User: time.Duration(numbers[2]) * tick, System: time.Duration(numbers[3]) * tick,
	}, nil
}

// Usage is what a process and all below it have used.
type Usage struct {
	// Processor time since they began, user and system.
	Processor time.Duration
	// Memory is what is resident, in bytes; what several of them share is counted once.
	Memory int64
}

// OwnTime is the processor time of this process alone.
func OwnTime() (time.Duration, error) { return processorTime(os.Getpid()) }

// UsageOf looks at a process and all below it.
func UsageOf(pid int) (Usage, error) {
	all, err := tree(pid)
	if err != nil {
		return Usage{}, err
	}
	var sum Usage
	for _, one := range all {
		spent, err := processorTime(one.PID)
		if err != nil {
			return Usage{}, fmt.Errorf("processor time of %s: %w", one.Name, err)
		}
		held, err := resident(one.PID)
		if err != nil {
			return Usage{}, fmt.Errorf("memory of %s: %w", one.Name, err)
		}
		sum.Processor += spent
		sum.Memory += held
	}
	return sum, nil
}

// tree lists a process and all below it.
func tree(root int) ([]Stat, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var all []Stat
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		one, err := ParseStat(string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	found := below(all, root)
	if len(found) == 0 {
		return nil, fmt.Errorf("process %d is gone", root)
	}
	return found, nil
}

// below picks a process and all below it.
func below(all []Stat, root int) []Stat {
	in := map[int]bool{root: true}
	for grew := true; grew; {
		grew = false
		for _, one := range all {
			if in[one.Parent] && !in[one.PID] {
				in[one.PID], grew = true, true
			}
		}
	}
	var found []Stat
	for _, one := range all {
		if in[one.PID] {
			found = append(found, one)
		}
	}
	return found
}

// resident returns the process's resident memory: its share of what it shares, where the system tells.
func resident(pid int) (int64, error) {
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
		if size, err := kilobytes(string(text), "Pss:"); err == nil {
			return size, nil
		}
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err //nolint:wrapcheck // says which
	}
	return kilobytes(string(text), "VmRSS:")
}

// kilobytes reads "VmRSS:     1234 kB", in bytes.
func kilobytes(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		number, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s %w", name, err)
		}
		return number << 10, nil
	}
	return 0, fmt.Errorf("there is no %s", name)
}

// Stolen is how the machine's processors were shared with others, in ticks since it started.
type Stolen struct{ stolen, all int64 }

// StolenNow reads it; zero where the system doesn't tell.
func StolenNow() Stolen {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Stolen{}
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return parseStolen(first)
}

// stealField is the number of the field that tells the time taken by other machines.
const stealField = 8

// parseStolen reads "cpu  user nice system idle iowait irq softirq steal …".
func parseStolen(line string) (s Stolen) {
	fields := strings.Fields(line)
	for i := 1; i < len(fields) && i <= stealField; i++ {
		number, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return Stolen{}
		}
		s.all += number
		if i == stealField {
			s.stolen = number
		}
	}
	return s
}

// Since returns the share of the processors that others took since then, 0 to 1.
func (s Stolen) Since(then Stolen) float64 {
	if s.all <= then.all {
		return 0
	}
	return float64(s.stolen-then.stolen) / float64(s.all-then.all)
}
