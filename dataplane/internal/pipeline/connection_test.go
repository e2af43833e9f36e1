package pipeline

import "testing"

func TestWhatConnectionNamesIsDroppedWithoutAllocating(t *testing.T) {
	header := new(Header)
	fill := func(connection ...string) {
		header.Reset()
		for _, value := range connection {
			header.Add("Connection", value)
		}
		for _, name := range []string{"Keep-Alive", "X-Mine", "TE", "X-Forwarded-For", "Accept"} {
			header.Add(name, "1")
		}
	}
	for _, tt := range []struct {
		connection []string
		left       int
	}{
		{nil, 5},
		{[]string{"keep-alive"}, 4},
		{[]string{"close, X-MINE ,te"}, 4},
		{[]string{"x-forwarded-for", "keep-alive,x-mine"}, 3},
	} {
		fill(tt.connection...)
		header.DropConnection()
		if header.Len() != tt.left || header.Has("Connection") {
			t.Errorf("Connection %q leaves %v", tt.connection, header.Fields())
		}
		if n := testing.AllocsPerRun(100, func() {
			fill(tt.connection...)
			header.DropConnection()
		}); n > 0 {
			t.Errorf("Connection %q: %.0f allocations", tt.connection, n)
		}
	}
}
