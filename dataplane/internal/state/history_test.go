package state

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// story is a random history of a lane, its control plane's side: what each number is.
type story struct {
	t      *testing.T
	r      *rand.Rand
	lane   int
	states []content // by number
	at     *memory
	store  *Store
	from   uint64 // what the node holds for good, as it was acked
	tried  uint64 // the highest number that ever went to the disk
	acked  uint64
}

// write makes what the control plane holds next: keys come and go, and never the same one twice.
func (s *story) write() {
	before := s.states[len(s.states)-1]
	after := maps.Clone(before)
	for key := range before {
		if s.r.IntN(4) == 0 {
			delete(after, key)
		}
	}
	after[fmt.Sprint("key ", len(s.states))] = "there"
	s.states = append(s.states, after)
}

func (s *story) head() uint64 { return uint64(len(s.states) - 1) }

// step does one thing.
func (s *story) step() {
	l := s.store.Lane(lanes[s.lane])
	switch n := s.r.IntN(20); {
	case n < 9:
		s.write()
		s.send(l)
	case n < 11:
		s.send(l)
	case n < 12:
		s.write()
		s.tried = s.head()
		if checkpoint(s.t, l, s.head(), s.states[s.head()]) == nil {
			s.from, s.acked = s.head(), s.head()
		}
	case n < 13:
		l.mu.Lock()
		l.mergeAt, l.logsSize = 0, max(l.logsSize, leastMerge, l.rootSize) // as if it had grown
		l.mu.Unlock()
	case n < 15:
		s.merge()
	case n < 18:
		s.crash()
	default:
		if s.store.Close() == nil {
			s.at = s.at.copied()
		}
		s.crash()
	}
}

// send sends the missing delta, if any.
func (s *story) send(l *Lane) {
	if s.from == s.head() {
		return
	}
	s.tried = s.head()
	if l.Append(delta(s.t, l.kind, s.from, s.head(), s.states[s.from], s.states[s.head()])) == nil {
		s.from, s.acked = s.head(), s.head()
	}
}

func (s *story) merge() {
	select {
	case l := <-s.store.merges:
		l.merge(s.t.Context())
	default:
	}
}

// crash starts the node anew from what the disk kept, on a disk that works.
func (s *story) crash() {
	s.at = s.at.crash(s.r)
	s.begin()
	failing := s.r.IntN(12)
	s.at.fail = func() error {
		if s.r.IntN(40) < failing {
			return errFull
		}
		return nil
	}
}

func (s *story) begin() {
	s.store = opened(s.t, s.at)
	lane := lanes[s.lane]
	// Crashes on a revision are another test's.
	f := s.store.marks.get()
	f.Crashes = 0
	s.store.marks.know(f)
	r, err := loaded(s.store, lane)
	if err != nil {
		s.t.Fatalf("refused: %v", err)
	}
	got := r.at.Number
	if got < s.acked || got > s.tried {
		s.t.Fatalf("loaded %d; acked was %d, written at the most %d", got, s.acked, s.tried)
	}
	if !maps.Equal(r.content, s.states[got]) && len(r.content)+len(s.states[got]) > 0 {
		s.t.Fatalf("%d is %v, want %v", got, r.content, s.states[got])
	}
	for key := range r.content {
		if _, alive := s.states[s.acked][key]; !alive && s.revokedBy(key, s.acked) {
			s.t.Fatalf("%s was revoked and acked, and is alive", key)
		}
	}
	s.from = got
}

// revokedBy tells whether a key was there before a number and isn't at it.
func (s *story) revokedBy(key string, number uint64) bool {
	for _, before := range s.states[:number] {
		if _, there := before[key]; there {
			return true
		}
	}
	return false
}

// Whatever is written, merged, refused by the disk and lost by crashes: what is loaded is a state that was, whole, and no older than
// the last one that was acked.
func TestNoCrashLosesWhatWasAcked(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := &story{t: t, r: rand.New(rand.NewPCG(seed, 1)), lane: int(seed % 2), states: []content{{}}, at: newMemory()}
			s.begin()
			for range 80 {
				s.step()
			}
		})
	}
}

// One goroutine writes, another one merges and a third one looks.
func TestALaneIsMergedWhileItIsWritten(t *testing.T) {
	at := newMemory()
	s := opened(t, at)
	l := s.Lane(directory)
	mustLoad(t, s, directory, 0)
	stop, merged := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(merged)
		for {
			select {
			case l := <-s.merges:
				l.merge(t.Context())
			case <-stop:
				return
			}
		}
	}()
	n := uint64(0)
	for ; n < 200 || l.Stats().Merges == 0 && n < 20_000; n++ { // the merger may not have had a turn yet
		history(t, l, n, n+1)
		l.mu.Lock()
		if n%10 == 0 {
			l.logsSize = max(l.logsSize, leastMerge, l.rootSize)
		}
		l.mu.Unlock()
		_ = l.Stats()
	}
	close(stop)
	<-merged
	if l.Stats().Merges == 0 {
		t.Error("nothing was merged")
	}
	if r := mustLoad(t, opened(t, at), directory, n); !maps.Equal(r.content, counted(n)) {
		t.Error("another state")
	}
}

// FuzzLog reads whatever lies where a log is: never more than was written, and never anything else.
func FuzzLog(f *testing.F) {
	at := written(f)
	whole := at.body("directory.1.log")
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(append(whole[:len(whole):len(whole)], make([]byte, 40)...))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, body []byte) {
		m := at.copied()
		m.put("directory.1.log", body)
		s := opened(t, m)
		f := s.marks.get()
		f.Directory = Position{}
		s.marks.know(f)
		r, err := loaded(s, directory)
		if err == nil && !maps.Equal(r.content, counted(r.at.Number)) {
			t.Fatalf("%d is %v", r.at.Number, r.content)
		}
	})
}
