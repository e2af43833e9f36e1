package configsync

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/state"
	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// bothLanes are the lanes, the directory first: a configuration may need it.
var bothLanes = []edgev1.Lane{laneDirectory, laneConfiguration}

// moment is one state of one lane that the control plane stands for.
type moment struct {
	*laneState
	sum     []byte
	changed []Ref                  // since the moment before
	admits  map[apikey.Digest]bool // directory: the keys that are let in
}

func (m *moment) position() state.Position { return state.Position{Epoch: m.epoch, Number: m.number} }

// era is the history of one epoch.
type era struct {
	lanes   map[edgev1.Lane][]*moment        // from its first number on, without gaps
	revoked map[apikey.Digest]state.Position // in the directory, or, if that was before, at its first number
}

// chronicle plays the control plane, and remembers all that it ever stood for: it is what nodes are held against.
type chronicle struct {
	mu      sync.Mutex
	signing *plane
	eras    []*era // of epoch 1, 2, …
	keys    []apikey.Digest
	changed chan struct{}                     // closed at the next change
	said    map[edgev1.Lane][][]proto.Message // lies included
	broken  error                             // the first thing that must not be
}

func newChronicle(t testing.TB) *chronicle {
	t.Helper()
	c := &chronicle{signing: newPlane(t), changed: make(chan struct{}), said: map[edgev1.Lane][][]proto.Message{}}
	first := &era{lanes: map[edgev1.Lane][]*moment{}, revoked: map[apikey.Digest]state.Position{}}
	c.eras = []*era{first}
	for _, lane := range bothLanes {
		first.lanes[lane] = []*moment{c.momentOf(newState(lane), nil)}
	}
	return c
}

func (c *chronicle) momentOf(s *laneState, changed []Ref) *moment {
	m := &moment{laneState: s, sum: s.digest(), changed: changed, admits: map[apikey.Digest]bool{}}
	if s.lane != laneDirectory {
		return m
	}
	well := map[id.ID]bool{}
	keys := map[apikey.Digest]id.ID{}
	for ref, stored := range s.content {
		var entry directoryv1.Entry
		if err := proto.Unmarshal(stored, &entry); err != nil {
			panic(err) // we made it
		}
		if k := entry.GetApiKey(); k != nil {
			keys[apikey.Digest([]byte(ref.ID))] = id.ID(k.GetConsumer())
		} else if consumer := entry.GetConsumer(); !consumer.GetSuspended() {
			well[id.ID(consumer.GetId())] = true
		}
	}
	for key, consumer := range keys {
		m.admits[key] = well[consumer]
	}
	return m
}

// broke notes what must not be. The first is the one that counts.
func (c *chronicle) broke(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		c.broken = fmt.Errorf(format, args...)
	}
}

func (c *chronicle) fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// wake lets every stream look again.
func (c *chronicle) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeLocked()
}

func (c *chronicle) wakeLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *chronicle) changes() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *chronicle) now() *era { return c.eras[len(c.eras)-1] }

func (c *chronicle) headLocked(lane edgev1.Lane) *moment {
	all := c.now().lanes[lane]
	return all[len(all)-1]
}

func (c *chronicle) head(lane edgev1.Lane) *moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.headLocked(lane)
}

// at returns what a lane was at a position; nil: it never was there.
func (c *chronicle) at(lane edgev1.Lane, at state.Position) *moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.atLocked(lane, at)
}

func (c *chronicle) atLocked(lane edgev1.Lane, at state.Position) *moment {
	if at.Epoch == 0 || at.Epoch > uint64(len(c.eras)) {
		return nil
	}
	all := c.eras[at.Epoch-1].lanes[lane]
	if first := all[0].number; at.Number < first || at.Number-first >= uint64(len(all)) {
		return nil
	}
	return all[at.Number-all[0].number]
}

// since returns what a lane was at a position and at each one after it.
func (c *chronicle) since(lane edgev1.Lane, at state.Position) []*moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*moment
	for _, e := range c.eras {
		for _, m := range e.lanes[lane] {
			if !m.position().Before(at) {
				all = append(all, m)
			}
		}
	}
	return all
}

// revokedBy returns the keys that are dead at a position of the directory.
func (c *chronicle) revokedBy(at state.Position) []apikey.Digest {
	c.mu.Lock()
	defer c.mu.Unlock()
	var dead []apikey.Digest
	for key, since := range c.eras[at.Epoch-1].revoked {
		if !at.Before(since) {
			dead = append(dead, key)
		}
	}
	return dead
}

func (c *chronicle) allKeys() []apikey.Digest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.keys)
}

// commit makes the next state of a lane.
func (c *chronicle) commit(lane edgev1.Lane, change func(*laneState)) *moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.commitLocked(lane, change)
}

func (c *chronicle) commitLocked(lane edgev1.Lane, change func(*laneState)) *moment {
	last := c.headLocked(lane)
	next := *last.laneState
	next.content, next.number = maps.Clone(last.content), last.number+1
	change(&next)
	var changed []Ref
	for ref := range next.content {
		if !bytes.Equal(next.content[ref], last.content[ref]) {
			changed = append(changed, ref)
		}
	}
	for ref := range last.content {
		if _, there := next.content[ref]; !there {
			changed = append(changed, ref)
		}
	}
	m := c.momentOf(&next, changed)
	c.now().lanes[lane] = append(c.now().lanes[lane], m)
	c.wakeLocked()
	return m
}

