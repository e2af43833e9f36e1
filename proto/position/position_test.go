package position

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
)

func TestPositionsAreOrderedInPart(t *testing.T) {
	for _, tt := range []struct {
		p, q   string
		want   Order
		covers bool
	}{
		{"1:2:3", "1:2:3", Same, true},
		{"1:2:3", "1:2:4", Before, false},
		{"1:1:3", "1:2:3", Before, false},
		{"1:1:3", "1:2:4", Before, false},
		{"1:3:3", "1:2:3", After, true},
		{"1:2:4", "1:2:3", After, true},
		{"1:3:3", "1:2:4", Apart, false},
		{"1:2:4", "1:3:3", Apart, false},
		{"1:9:9", "2:1:1", Before, false},
		{"2:1:1", "1:9:9", After, true},
		{"0:0:0", "1:0:0", Before, false},
	} {
		p, q := mustParse(t, tt.p), mustParse(t, tt.q)
		if got := p.Compare(q); got != tt.want {
			t.Errorf("%s to %s: %d, want %d", p, q, got, tt.want)
		}
		if p.Less(q) != (tt.want == Before) || p.Covers(q) != tt.covers {
			t.Errorf("%s to %s: less %v, covers %v", p, q, p.Less(q), p.Covers(q))
		}
	}
}

func TestLanesHaveTheirNumbers(t *testing.T) {
	p := Position{Epoch: 1, Revision: 42, Sequence: 9001}
	if p.LaneNumber(Configuration) != 42 || p.LaneNumber(Directory) != 9001 || p.LaneNumber(0) != 0 {
		t.Error("wrong number")
	}
	if Configuration.String() != "configuration" || Directory.String() != "directory" || Lane(9).String() != "unknown" {
		t.Error("wrong name")
	}
}

func TestTextIsKnown(t *testing.T) {
	p := Position{Epoch: 1, Revision: 42, Sequence: math.MaxUint64}
	body, err := json.Marshal(p)
	if err != nil || string(body) != `"1:42:18446744073709551615"` {
		t.Fatalf("%s, %v", body, err)
	}
	var back Position
	if err := json.Unmarshal(body, &back); err != nil || back != p {
		t.Fatalf("%s, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`"1:2"`), &back); err == nil || back != p {
		t.Fatalf("%s, %v", back, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "::", "1:42:9001", "1:2", "1:2:3:4", "01:2:3", "+1:2:3", "1:2:18446744073709551616", "1:2: 3", "1:2:1_0", "0:0:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if p.String() != s {
			t.Fatalf("%q and %q are the same position", s, p)
		}
	})
}

func mustParse(t *testing.T, s string) Position {
	t.Helper()
	p, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
