package gateway

import (
	"testing"
	"time"
)

const mutexProfile = `--- mutex:
cycles/second=2000000000
sampling period=1
4000000 3 @ 0x1 0x2 0x3
#	0x1	sync.(*Mutex).Unlock+0x5d	/usr/local/go/src/sync/mutex.go:65
#	0x2	example.com/a.(*Table).Add+0x5c	/a/table.go:7

2000000 1 @ 0x4 0x5
#	0x4	internal/sync.(*Mutex).Unlock+0x5d	/usr/local/go/src/sync/mutex.go:65
#	0x5	example.com/b.Send+0x5c	/b/send.go:9
`

func TestWaitsAreReadWithWhoWaitedLongest(t *testing.T) {
	got, err := parseWaits(mutexProfile)
	want := Waits{Count: 4, Whole: 3 * time.Millisecond, Longest: "example.com/a.(*Table).Add", Most: 2 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	if text := got.String(); text != "4 waits, 3ms in all; most in example.com/a.(*Table).Add (2ms)" {
		t.Errorf("said %q", text)
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
