package harness

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// startBound bounds the start of a stack, the making of a database cluster on a slow machine included.
const startBound = 5 * time.Minute

// Main is a test package's TestMain: it starts a stack, hands it over, runs the tests and stops it.
func Main(m *testing.M, cfg Config, use func(*Stack)) int {
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	s, err := Start(ctx, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	use(s)
	code := m.Run()
	if code != 0 {
		fmt.Fprintln(os.Stderr, s.explain())
	}
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code == 0 {
		_ = os.Remove(s.LogFile()) // nobody asks for it now
	}
	return code
}
