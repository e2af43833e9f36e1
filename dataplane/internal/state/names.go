package state

import (
	"fmt"
	"slices"
	"strings"
)

// Files of a lane are numbered by generation: a checkpoint of one is followed by the logs of that one and of later ones.
const (
	checkpointFile = "checkpoint"
	logFile        = "log"
	temporary      = ".tmp"
	refusedPrefix  = "refused-"
)

func nameOf(lane string, generation uint64, role string) string {
	return fmt.Sprintf("%s.%d.%s", lane, generation, role)
}

// generations are the files of a lane, by generation, oldest first.
type generations struct{ checkpoints, logs []uint64 }

func generationsOf(lane string, names []string) generations {
	var g generations
	for _, name := range names {
		parts := strings.Split(name, ".")
		if len(parts) != 3 || parts[0] != lane {
			continue
		}
		var n uint64
		if _, err := fmt.Sscanf(parts[1], "%d", &n); err != nil || nameOf(lane, n, parts[2]) != name {
			continue
		}
		switch parts[2] {
		case checkpointFile:
			g.checkpoints = append(g.checkpoints, n)
		case logFile:
			g.logs = append(g.logs, n)
		}
	}
	slices.Sort(g.checkpoints)
	slices.Sort(g.logs)
	return g
}

// root is the generation that the lane's state begins with; 0: with nothing.
func (g generations) root() uint64 {
	if len(g.checkpoints) == 0 {
		return 0
	}
	return g.checkpoints[len(g.checkpoints)-1]
}

func (g generations) last() uint64 {
	last := g.root()
	if len(g.logs) > 0 {
		last = max(last, g.logs[len(g.logs)-1])
	}
	return last
}

func (g generations) empty() bool { return len(g.checkpoints)+len(g.logs) == 0 }

// split returns what lies before a generation and what doesn't.
func (g generations) split(at uint64) (before, from generations) {
	cut := func(all []uint64) int {
		i, _ := slices.BinarySearch(all, at)
		return i
	}
	c, l := cut(g.checkpoints), cut(g.logs)
	return generations{g.checkpoints[:c], g.logs[:l]}, generations{g.checkpoints[c:], g.logs[l:]}
}

func (g generations) names(lane string) []string {
	var names []string
	for _, n := range g.checkpoints {
		names = append(names, nameOf(lane, n, checkpointFile))
	}
	for _, n := range g.logs {
		names = append(names, nameOf(lane, n, logFile))
	}
	return names
}
