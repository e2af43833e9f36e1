package gateway

import (
	"maps"
	"testing"
	"time"
)

const mutexProfile = `--- mutex:
cycles/second=2000000000
sampling period=1
4000000 3 @ 0x1 0x2 0x3
#	0x1	sync.(*Mutex).Unlock+0x5d	/usr/local/go/src/sync/mutex.go:65
#	0x2	runtime.deferreturn+0x5c	/usr/local/go/src/runtime/panic.go:1
#	0x3	example.com/a.(*Table).Add+0x5c	/a/table.go:7
#	0x9	example.com/a.Main+0x5c	/a/main.go:1

2000000 1 @ 0x4 0x5
#	0x4	internal/sync.(*Mutex).Unlock+0x5d	/usr/local/go/src/sync/mutex.go:65
#	0x5	example.com/b.Send+0x5c	/b/send.go:9

1000000 2 @ 0x6
#	0x6	runtime._LostContendedRuntimeLock+0x5c	/usr/local/go/src/runtime/mprof.go:1

2000000 1 @ 0x4 0x7
#	0x7	example.com/b.Send+0x6c	/b/send.go:11
`

func TestWaitsAreReadByWhoHeldTheMutex(t *testing.T) {
	got, err := parseWaits(mutexProfile)
	want := Waits{
		"example.com/a.(*Table).Add": {3, 2 * time.Millisecond}, "example.com/b.Send": {2, 2 * time.Millisecond}, inRuntime: {2, 500 * time.Microsecond},
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	if text := got.String(); text != "7 waits, 4.5ms in all; most in example.com/a.(*Table).Add (2ms)" {
		t.Errorf("said %q", text)
	}
}

func TestOnlyWhatWasAddedCounts(t *testing.T) {
	then := Waits{"a": {3, 3 * time.Millisecond}, "b": {1, time.Millisecond}}
	now := Waits{"a": {3, 3 * time.Millisecond}, "b": {2, 4 * time.Millisecond}, "c": {1, time.Microsecond}}
	if got := now.Since(then); !maps.Equal(got, Waits{"b": {1, 3 * time.Millisecond}, "c": {1, time.Microsecond}}) {
		t.Errorf("got %+v", got)
	}
}

func TestAnEmptyProfileIsNobodyWaiting(t *testing.T) {
	got, err := parseWaits("--- mutex:\ncycles/second=2000000000\nsampling period=1\n")
	if err != nil || got.String() != "nobody waited" {
		t.Errorf("got %q (%v)", got, err)
	}
}

func TestWhatIsNoProfileIsRefused(t *testing.T) {
	for _, text := range []string{"", "404 page not found", "cycles/second=x\n", "5 1 @ 0x1\n", "cycles/second=2\nx y @ 0x1\n"} {
		if got, err := parseWaits(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
