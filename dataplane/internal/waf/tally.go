package waf

import (
	"sync/atomic"
	"time"
)

// Part of an exchange that was inspected.
type Part uint8

// The parts.
const (
	PartHead Part = iota
	PartBody
	PartAnswer
	partCount
)

// String is the part as metrics name it.
func (p Part) String() string { return [...]string{"head", "body", "answer"}[p] }

// Verdict is what became of an inspected part.
type Verdict uint8

// The verdicts.
const (
	Clean   Verdict = iota // nothing was found
	Noted                  // something was, and the threshold wasn't reached
	Blocked                // it was refused, or would have been in shadow
	Beyond                 // it wasn't looked at: too large, or not to be read
	verdictCount
)

// String is the verdict as metrics name it.
func (v Verdict) String() string { return [...]string{"clean", "noted", "blocked", "beyond"}[v] }

// Tally counts what inspections found and cost, and the engines. It is safe for concurrent use; the zero value is ready.
type Tally struct {
	engines, compiled    atomic.Int64
	compiling, inspected atomic.Int64 // nanoseconds
	parts                [partCount][verdictCount]atomic.Uint64
	bytes                [partCount]atomic.Uint64
}

// Compiled counts an engine that was made.
func (t *Tally) Compiled(took time.Duration) {
	t.engines.Add(1)
	t.compiled.Add(1)
	t.compiling.Add(int64(took))
}

// Gone counts an engine that nobody has any more.
func (t *Tally) Gone() { t.engines.Add(-1) }

// Took adds up the time that inspections took.
func (t *Tally) Took(d time.Duration) { t.inspected.Add(int64(d)) }

// Inspected counts a part of so many bytes.
func (t *Tally) Inspected(p Part, v Verdict, bytes int) {
	t.parts[p][v].Add(1)
	t.bytes[p].Add(uint64(max(bytes, 0)))
}

// Counts are what a Tally says.
type Counts struct {
	// Engines that are alive, and those that were Compiled.
	Engines, Compiled int64
	// Compiling and Inspecting are how long it took.
	Compiling, Inspecting time.Duration
	// Inspections by part and verdict.
	Inspections map[Part]map[Verdict]uint64
	// Bytes that were looked at, by part.
	Bytes map[Part]uint64
}

// Counts returns what was counted.
func (t *Tally) Counts() Counts {
	c := Counts{Inspections: map[Part]map[Verdict]uint64{}, Bytes: map[Part]uint64{}}
	if t == nil {
		return c
	}
	c.Engines, c.Compiled = t.engines.Load(), t.compiled.Load()
	c.Compiling, c.Inspecting = time.Duration(t.compiling.Load()), time.Duration(t.inspected.Load())
	for p := range partCount {
		c.Inspections[p], c.Bytes[p] = map[Verdict]uint64{}, t.bytes[p].Load()
		for v := range verdictCount {
			if n := t.parts[p][v].Load(); n > 0 {
				c.Inspections[p][v] = n
			}
		}
	}
	return c
}

// VerdictOf returns what a decision counts as.
func VerdictOf(d Decision) Verdict {
	switch {
	case d.Block:
		return Blocked
	case len(d.Findings) > 0:
		return Noted
	}
	return Clean
}
