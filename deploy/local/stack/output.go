package stack

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// maxLine bounds a line that waits for its end, in bytes.
const maxLine = 64 << 10

// lines puts a program's name before each of its lines, and writes lines whole: several programs share one output.
type lines struct {
	name string
	out  io.Writer
	lock *sync.Mutex // the output's

	pending []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.pending = append(l.pending, p...)
	for {
		end := bytes.IndexByte(l.pending, '\n')
		if end < 0 && len(l.pending) < maxLine {
			return len(p), nil
		}
		if end < 0 {
			end = len(l.pending) - 1
		}
		if _, err := fmt.Fprintf(l.out, "%-9s %s\n", l.name, bytes.TrimSuffix(l.pending[:end+1], []byte("\n"))); err != nil {
			return 0, fmt.Errorf("write the output of %s: %w", l.name, err)
		}
		l.pending = l.pending[end+1:]
	}
}