// consumersOfTests is how many consumers there are at most.
const consumersOfTests = 3

func consumerChange(t testing.TB, n int, suspended bool) *edgev1.EntryChange {
	t.Helper()
	own := id.ID(bytes.Repeat([]byte{byte(n + 1)}, 16))
	key := digest.KeyOf("consumers", id.Text("con", own))
	consumer := &directoryv1.Consumer{Id: own[:], Name: fmt.Sprint("c", n), Suspended: suspended}
	return &edgev1.EntryChange{Key: key[:], Entry: marshal(t, &directoryv1.Entry{Body: &directoryv1.Entry_Consumer{Consumer: consumer}})}
}

// write changes some objects, and marks the revision so that no two have the same content.
func (c *chronicle) write(pick uint64, body string) {
	c.commit(laneConfiguration, func(s *laneState) {
		for i := range 1 + pick%4 {
			s.set("routes", fmt.Sprint("rt_", (pick+i*7)%9), fmt.Sprint(body, " ", pick, " ", i))
		}
		if pick%3 == 0 {
			s.set("routes", fmt.Sprint("rt_", pick%5), "")
		}
		s.mark()
	})
}

func (s *laneState) mark() { s.set("settings", "mark", fmt.Sprint(s.epoch, "/", s.number)) }

// writeNeeding makes a revision that holds only with what the directory got just before.
func (c *chronicle) writeNeeding(t testing.TB, pick uint64) {
	t.Helper()
	d := c.commit(laneDirectory, func(s *laneState) { s.setEntry(consumerChange(t, int(pick%consumersOfTests), false)) })
	c.commit(laneConfiguration, func(s *laneState) {
		s.needs = d.number
		s.set("policies", fmt.Sprint("pol_", pick%4), fmt.Sprint("needs ", d.number))
		s.mark()
	})
}

// mend takes out what doesn't compile, and makes a revision that no node has refused yet.
func (c *chronicle) mend() {
	c.commit(laneConfiguration, func(s *laneState) {
		for ref, object := range s.content {
			if strings.HasPrefix(string(object), "bad") {
				delete(s.content, ref)
			}
		}
		s.mark()
	})
}

// rollBack makes a revision with the content of an earlier one.
func (c *chronicle) rollBack(pick uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.now().lanes[laneConfiguration]
	old := all[pick%uint64(len(all))]
	c.commitLocked(laneConfiguration, func(s *laneState) { s.content = maps.Clone(old.content) })
}

func (c *chronicle) addKey(t testing.TB, pick uint64) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.keys)
	sum := keyDigest(n)
	consumer := bytes.Repeat([]byte{byte(pick%consumersOfTests + 1)}, 16)
	k := &directoryv1.ApiKey{Digest: sum[:], Id: sum[:16], Consumer: consumer}
	c.keys = append(c.keys, sum)
	c.commitLocked(laneDirectory, func(s *laneState) {
		s.setEntry(consumerChange(t, int(pick%consumersOfTests), false))
		s.setEntry(&edgev1.EntryChange{Key: sum[:], Entry: marshal(t, &directoryv1.Entry{Body: &directoryv1.Entry_ApiKey{ApiKey: k}})})
	})
}

// revoke kills a key that lives; without one it does nothing.
func (c *chronicle) revoke(pick uint64) (done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	head := c.headLocked(laneDirectory)
	var living []apikey.Digest
	for _, key := range c.keys {
		if _, lives := head.admits[key]; lives {
			living = append(living, key)
		}
	}
	if len(living) == 0 {
		return false
	}
	key := living[pick%uint64(len(living))]
	m := c.commitLocked(laneDirectory, func(s *laneState) { s.setEntry(&edgev1.EntryChange{Key: key[:]}) })
	c.now().revoked[key] = m.position()
	return true
}

func (c *chronicle) suspend(t testing.TB, pick uint64) {
	t.Helper()
	c.commit(laneDirectory, func(s *laneState) {
		s.setEntry(consumerChange(t, int(pick%consumersOfTests), pick&8 == 0))
	})
}

// restore puts the database back to an earlier point. Its nodes show that: a new epoch begins with what was revoked since taken back.
func (c *chronicle) restore(pick uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.now()
	next := &era{lanes: map[edgev1.Lane][]*moment{}, revoked: map[apikey.Digest]state.Position{}}
	entries := before.lanes[laneDirectory][pick%uint64(len(before.lanes[laneDirectory]))]
	objects := before.lanes[laneConfiguration]
	at := pick / 7 % uint64(len(objects))
	for objects[at].needs > entries.number { // a dump holds no revision without the directory that it needs
		at--
	}
	for _, m := range []*moment{entries, objects[at]} {
		first := *m.laneState
		first.epoch, first.content = uint64(len(c.eras))+1, maps.Clone(m.content)
		if first.lane == laneDirectory {
			for key := range before.revoked {
				delete(first.content, Ref{ID: string(key[:])})
				next.revoked[key] = state.Position{Epoch: first.epoch, Number: first.number}
			}
		}
		next.lanes[first.lane] = []*moment{c.momentOf(&first, nil)}
	}
	c.eras = append(c.eras, next)
	c.wakeLocked()
}
