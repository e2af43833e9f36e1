package id

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestNewIsUUIDv7OfItsMillisecond(t *testing.T) {
	now := time.UnixMilli(0x0123456789ab)
	id := New(now)
	if got := id[:6]; !bytes.Equal(got, []byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab}) {
		t.Errorf("time bytes %x", got)
	}
	if id[6]>>4 != 7 || id[8]>>6 != 2 {
		t.Errorf("version %x, variant %b", id[6]>>4, id[8]>>6)
	}
	if id == New(now) {
		t.Error("two IDs are equal")
	}
	if id.IsZero() || !(ID{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	if early := New(time.UnixMilli(-5)); !bytes.Equal(early[:6], make([]byte, 6)) {
		t.Errorf("a time before 1970 gave %x", early)
	}
}

func TestTextIsKnown(t *testing.T) {
	all := ID(bytes.Repeat([]byte{0xff}, 16))
	tests := []struct {
		id   ID
		want string
	}{
		{ID{}, "rt_00000000000000000000000000"},
		{all, "rt_7zzzzzzzzzzzzzzzzzzzzzzzzz"},
		{ID{15: 1}, "rt_00000000000000000000000001"},
		{ID{0: 0x20}, "rt_10000000000000000000000000"},
		{ID{1: 0x08}, "rt_00100000000000000000000000"},
	}
	for _, tt := range tests {
		if got := Text("rt", tt.id); got != tt.want {
			t.Errorf("%x: got %s, want %s", tt.id, got, tt.want)
		}
	}
}

func TestTextsSortByTime(t *testing.T) {
	start := time.UnixMilli(1_780_000_000_000)
	last := Text("svc", New(start))
	for i := 1; i < 2000; i += 7 {
		next := Text("svc", New(start.Add(time.Duration(i*i)*time.Millisecond)))
		if next <= last {
			t.Fatalf("%s isn't after %s", next, last)
		}
		last = next
	}
}

func TestParseTakesOnlyWhatTextWrites(t *testing.T) {
	good := Text("rt", New(time.Now()))
	bad := []string{
		"", "rt", "rt_", "_", good[1:], good + "0", good[:len(good)-1], " " + good, "svc" + good[2:],
		strings.ToUpper(good), "rt_8zzzzzzzzzzzzzzzzzzzzzzzzz", "rt_zzzzzzzzzzzzzzzzzzzzzzzzzz",
		"rt_0000000000000000000000000i", "rt_0l000000000000000000000000", "rt_000000o0000000000000000000",
		"rt_0000000000000u000000000000", "rt_000000000000000000000000\x000", "rt-00000000000000000000000000",
	}
	for _, s := range bad {
		if _, err := Parse("rt", s); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := Parse("rt", good); err != nil {
		t.Error(err)
	}
}

var form = regexp.MustCompile(`\A[a-z]{2,5}_[0-9a-hjkmnp-tv-z]{26}\z`)

func FuzzParse(f *testing.F) {
	f.Add("rt", "rt_7zzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Add("", "_01k9hj0y3zf2v8k6t4m5n7p9qa")
	f.Add("svc", "svc_01K9HJ0Y3ZF2V8K6T4M5N7P9QA")
	f.Add("key", "key_\xff1k9hj0y3zf2v8k6t4m5n7p9qa")
	f.Fuzz(func(t *testing.T, prefix, s string) {
		if LooksLikeID(s) != form.MatchString(s) {
			t.Fatalf("LooksLikeID(%q) = %v", s, LooksLikeID(s))
		}
		id, err := Parse(prefix, s)
		if err != nil {
			return
		}
		if again := Text(prefix, id); again != s {
			t.Fatalf("%q and %q are the same ID", s, again)
		}
	})
}

func FuzzTextParsesBack(f *testing.F) {
	f.Add(bytes.Repeat([]byte{0xa5}, 16))
	f.Fuzz(func(t *testing.T, b []byte) {
		var id ID
		copy(id[:], b)
		s := Text("key", id)
		if !LooksLikeID(s) {
			t.Fatalf("%q doesn't look like an id", s)
		}
		if back, err := Parse("key", s); err != nil || back != id {
			t.Fatalf("%q: %x, %v", s, back, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	s := Text("rt", New(time.Now()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("rt", s); err != nil {
			b.Fatal(err)
		}
	}
}
