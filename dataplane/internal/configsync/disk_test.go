package configsync

import (
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// keepingIn lets a node keep its state in a folder. The store is left as a killed process leaves it.
func keepingIn(t testing.TB, dir string) func(*Config) {
	t.Helper()
	store, err := state.Open(state.Config{Dir: dir, Environment: environment, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.State = store }
}

// taught is a node killed after it took revision 4 (3 by a snapshot) and sequence 2, the second one a revocation.
func taught(t *testing.T, dir string) (p *plane, configuration, entries *laneState) {
	t.Helper()
	p, n, configuration, c := begin(t, keepingIn(t, dir))
	configuration.number = 4
	c.say(p.delta(configuration, 3, configuration.set("routes", "rt_4", "four")))
	c.acked(4)
	d := p.next(laneDirectory)
	entries = newState(laneDirectory)
	entries.number = 1
	d.say(p.entryDelta(entries, 0, entries.setEntry(keyEntry(t, 1)), entries.setEntry(keyEntry(t, 2))))
	d.acked(1)
	entries.number = 2
	d.say(p.entryDelta(entries, 1, entries.setEntry(gone(keyEntry(t, 1)))))
	d.acked(2)
	n.stop()
	return p, configuration, entries
}

func TestARestartedNodeHoldsWhatItHadBeforeAnybodyIsAsked(t *testing.T) {
	dir := t.TempDir()
	p, configuration, entries := taught(t, dir)
	n := start(t, p, keepingIn(t, dir))
	wantInForce(t, n, configuration)
	wantInForce(t, n, entries)
	if _, alive := n.directory.Key(keyDigest(1)); alive {
		t.Error("a revoked key is alive")
	}
	if _, alive := n.directory.Key(keyDigest(2)); !alive {
		t.Error("a key is lost")
	}
	c, d := p.next(laneConfiguration), p.next(laneDirectory)
	if c.hello.GetNumber() != 4 || d.hello.GetNumber() != 2 || c.hello.GetEpoch() != 1 {
		t.Fatalf("hello %v and %v", c.hello, d.hello)
	}
	configuration.number, entries.number = 5, 3
	c.say(p.delta(configuration, 4, configuration.set("routes", "rt_5", "five")))
	c.acked(5)
	d.say(p.entryDelta(entries, 2, entries.setEntry(gone(keyEntry(t, 2)))))
	d.acked(3)
	<-n.Ready()
	n.stop()
	n = start(t, p, keepingIn(t, dir))
	wantInForce(t, n, configuration)
	wantInForce(t, n, entries)
}

func TestANodeOffItsDiskIsReadyWithNobodyToAsk(t *testing.T) {
	dir := t.TempDir()
	p, _, _ := taught(t, dir)
	n := start(t, p, keepingIn(t, dir), func(c *Config) { c.Grace = 1 })
	<-n.Ready()
}

func TestANodeWithNewsOnTheWayIsReadyOnceItHasThem(t *testing.T) {
	dir := t.TempDir()
	p, configuration, entries := taught(t, dir)
	n := start(t, p, keepingIn(t, dir), func(c *Config) { c.Grace = patience })
	p.next(laneConfiguration).say(p.beat(configuration))
	d := p.next(laneDirectory)
	entries.number = 3
	select {
	case <-n.Ready():
		t.Error("ready before it was told of a revocation")
	default:
	}
	d.say(p.entryDelta(entries, 2, entries.setEntry(gone(keyEntry(t, 2)))))
	d.acked(3)
	<-n.Ready()
}

// spoil changes a byte in every kept file whose name matches.
func spoil(t *testing.T, dir, pattern string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		body[len(body)/2] ^= 4
		if err := os.WriteFile(name, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedStateIsRefusedAndComesAnewButNotOlder(t *testing.T) {
	dir := t.TempDir()
	p, _, entries := taught(t, dir)
	spoil(t, dir, "directory.*.log")
	n := start(t, p, keepingIn(t, dir))
	if counts := n.directory.Counts(); counts != (directory.Counts{}) {
		t.Fatalf("it begins with %+v", counts)
	}
	d := p.next(laneDirectory)
	if d.hello.GetEpoch() != 0 || d.hello.GetNumber() != 0 {
		t.Fatalf("hello %v", d.hello)
	}
	entries.number = 1 // what the node held once was 2
	d.sendSnapshot(p.sign(entries.head(p)), compress(t, entries.snapshot(t)), 100)
	d.nacked(1, codeLowerPosition)
	d.ended()
	entries.number = 2
	d = p.next(laneDirectory)
	d.sendSnapshot(p.sign(entries.head(p)), compress(t, entries.snapshot(t)), 100)
	d.acked(2)
	wantInForce(t, n, entries)
	n.stop()
	n = start(t, p, keepingIn(t, dir))
	wantInForce(t, n, entries)
}

func TestStateSignedBySomebodyElseIsRefused(t *testing.T) {
	dir := t.TempDir()
	p, _, _ := taught(t, dir)
	other := newPlane(t)
	p.public = other.public
	n := start(t, p, keepingIn(t, dir))
	if at := n.Position(); at.Revision != 0 || at.Sequence != 0 {
		t.Errorf("at %v", at)
	}
	if _, alive := n.directory.Key(keyDigest(2)); alive || n.compiler.inForce != nil {
		t.Error("something of it is in force")
	}
}

func TestAConfigurationWhoseDirectoryIsGoneIsNotTaken(t *testing.T) {
	dir := t.TempDir()
	p, configuration, _ := taught(t, dir)
	n := start(t, p, keepingIn(t, dir))
	configuration.number, configuration.needs = 5, 2
	c := p.next(laneConfiguration)
	c.say(p.delta(configuration, 4))
	c.acked(5)
	n.stop()
	spoil(t, dir, "directory.*.log")
	if n = start(t, p, keepingIn(t, dir)); n.Position().Revision != 0 || n.compiler.inForce != nil {
		t.Errorf("at %v", n.Position())
	}
}

func TestWhatTheDiskDoesNotTakeIsNotAcked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	p := newPlane(t)
	keep := keepingIn(t, dir)
	if err := os.Rename(dir, dir+"-away"); err != nil { // no file can be made any more
		t.Fatal(err)
	}
	n := start(t, p, keep)
	entries, configuration := newState(laneDirectory), newState(laneConfiguration)
	d, c := p.next(laneDirectory), p.next(laneConfiguration)
	entries.number, configuration.number = 1, 1
	d.say(p.entryDelta(entries, 0, entries.setEntry(keyEntry(t, 1))))
	d.nacked(1, codeNotDurable)
	d.ended()
	wantInForce(t, n, entries) // in memory, at once
	c.say(p.delta(configuration, 0, configuration.set("routes", "rt_1", "one")))
	c.nacked(1, codeNotDurable)
	c.ended()
	if n.compiler.inForce != nil {
		t.Error("a configuration is in force that would be lost")
	}

	d = p.next(laneDirectory)
	if d.hello.GetNumber() != 0 {
		t.Fatalf("it says that it holds %v", d.hello)
	}
	entries.number = 2 // a revocation comes in the meantime
	d.say(p.entryDelta(entries, 0, entries.setEntry(gone(keyEntry(t, 1))), entries.setEntry(keyEntry(t, 2))))
	d.nacked(2, codeNotDurable)
	d.ended()
	wantInForce(t, n, entries)

	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	d = p.next(laneDirectory)
	d.say(p.entryDelta(entries, 0, entries.setEntry(keyEntry(t, 2))))
	d.acked(2)
	c = p.next(laneConfiguration)
	c.say(p.delta(configuration, 0, configuration.set("routes", "rt_1", "one")))
	c.acked(1)
	n.stop()
	n = start(t, p, keepingIn(t, dir))
	wantInForce(t, n, entries)
	wantInForce(t, n, configuration)
}

// While the next process of the node takes over nothing is written: a revocation is in force here all the same, and acked by whoever writes then.
func TestWhatIsHeardDuringAHandOverIsInForceAndAckedByWhoeverWritesThen(t *testing.T) {
	p := newPlane(t)
	var store *state.Store
	keep := keepingIn(t, filepath.Join(t.TempDir(), "state"))
	n := start(t, p, func(c *Config) {
		keep(c)
		store = c.State
	})
	entries, configuration := newState(laneDirectory), newState(laneConfiguration)
	d, c := p.next(laneDirectory), p.next(laneConfiguration)
	entries.number, configuration.number = 1, 1
	d.say(p.entryDelta(entries, 0, entries.setEntry(keyEntry(t, 1))))
	d.acked(1)
	if err := store.Freeze(); err != nil {
		t.Fatal(err)
	}
	entries.number = 2
	d.say(p.entryDelta(entries, 1, entries.setEntry(gone(keyEntry(t, 1)))))
	d.nacked(2, codeNotDurable)
	d.ended()
	wantInForce(t, n, entries)
	if epoch, number := n.Heard(); epoch == 0 || number != 2 {
		t.Errorf("it has heard %d of epoch %d, want what is in force", number, epoch)
	}
	c.say(p.delta(configuration, 0, configuration.set("routes", "rt_1", "one")))
	c.nacked(1, codeNotDurable)
	c.ended()
	if n.compiler.inForce != nil {
		t.Error("a configuration is in force that would be lost")
	}
	store.Thaw()
	d = p.next(laneDirectory)
	if d.hello.GetNumber() != 1 {
		t.Errorf("it says that it holds %d for good, want 1", d.hello.GetNumber())
	}
	d.say(p.entryDelta(entries, 1, entries.setEntry(gone(keyEntry(t, 1)))))
	d.acked(2)
	c = p.next(laneConfiguration)
	c.say(p.delta(configuration, 0, configuration.set("routes", "rt_1", "one")))
	c.acked(1)
}

func TestAConfigurationWaitsUntilTheDirectoryThatItNeedsLasts(t *testing.T) {
	dir := t.TempDir()
	p, n, configuration, c := begin(t, keepingIn(t, dir))
	d := p.next(laneDirectory)
	files, err := filepath.Glob(filepath.Join(dir, "directory.*"))
	if err != nil || len(files) != 0 {
		t.Fatalf("%v, %v", files, err)
	}
	// Where the directory's log would come there is something in its way.
	if err := os.Mkdir(filepath.Join(dir, "directory.0.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	entries := newState(laneDirectory)
	entries.number, configuration.number, configuration.needs = 1, 4, 1
	d.say(p.entryDelta(entries, 0, entries.setEntry(keyEntry(t, 1))))
	d.nacked(1, codeNotDurable)
	wantInForce(t, n, entries)
	c.say(p.delta(configuration, 3, configuration.set("routes", "rt_4", "four")))
	d = p.next(laneDirectory)
	d.say(p.entryDelta(entries, 0, entries.setEntry(keyEntry(t, 1))))
	d.nacked(1, codeNotDurable)
	select {
	case m := <-c.answers:
		t.Fatalf("%v, although a crash would take what it needs", m)
	default:
	}
	if err := os.Remove(filepath.Join(dir, "directory.0.log")); err != nil {
		t.Fatal(err)
	}
	d = p.next(laneDirectory)
	d.say(p.entryDelta(entries, 0, entries.setEntry(keyEntry(t, 1))))
	d.acked(1)
	c.acked(4)
}

func TestARevisionThatKillsTheNodeTwiceIsLeftForTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	p, configuration, entries := taught(t, dir)
	n := start(t, p, keepingIn(t, dir))
	wantInForce(t, n, configuration) // one crash is forgiven
	n.stop()

	n = start(t, p, keepingIn(t, dir))
	wantInForce(t, n, entries)
	if at := n.Position(); at.Revision != 3 {
		t.Fatalf("at %v, want the revision before 4", at)
	}
	c := p.next(laneConfiguration)
	if c.hello.GetNumber() != 3 {
		t.Fatalf("hello %v", c.hello)
	}
	c.say(p.delta(configuration, 3, configuration.set("routes", "rt_4", "four")))
	c.nacked(4, codeCrashed)
	c.sendSnapshot(p.sign(configuration.head(p)), compress(t, configuration.snapshot(t)), 100)
	c.nacked(4, codeCrashed)
	configuration.number = 5
	c.say(p.delta(configuration, 3, configuration.set("routes", "rt_4", "mended")))
	c.acked(5)
	wantInForce(t, n, configuration)
	n.stop()
	wantInForce(t, start(t, p, keepingIn(t, dir)), configuration)
}

func TestARevokedAndAckedKeyIsDeadAfterEveryRestart(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := mathrand.New(mathrand.NewPCG(seed, 3))
			dir := t.TempDir()
			p, entries := newPlane(t), newState(laneDirectory)
			n := start(t, p, keepingIn(t, dir))
			d := p.next(laneDirectory)
			revoked := map[int]bool{}
			for i := range 60 {
				entries.number++
				changes := []*edgev1.EntryChange{entries.setEntry(keyEntry(t, i))}
				if k := r.IntN(i + 1); r.IntN(2) == 0 {
					changes = append(changes, entries.setEntry(gone(keyEntry(t, k))))
					revoked[k] = true
				}
				if r.IntN(8) == 0 {
					d.sendSnapshot(p.sign(entries.head(p)), compress(t, entries.snapshot(t)), 50)
				} else {
					d.say(p.entryDelta(entries, entries.number-1, changes...))
				}
				d.acked(entries.number)
				if r.IntN(6) > 0 {
					continue
				}
				n.stop()
				n = start(t, p, keepingIn(t, dir))
				wantInForce(t, n, entries)
				for k := range revoked {
					if _, alive := n.directory.Key(keyDigest(k)); alive {
						t.Fatalf("key %d is alive", k)
					}
				}
				d = p.next(laneDirectory)
			}
		})
	}
}
