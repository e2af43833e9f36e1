package machine

import (
	"os"
	"slices"
	"testing"
	"time"
)

func TestAProcessIsReadWhateverItsName(t *testing.T) {
	const rest = " S 7 1 1 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 1 0 100 1000000 512 18446744073709551615"
	for name, line := range map[string]string{
		"nginx":       "42 (nginx)" + rest + "\n",
		"a) S 9 (b":   "42 (a) S 9 (b)" + rest,
		"with spaces": "42 (with spaces)" + rest,
	} {
		got, err := ParseStat(line)
		if want := (Stat{PID: 42, Name: name, Parent: 7, User: 1500 * time.Millisecond, System: 250 * time.Millisecond}); err != nil || got != want {
			t.Errorf("%q is %+v (%v), want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{"", "42", "42 (a", "42 )a( S", "42 (a) S 7", "x (a)" + rest, "42 (a) S x 1 1 0 -1 0 0 0 0 0 1 2"} {
		if got, err := ParseStat(line); err == nil {
			t.Errorf("%q is %+v, want an error", line, got)
		}
	}
}

func TestATreeIsAProcessAndAllBelowIt(t *testing.T) {
	all := []Stat{{PID: 30, Parent: 20}, {PID: 20, Parent: 10}, {PID: 10, Parent: 1}, {PID: 11, Parent: 1}, {PID: 21, Parent: 10}}
	var got []int
	for _, one := range below(all, 10) {
		got = append(got, one.PID)
	}
	if slices.Sort(got); !slices.Equal(got, []int{10, 20, 21, 30}) {
		t.Errorf("below 10 are %v", got)
	}
	if got := below(all, 99); got != nil {
		t.Errorf("below a process that isn't there are %v", got)
	}
}

func TestMemoryIsReadInBytes(t *testing.T) {
	const text = "Name:\tx\nVmRSS:\t    1234 kB\nVmData:\t 5 kB\n"
	if got, err := kilobytes(text, "VmRSS:"); err != nil || got != 1234<<10 {
		t.Errorf("got %d (%v)", got, err)
	}
	for _, name := range []string{"Pss:", "Name:"} {
		if got, err := kilobytes(text, name); err == nil {
			t.Errorf("%s is %d, want an error", name, got)
		}
	}
}

func TestWhatOthersTookIsAShareOfAll(t *testing.T) {
	then := parseStolen("cpu  100 0 100 700 0 0 0 100 0 0")
	now := parseStolen("cpu  150 0 100 700 0 0 0 150 0 0")
	if got := now.Since(then); got != 0.5 {
		t.Errorf("others took %v, want half", got)
	}
	if got := then.Since(then); got != 0 {
		t.Errorf("in no time others took %v", got)
	}
	if got := parseStolen("cpu x"); got != (Stolen{}) {
		t.Errorf("nonsense is %v", got)
	}
}

func TestOwnProcessHasUsedProcessorAndMemory(t *testing.T) {
	if _, err := Available(); err != nil {
		t.Skip(err)
	}
	got, err := UsageOf(os.Getpid())
	if err != nil || got.Processor <= 0 || got.Memory < 1<<20 {
		t.Errorf("used %+v (%v)", got, err)
	}
	if got, err := UsageOf(1 << 30); err == nil {
		t.Errorf("a process that isn't there has used %+v", got)
	}
}

func TestATickerTicks(t *testing.T) {
	ticker, err := NewTicker(time.Millisecond)
	if err != nil {
		t.Skip(err)
	}
	defer func() {
		if err := ticker.Close(); err != nil {
			t.Error(err)
		}
	}()
	began := time.Now()
	for range 5 {
		if err := ticker.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 4*time.Millisecond { // ticks that were missed come together
		t.Errorf("5 ticks of 1 ms took %s", took)
	}
}
