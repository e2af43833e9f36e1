package dataplane

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestSizesAreWrittenAsTheRuntimeHasThem(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "1048576": 1 << 20, "64KiB": 64 << 10, "256MiB": 256 << 20, "2GiB": 2 << 30} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "MiB", "1MB", "1 MiB", "1.5GiB", "9223372036854775807GiB", "0x10"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestBodiesGetAShareOfAProcessThatIsBound(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	for limit, want := range map[int64]int64{math.MaxInt64: 256 << 20, 4 << 30: 256 << 20, 256 << 20: 64 << 20, 2 << 20: 1 << 20} {
		debug.SetMemoryLimit(limit)
		if got, err := (&Config{}).bodyMemory(); err != nil || got != want {
			t.Errorf("of %d bytes bodies get %d, %v; want %d", limit, got, err, want)
		}
	}
	if got, err := (&Config{BodyMemory: 5 << 20}).bodyMemory(); err != nil || got != 5<<20 {
		t.Errorf("what is given isn't taken: %d, %v", got, err)
	}
	if _, err := (&Config{BodyMemory: 1000}).bodyMemory(); err == nil {
		t.Error("a node may have no memory for bodies to speak of")
	}
}
