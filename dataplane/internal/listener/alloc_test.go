//go:build !race

package listener

import (
	"bytes"
	"testing"
)

// With the race detector pools forget on purpose.
func TestAPlainRequestAllocatesNothing(t *testing.T) {
	for _, size := range []int{0, 100, 10_000} {
		ask := loop(t, &plain{text: bytes.Repeat([]byte("x"), size)})
		ask()
		if n := testing.AllocsPerRun(200, ask); n > 0 {
			t.Errorf("a request with an answer of %d bytes allocates %.0f times", size, n)
		}
	}
}
