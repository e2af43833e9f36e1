package effort

import (
	"container/heap"
	"time"
)

// piece is work that waits for its turn.
type piece struct {
	class   class
	came    time.Time
	due     time.Time
	bytes   int
	looks   time.Duration
	granted chan error // of one: what came of it
	place   int        // in its line
}

// line is who waits, the one that is due first in front. It is a heap: container/heap calls the exported methods.
type line []*piece

func (l *line) add(p *piece) { heap.Push(l, p) }

// last returns who is due last; nil: nobody waits.
func (l *line) last() (last *piece) {
	for _, p := range *l {
		if last == nil || p.due.After(last.due) {
			last = p
		}
	}
	return last
}

// remove takes a piece out; false: it isn't there any more.
func (l *line) remove(p *piece) bool {
	if p.place >= len(*l) || (*l)[p.place] != p {
		return false
	}
	heap.Remove(l, p.place)
	return true
}

// Len implements heap.Interface.
func (l *line) Len() int { return len(*l) }

// Less implements heap.Interface.
func (l *line) Less(i, j int) bool { return (*l)[i].due.Before((*l)[j].due) }

// Swap implements heap.Interface.
func (l *line) Swap(i, j int) {
	(*l)[i], (*l)[j] = (*l)[j], (*l)[i]
	(*l)[i].place, (*l)[j].place = i, j
}

// Push implements heap.Interface.
func (l *line) Push(x any) {
	p, _ := x.(*piece)
	p.place = len(*l)
	*l = append(*l, p)
}

// Pop implements heap.Interface.
func (l *line) Pop() any {
	end := len(*l) - 1
	p := (*l)[end]
	(*l)[end] = nil
	*l = (*l)[:end]
	return p
}
