package payload_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
)

func TestABodyIsReadOnceAndForwardedByteForByte(t *testing.T) {
	t.Parallel()
	const text = "0123456789abcdef"
	for name, tt := range map[string]struct {
		stated int64
		reads  []int64
		read   int // bytes in memory
		whole  bool
	}{
		"all of a stated length":        {16, []int64{16}, 16, true},
		"all of an unknown length":      {-1, []int64{16}, 16, true},
		"beyond what is stated":         {16, []int64{15}, 0, false},
		"beyond an unknown length":      {-1, []int64{15}, 16, false},
		"a later stage wants more":      {-1, []int64{4, 8, 100}, 16, true},
		"a later stage wants less":      {-1, []int64{100, 4}, 16, true},
		"a later stage wants it stated": {16, []int64{4, 16}, 16, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := payload.New(nil, iotest.OneByteReader(strings.NewReader(text)), tt.stated)
			for _, most := range tt.reads {
				if err := b.Read(most); err != nil {
					t.Fatal(err)
				}
			}
			if len(b.Raw()) != tt.read || b.Whole() != tt.whole {
				t.Errorf("%d bytes are read, whole %t; want %d, %t", len(b.Raw()), b.Whole(), tt.read, tt.whole)
			}
			if got, err := io.ReadAll(b.Forward()); err != nil || string(got) != text {
				t.Errorf("forwarded is %q, %v", got, err)
			}
		})
	}
}

func TestBodiesShareTheNodesMemoryAndGiveItBack(t *testing.T) {
	t.Parallel()
	memory := payload.NewMemory(10_000)
	first := payload.New(memory, strings.NewReader(strings.Repeat("a", 9_000)), 9_000)
	if err := first.Read(9_000); err == nil { // 9,001 bytes beside the 8,192 that they take the place of
		t.Fatal("a body was read beyond the node's memory")
	}
	first.Release()
	if used := memory.Used(); used != 0 {
		t.Fatalf("%d bytes are still taken", used)
	}
	small := payload.New(memory, strings.NewReader("small"), 5)
	if err := small.Read(100); err != nil || !small.Within(5) {
		t.Fatalf("a small body isn't read: %v", err)
	}
	second := payload.New(memory, strings.NewReader(strings.Repeat("b", 20_000)), -1)
	if err := second.Read(20_000); !errors.Is(err, payload.ErrNoMemory) {
		t.Errorf("reading beyond the node's memory says %v", err)
	}
	if memory.Refused() == 0 {
		t.Error("the refusal isn't counted")
	}
	second.Release()
	small.Release()
	if used := memory.Used(); used != 0 {
		t.Errorf("%d bytes are still taken", used)
	}
}

func TestAnErrorOfTheClientStays(t *testing.T) {
	t.Parallel()
	broken := errors.New("cut")
	b := payload.New(nil, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), 10)
	for range 2 {
		if err := b.Read(10); !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
	}
	if got, err := io.ReadAll(b.Forward()); string(got) != "half" || !errors.Is(err, broken) {
		t.Errorf("forwarded is %q, %v", got, err)
	}
}
