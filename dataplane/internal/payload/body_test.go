package payload_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

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

func TestALimitHoldsForWhatWasReadAlready(t *testing.T) {
	t.Parallel()
	refusal := errors.New("too long")
	limited := func(r io.Reader, left int64) io.Reader {
		return io.MultiReader(io.LimitReader(r, left), iotest.ErrReader(refusal))
	}
	for _, read := range []int64{0, 2, 4, 6, 100} {
		b := payload.New(nil, iotest.OneByteReader(strings.NewReader("0123456789")), -1)
		if err := b.Read(read); err != nil {
			t.Fatal(err)
		}
		b.Limit(4, limited, refusal)
		if got, err := io.ReadAll(b.Forward()); string(got) != "0123" || !errors.Is(err, refusal) {
			t.Errorf("with %d bytes read before, %q is forwarded, %v", read, got, err)
		}
		if err := b.Read(100); !errors.Is(err, refusal) || b.Whole() {
			t.Errorf("with %d bytes read before, the rest can be read: %v", read, err)
		}
	}
}

func TestWantOfMemoryKeepsNoBodyFromTheService(t *testing.T) {
	t.Parallel()
	b := payload.New(payload.NewMemory(5000), strings.NewReader(strings.Repeat("a", 9000)), -1)
	if err := b.Read(9000); !errors.Is(err, payload.ErrNoMemory) {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b.Forward()); err != nil || len(got) != 9000 {
		t.Errorf("%d bytes are forwarded, %v", len(got), err)
	}
}

// drip is a client that sends a byte a second, until it is stopped.
type drip struct{ stopped chan struct{} }

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = 'x'
		return 1, nil
	case <-d.stopped:
		return 0, errors.New("stopped")
	}
}

func (d *drip) StopReading() { close(d.stopped) }

// silent is a client that sends one byte, and then nothing.
type silent struct {
	drip
	sent bool
}

func (s *silent) Read(p []byte) (int, error) {
	if !s.sent {
		s.sent = true
		return s.drip.Read(p)
	}
	<-s.stopped
	return 0, errors.New("stopped")
}

func TestABodyThatIsHeldMustComeInTime(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]func() io.Reader{
		"slow":   func() io.Reader { return &drip{make(chan struct{})} },
		"silent": func() io.Reader { return &silent{drip: drip{make(chan struct{})}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				b := payload.New(nil, source(), -1)
				if err := b.ReadInTime(1000, true); !errors.Is(err, payload.ErrSlow) {
					t.Fatalf("%v", err)
				}
				if took := time.Since(begun); took > 20*time.Second {
					t.Errorf("it was waited for %s", took)
				}
				if _, err := io.ReadAll(b.Forward()); !errors.Is(err, payload.ErrSlow) {
					t.Errorf("the rest is forwarded: %v", err)
				}
			})
		})
	}
}

func TestWhileMemoryIsScarceSlowBodiesGoFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := payload.NewMemory(1 << 20)
		memory.Take(600 << 10)
		begun := time.Now()
		b := payload.New(memory, &drip{make(chan struct{})}, -1)
		if err := b.ReadInTime(1000, true); !errors.Is(err, payload.ErrSlow) {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it was waited for %s", took)
		}
	})
}

func TestInShadowASlowBodyIsGivenUpAndGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := payload.New(nil, io.MultiReader(&io.LimitedReader{R: &drip{make(chan struct{})}, N: 30}), -1)
		if err := b.ReadInTime(1000, false); !errors.Is(err, payload.ErrSlow) {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(b.Forward()); err != nil || len(got) != 30 {
			t.Errorf("%d bytes are forwarded, %v", len(got), err)
		}
	})
}

func TestASteadyBodyIsNotSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		steady := readerFunc(func(p []byte) (int, error) {
			time.Sleep(time.Second)
			return copy(p, make([]byte, 20<<10)), nil
		})
		b := payload.New(nil, io.LimitReader(steady, 2<<20), -1)
		if err := b.ReadInTime(2<<20, true); err != nil || !b.Whole() {
			t.Errorf("20 KiB a second are too slow: %v", err)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
