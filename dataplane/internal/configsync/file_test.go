package configsync

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// alone is a node with nobody to ask.
func alone(t *testing.T, p *plane, f *freshness.Freshness) *node {
	t.Helper()
	n := &node{compiler: new(compiler), directory: directory.New()}
	var err error
	n.Syncer, err = New(Config{
		Environment: environment, Directory: n.directory, Compiler: n.compiler, Freshness: f, Logger: slog.New(slog.DiscardHandler),
		SigningKeys: []*edgev1.SigningKey{{Id: keyID, PublicKey: p.public}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) take(t *testing.T, p *plane, s *laneState) (bool, error) {
	t.Helper()
	taken, _, err := n.Take(s.lane, p.sign(s.head(p)), bytes.NewReader(compress(t, s.snapshot(t))))
	return taken, err
}

// both returns the two lanes with something in them.
func both(t *testing.T) (entries, objects *laneState) {
	t.Helper()
	entries, objects = newState(laneDirectory), newState(laneConfiguration)
	entries.number, objects.number, objects.needs = 5, 3, 5
	entries.setEntry(keyEntry(t, 1))
	objects.set("routes", "rt_1", "one")
	return entries, objects
}

func TestANodeStartsFromAFileAndVouchesForNothing(t *testing.T) {
	p := newPlane(t)
	f := freshness.New(time.Now())
	n := alone(t, p, f)
	entries, objects := both(t)
	for _, s := range []*laneState{entries, objects} {
		if taken, err := n.take(t, p, s); err != nil || !taken {
			t.Fatalf("taken: %v, %v", taken, err)
		}
		wantInForce(t, n, s)
	}
	if age := f.Age(time.Now()); age != freshness.Never {
		t.Errorf("a file made the node %s fresh", age)
	}
	returned := 0
	n.returnMemory = func() { returned++ }
	for range 2 {
		n.Alone()
	}
	select {
	case <-n.Ready():
	default:
		t.Error("a node that holds both lanes and has nobody to ask isn't ready")
	}
	if returned != 1 {
		t.Errorf("memory went back %d times", returned)
	}
}

func TestAFileNeverLeadsBack(t *testing.T) {
	p := newPlane(t)
	n := alone(t, p, nil)
	entries, _ := both(t)
	if _, err := n.take(t, p, entries); err != nil {
		t.Fatal(err)
	}
	older := newState(laneDirectory)
	for _, number := range []uint64{5, 4} {
		older.number = number
		older.setEntry(keyEntry(t, 2))
		if taken, err := n.take(t, p, older); err != nil || taken {
			t.Errorf("a file of sequence %d was taken: %v, %v", number, taken, err)
		}
		wantInForce(t, n, entries)
	}
}

func TestAFileThatIsNotTheControlPlanesWordIsRefused(t *testing.T) {
	p, impostor := newPlane(t), newPlane(t)
	n := alone(t, p, nil)
	entries, objects := both(t)
	refused := func(what, want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := n.take(t, impostor, entries)
	refused("another's signature", codeBadSignature, err)
	_, _, err = n.Take(laneDirectory, p.sign(entries.head(p)), bytes.NewReader(compress(t, objects.snapshot(t))))
	refused("another state than the signed one", "the directory in the file", err)
	foreign := entries.head(p)
	foreign.Environment = "env_other"
	_, _, err = n.Take(laneDirectory, p.sign(foreign), bytes.NewReader(nil))
	refused("another environment", codeWrongEnvironment, err)
	_, err = n.take(t, p, objects)
	refused("a configuration whose directory is missing", "needs sequence 5", err)
	if sequence, _ := n.directory.Head(); sequence != 0 || n.Position().Revision != 0 {
		t.Errorf("something was taken all the same: %+v", n.Position())
	}
}

func TestANodeOffAFileTellsWhatItHoldsOnceItIsConnected(t *testing.T) {
	p := newPlane(t)
	entries, objects := both(t)
	n := start(t, p, func(c *Config) {
		connection := c.Connection
		c.Connection = nil
		known, err := signingKeys(c.SigningKeys)
		if err != nil {
			t.Fatal(err)
		}
		c.Compiler = preparing{prepare: func(s *Syncer) {
			for _, state := range []*laneState{entries, objects} {
				if taken, _, err := s.Take(state.lane, p.sign(state.head(p)), bytes.NewReader(compress(t, state.snapshot(t)))); err != nil || !taken {
					t.Errorf("taken: %v, %v", taken, err)
				}
			}
			s.Connect(connection, fixedTrust(known))
		}}
	})
	c := p.next(laneDirectory)
	if c.hello.GetNumber() != 5 || !bytes.Equal(c.hello.GetDigest(), entries.digest()) {
		t.Errorf("its hello is %v", c.hello)
	}
	entries.number = 6
	c.say(p.entryDelta(entries, 5, entries.setEntry(keyEntry(t, 2))))
	c.acked(6)
	wantInForce(t, n, entries)
}
