package form

import (
	"math"
	"regexp"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
)

func TestDurationsAreReadAndWrittenInOneForm(t *testing.T) {
	tests := []struct{ in, canonical string }{
		{"250ms", "250ms"},
		{"1m30s", "1m30s"},
		{"90s", "1m30s"},
		{"1.5s", "1s500ms"},
		{"1.5h", "1h30m"},
		{"1500us", "1ms500us"},
		{"1h0m0.000000001s", "1h1ns"},
		{"24h", "24h"},
		{"0s", "0s"},
		{"0h", "0s"},
		{"-0s", "0s"},
		{"-1m30s", "-1m30s"},
		{"-1ns", "-1ns"},
		{"1h2m3s4ms5us6ns", "1h2m3s4ms5us6ns"},
		{"000001s", "1s"},
		{"0.0010us", "1ns"},
		{"87660000h", "87660000h"},
	}
	for _, tt := range tests {
		d, err := ParseDuration(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := Duration(d); got != tt.canonical {
			t.Errorf("%s is written %s, want %s", tt.in, got, tt.canonical)
		}
		if err := d.CheckValid(); err != nil {
			t.Errorf("%s: %v", tt.in, err)
		}
	}
}

func TestWhatIsNoDurationIsRefused(t *testing.T) {
	for _, s := range []string{
		"", "-", "+1s", "1", "0", "s", "1 s", " 1s", "1s ", "1S", "1d", "1.s", ".5s", "1.5m30s", "30s1m", "1s1s", "1s-1s", "--1s", "1µs",
		"1.5ns", "0.0000000001s", "87660001h", "99999999999999999999h", "5124095576030431h", "1e3s", "0x1s", "1_000s", "PT1S", "Inf", "1h\x00",
		"315576000000.000000001s", "18446744073709551615h",
	} {
		if d, err := ParseDuration(s); err == nil {
			t.Errorf("%q is read as %s", s, Duration(d))
		}
	}
}

func TestEveryDurationOfGoIsWritten(t *testing.T) {
	for _, d := range []time.Duration{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, 999, 1e9 - 1, 1e9, math.MaxInt64} {
		back, err := ParseDuration(Duration(durationpb.New(d)))
		if err != nil || back.AsDuration() != d {
			t.Errorf("%v came back as %v, %v", d, back.AsDuration(), err)
		}
	}
}

func FuzzADurationKeepsItsValue(f *testing.F) {
	for _, s := range []string{"250ms", "1m30s", "1.5h", "-2s", "0.1us", "1h2m3s4ms5us6ns", "87660000h"} {
		f.Add(s)
	}
	pattern := regexp.MustCompile(DurationPattern)
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if !pattern.MatchString(s) {
			t.Fatalf("%q is read, but doesn't match the pattern that is published", s)
		}
		written := Duration(d)
		back, err := ParseDuration(written)
		if err != nil || back.GetSeconds() != d.GetSeconds() || back.GetNanos() != d.GetNanos() {
			t.Fatalf("%q is written %q, which is read as %v, %v", s, written, back, err)
		}
		if again := Duration(back); again != written {
			t.Fatalf("%q is written %q, then %q", s, written, again)
		}
		if std, err := time.ParseDuration(s); err == nil && std != d.AsDuration() {
			t.Fatalf("%q is %v, but %v to Go", s, d.AsDuration(), std)
		}
	})
}
