package pipeline

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
)

// dribble is an answer whose pieces come with pauses in front of them. It ends when it is aborted, as a connection does.
type dribble struct {
	pieces []string
	pauses []time.Duration
	cut    chan struct{}
	closed bool
}

func (d *dribble) Read(p []byte) (int, error) {
	if len(d.pieces) == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(d.pauses[0]):
	case <-d.cut:
		return 0, errors.New("cut")
	}
	n := copy(p, d.pieces[0])
	d.pieces, d.pauses = d.pieces[1:], d.pauses[1:]
	return n, nil
}

func (d *dribble) Close() error { d.closed = true; return nil }

// Cut implements Cutter.
func (d *dribble) Cut() { close(d.cut) }

func answering(d *dribble, length int64) *Exchange {
	ex := new(Pool).Get()
	ex.memory = payload.NewMemory(1 << 20)
	d.cut = make(chan struct{})
	_ = ex.Abort.Hold(d)
	ex.Response.Body, ex.Response.ContentLength = d, length
	return ex
}

func TestAnAnswerIsReadWholeAndSentAsItCame(t *testing.T) {
	for _, length := range []int64{10, -1} {
		synctest.Test(t, func(t *testing.T) {
			ex := answering(&dribble{pieces: []string{"hello", "world"}, pauses: []time.Duration{time.Second, linger - 1}}, length)
			body, err := ex.ReadAnswer(10)
			if err != nil || !body.Within(10) || string(body.Raw()) != "helloworld" {
				t.Fatalf("%q %v", body.Raw(), err)
			}
			if again, err := ex.ReadAnswer(5); err != nil || again != body || again.Within(5) {
				t.Errorf("who asks again gets another body, %v", err)
			}
			memory := ex.memory
			if got, err := io.ReadAll(ex.Response.Body); string(got) != "helloworld" || err != nil {
				t.Errorf("sent is %q, %v", got, err)
			}
			if ex.Reset(); memory.Used() != 0 {
				t.Errorf("%d bytes are still taken", memory.Used())
			}
		})
	}
}

func TestAnAnswerThatLingersGoesOnAsAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := answering(&dribble{pieces: []string{"a", "b", "c"}, pauses: []time.Duration{0, time.Hour, time.Hour}}, -1)
		begun := time.Now()
		body, err := ex.ReadAnswer(10)
		if err != nil || body.Whole() || string(body.Raw()) != "a" || time.Since(begun) != linger {
			t.Fatalf("%q, whole %t, after %s, %v", body.Raw(), body.Whole(), time.Since(begun), err)
		}
		if got, err := io.ReadAll(ex.Response.Body); string(got) != "abc" || err != nil {
			t.Errorf("sent is %q, %v", got, err)
		}
	})
}

func TestAnAnswerThatLingersCanBeClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dribble{pieces: []string{"a"}, pauses: []time.Duration{time.Hour}}
		ex := answering(d, -1)
		if _, err := ex.ReadAnswer(10); err != nil {
			t.Fatal(err)
		}
		if err := ex.Response.Body.Close(); err != nil || !d.closed {
			t.Errorf("%v", err)
		}
	})
}

func TestAnAnswerBeyondTheLimitIsSentWhole(t *testing.T) {
	text := strings.Repeat("0123456789", 10)
	for _, length := range []int64{100, -1} {
		ex := answering(&dribble{pieces: []string{text[:50], text[50:]}, pauses: make([]time.Duration, 2)}, length)
		body, err := ex.ReadAnswer(20)
		if err != nil || body.Within(20) {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(ex.Response.Body); string(got) != text || err != nil {
			t.Errorf("sent is %q, %v", got, err)
		}
	}
}

// keeper is a stage that keeps something.
type keeper struct{ Stage }

type counted struct{ closed int }

func (c *counted) Close() error { c.closed++; return nil }

func TestWhatAStageKeepsIsItsOwnAndClosedAtTheEnd(t *testing.T) {
	var pool Pool
	ex := pool.Get()
	one, other := &keeper{}, &keeper{}
	first, second := new(counted), new(counted)
	ex.Keep(one, first)
	ex.Keep(other, second)
	if ex.Kept(one) != first || ex.Kept(one) != nil {
		t.Error("a stage doesn't get what it has kept, once")
	}
	ex.Reset()
	if first.closed != 0 || second.closed != 1 || ex.Kept(other) != nil {
		t.Errorf("closed %d and %d times", first.closed, second.closed)
	}
}
