package configsync

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/sallyport/sallyport/proto/historytest"
)

// deed is one step of a fleet's history. It means something whatever came before it, or does nothing.
type deed struct {
	kind kind
	node int
	pick uint64 // of what there is then
}

type kind int

const (
	doWrite kind = iota
	doWriteNeeding
	doWriteBad
	doRollBack
	doAddKey
	doRevoke
	doSuspend
	doRestore
	doRestart
	doCrash
	doCrashAtAck
	doCut
	doHeal
	doHiccup
	doAttack
	doSpoil
	doPutBack
	doCatchUp
)

// kinds tell each kind of deed to people, and how often it is drawn.
var kinds = []struct {
	often int
	words string
}{
	doWrite:        {6, "a revision is written"},
	doWriteNeeding: {3, "a revision is written that needs the directory"},
	doWriteBad:     {1, "a revision is written that doesn't compile"},
	doRollBack:     {2, "the configuration is rolled back"},
	doAddKey:       {5, "a key is made"},
	doRevoke:       {4, "a key is revoked"},
	doSuspend:      {2, "a consumer is suspended, or isn't any more"},
	doRestore:      {1, "the database is restored to an earlier point"},
	doRestart:      {2, "node %d is restarted"},
	doCrash:        {3, "node %d is killed"},
	doCrashAtAck:   {2, "node %d is killed as it acks"},
	doCut:          {2, "node %d is cut off"},
	doHeal:         {2, "node %d can be reached"},
	doHiccup:       {2, "node %d loses its connection"},
	doAttack:       {4, "node %d is lied to"},
	doSpoil:        {1, "node %d finds its files spoiled"},
	doPutBack:      {1, "node %d finds older files in place of its own"},
	doCatchUp:      {5, "node %d catches up"},
}

// String tells a deed.
func (d deed) String() string {
	words := kinds[d.kind].words
	if d.kind >= doRestart {
		words = fmt.Sprintf(words, d.node)
	}
	return fmt.Sprintf("%s (%d)", words, d.pick)
}

const (
	nodesOfFleet   = 3
	deedsOfOnePast = 40
)

func someDeeds(random *rand.Rand) []deed {
	var urn []kind
	for k := range kinds {
		for range kinds[k].often {
			urn = append(urn, kind(k))
		}
	}
	deeds := make([]deed, deedsOfOnePast)
	for i := range deeds {
		deeds[i] = deed{kind: urn[random.IntN(len(urn))], node: random.IntN(nodesOfFleet), pick: random.Uint64N(1 << 20)}
	}
	return deeds
}

func TestNoHistoryMakesANodeServeWhatItMustNot(t *testing.T) {
	historytest.Check(t, os.Getenv, historytest.Property[deed]{
		// 42: a configuration outlived the directory that it needs. 78: what came off the disk had no mark.
		Seeds: []uint64{42, 78}, Histories: 24, Long: 2000, Steps: someDeeds, Holds: fleetHolds,
	})
}

// fleetHolds plays a history on a fleet of its own, and returns the first thing that must not be.
func fleetHolds(t *testing.T, history []deed) error {
	t.Helper()
	f := &fleet{t: t, c: newChronicle(t)}
	for n := range nodesOfFleet {
		f.units = append(f.units, newUnit(t, f.c, n))
	}
	defer func() {
		for _, u := range f.units {
			u.close()
		}
	}()
	for _, d := range history {
		if f.do(d); f.c.fault() != nil {
			return f.c.fault()
		}
	}
	f.c.mend() // no revision is left that a node has refused, for whatever reason
	for _, u := range f.units {
		u.heal()
		u.life.catchUp()
	}
	return f.c.fault()
}

// fleet is some nodes and who they listen to.
type fleet struct {
	t     *testing.T
	c     *chronicle
	units []*unit
}

func (f *fleet) do(d deed) {
	u := f.units[d.node]
	switch d.kind {
	case doWrite:
		f.c.write(d.pick, "good")
	case doWriteNeeding:
		f.c.writeNeeding(f.t, d.pick)
	case doWriteBad:
		f.c.write(d.pick, "bad")
	case doRollBack:
		f.c.rollBack(d.pick)
	case doAddKey:
		f.c.addKey(f.t, d.pick)
	case doRevoke:
		f.c.revoke(d.pick)
	case doSuspend:
		f.c.suspend(f.t, d.pick)
	case doRestore:
		f.c.restore(d.pick)
	case doRestart:
		u.stop()
		u.remember()
		u.begin()
	case doCrash:
		u.crash()
		u.begin()
	case doCrashAtAck:
		u.crashAtAck(func() { f.loseKey(d.pick) })
	case doCut:
		u.line.set(true)
	case doHeal:
		u.heal()
	case doHiccup:
		u.line.set(u.line.isCut())
	case doAttack:
		u.attack(bothLanes[d.pick%2], attack{kind: attackKind(d.pick / 2 % attackKinds), pick: d.pick})
		f.c.wake()
	case doSpoil:
		u.stop()
		u.spoil(d.pick)
		for _, lane := range bothLanes { // who has nothing left is shown the past
			u.attack(lane, attack{kind: sayAgain, pick: d.pick})
		}
		u.begin()
	case doPutBack:
		u.stop()
		u.putBack()
		u.begin()
	case doCatchUp:
		f.c.mend()
		if !u.line.isCut() {
			u.life.catchUp()
		}
	}
}

// loseKey revokes a key, one made for it if there is none.
func (f *fleet) loseKey(pick uint64) {
	if !f.c.revoke(pick) {
		f.c.addKey(f.t, pick)
	}
}

func (u *unit) heal() {
	if u.line.isCut() {
		u.line.set(false)
	}
}
