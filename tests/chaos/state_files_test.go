package chaos

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// stateFiles is what a stopped edge keeps of its lanes, with the marks, by file name. The key is not among them.
func stateFiles(t *testing.T, edge *harness.Edge) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	all, err := os.ReadDir(stateDir(edge))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if name := file.Name(); name != "key" && !strings.HasPrefix(name, "refused-") {
			body, err := os.ReadFile(filepath.Join(stateDir(edge), name))
			if err != nil {
				t.Fatal(err)
			}
			files[name] = body
		}
	}
	return files
}

func stateDir(edge *harness.Edge) string { return filepath.Join(edge.DataDir, "state") }

// putBack makes files all that an edge keeps, but for the key and what but says.
func putBack(t *testing.T, edge *harness.Edge, files map[string][]byte, but ...string) {
	t.Helper()
	for name := range stateFiles(t, edge) {
		if !slices.Contains(but, name) {
			if err := os.Remove(filepath.Join(stateDir(edge), name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, body := range files {
		if !slices.Contains(but, name) {
			if err := os.WriteFile(filepath.Join(stateDir(edge), name), body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// marksSalt is a byte of the marks on which everything in them depends.
const marksSalt = 20

// tamper changes one byte in the middle of each file whose name begins and ends like this, and returns how many there are.
func tamper(t *testing.T, edge *harness.Edge, prefix, suffix string) int {
	t.Helper()
	changed := 0
	for name, body := range stateFiles(t, edge) {
		if strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) && len(body) > 0 {
			at := len(body) / 2
			if name == "marks" { // most of it is room
				at = marksSalt
			}
			body[at] ^= 1
			if err := os.WriteFile(filepath.Join(stateDir(edge), name), body, 0o600); err != nil {
				t.Fatal(err)
			}
			changed++
		}
	}
	return changed
}

// refusedLoudly fails the test unless an edge says that it refused what was on its disk, and has put that aside.
func refusedLoudly(t *testing.T, s *harness.Story, edge *harness.Edge) {
	t.Helper()
	if s.Metrics(edge).Sum(stateAlarms) == 0 {
		t.Error("no alarm tells of it")
	}
	if aside, err := filepath.Glob(filepath.Join(stateDir(edge), "refused-*")); err != nil || len(aside) == 0 {
		t.Errorf("nothing was put aside: %v", err)
	}
}

// kept returns a story with one edge, which has whole states and steps of both lanes on its disk, a key that is good, and one that
// was revoked at the end.
func kept(t *testing.T) (s *harness.Story, p harness.Protected, revoked sallyport.APIKey, earlier func() map[string][]byte) {
	t.Helper()
	s = product.OwnStory(t, 1, harness.Loopback)
	p = s.Protected(harness.NewUpstream(t, nil).Address)
	revoked = s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	return s, p, revoked, func() map[string][]byte {
		t.Helper()
		edge := s.Edges()[0]
		stop(t, edge)
		files := stateFiles(t, edge)
		start(t, edge)
		if err := s.Environment.AwaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		return files
	}
}

func stop(t *testing.T, edge *harness.Edge) {
	t.Helper()
	if err := edge.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func crash(t *testing.T, edge *harness.Edge) {
	t.Helper()
	if err := edge.Kill(); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, edge *harness.Edge) {
	t.Helper()
	if err := edge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// stateKinds are the kinds of files that an edge keeps, by how their names begin and end.
var stateKinds = [][2]string{
	{"configuration.", ".checkpoint"}, {"configuration.", ".log"}, {"directory.", ".checkpoint"}, {"directory.", ".log"}, {"marks", ""},
}

// notReady fails the test unless an edge answers whoever asks that it doesn't know yet.
func notReady(t *testing.T, s *harness.Story, edge *harness.Edge, keys ...sallyport.APIKey) {
	t.Helper()
	for _, key := range keys {
		s.Expect(edge, "/", harness.WithKey(key.Key), http.StatusServiceUnavailable, "not_ready")
	}
	s.Expect(edge, "/", nil, http.StatusServiceUnavailable, "not_ready")
}

// One byte of a file was changed while the edge was stopped: it says so, and fetches anew what it can't verify.
func TestAnEdgeRefusesAStateFileThatWasTamperedWithAndFetchesItAnew(t *testing.T) {
	s, p, revoked, earlier := kept(t)
	earlier() // so that it has checkpoints and logs of both lanes
	s.Revoke(revoked)
	edge := s.Edges()[0]
	changed := 0
	for _, kind := range stateKinds {
		t.Run(strings.Trim(kind[0]+kind[1], "."), func(t *testing.T) {
			spare := s.Environment.Story(t) // a step in both lanes, which makes a log of them
			spare.Route(sallyport.Route{Name: spare.Name("spare"), Service: p.Service.Name, Paths: harness.Exactly("/spare")})
			spare.Consumer("spare")
			stop(t, edge)
			files := tamper(t, edge, kind[0], kind[1])
			start(t, edge)
			if files > 0 {
				changed++
				refusedLoudly(t, s, edge)
			} else {
				t.Logf("there is none: %v", kind)
			}
			s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
			s.Expect(edge, "/", harness.WithKey(revoked.Key), http.StatusUnauthorized, "credential_invalid")
			caughtUp(t, s)
		})
	}
	if changed < 4 {
		t.Errorf("files of %d kinds were there to be changed", changed)
	}
	if spares := stateFiles(t, edge); len(spares) == 0 {
		t.Error("it keeps nothing on its disk any more")
	}
}

// The same with nobody to ask: the edge answers nobody, rather than serve what it can't verify.
func TestAnEdgeWhoseStateWasTamperedWithServesNothingWhileNobodyIsThereToAsk(t *testing.T) {
	s, p, revoked, earlier := kept(t)
	earlier()
	s.Revoke(revoked)
	edge := s.Edges()[0]
	stop(t, edge)
	good := stateFiles(t, edge)
	kill(t)
	for _, prefix := range []string{"configuration.", "marks", "", "directory."} {
		putBack(t, edge, good)
		if tamper(t, edge, prefix, "") == 0 {
			t.Fatalf("nothing of %q is there to be changed", prefix)
		}
		if err := edge.Launch(t.Context()); err != nil {
			t.Fatal(err)
		}
		refusedLoudly(t, s, edge)
		if ready, err := edge.Ready(t.Context()); ready || err != nil {
			t.Errorf("with a byte of %q changed it is ready: %v, %v", prefix, ready, err)
		}
		notReady(t, s, edge, p.Key, revoked)
		crash(t, edge) // an orderly end would wait for the bus
	}
	if err := product.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, edge)
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	s.Expect(edge, "/", harness.WithKey(revoked.Key), http.StatusUnauthorized, "credential_invalid")
	caughtUp(t, s)
}

// Somebody put back the files of before a revocation, but for the marks, which say that there was more. The node serves none of it.
func TestOlderStateFilesBesideTheMarksDoNotLeadAnEdgeBack(t *testing.T) {
	s, p, revoked, earlier := kept(t)
	older := earlier()
	spare(s, p)
	s.Revoke(revoked)
	edge := s.Edges()[0]
	held, err := edge.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop(t, edge)
	kill(t)
	putBack(t, edge, older, "marks")
	if err := edge.Launch(t.Context()); err != nil {
		t.Fatal(err)
	}
	refusedLoudly(t, s, edge)
	notReady(t, s, edge, p.Key, revoked)
	crash(t, edge)
	putBack(t, edge, older, "marks")
	if err := product.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, edge)
	refusedLoudly(t, s, edge)
	s.Expect(edge, "/", harness.WithKey(revoked.Key), http.StatusUnauthorized, "credential_invalid")
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	if now, err := edge.Status(t.Context()); err != nil || now.Sequence < held.Sequence || now.Revision < held.Revision {
		t.Errorf("it held %+v and holds %+v, %v", held, now, err)
	}
	caughtUp(t, s)
}

// Everything was put back, marks included: nothing on the disk tells. With a control plane to ask, the edge is ready only once it
// knows again what it had forgotten.
func TestAnEdgeWhoseWholeStateWasPutBackRefusesARevokedKeyOnceItIsReady(t *testing.T) {
	s, p, revoked, earlier := kept(t)
	older := earlier()
	s.Revoke(revoked)
	edge := s.Edges()[0]
	stop(t, edge)
	putBack(t, edge, older)
	start(t, edge)
	s.Expect(edge, "/", harness.WithKey(revoked.Key), http.StatusUnauthorized, "credential_invalid")
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	caughtUp(t, s)
	harness.Eventually(t, time.Minute, func() error {
		if alarms := s.Metrics(edge).Sum(laneAlarms); alarms != 0 {
			return fmt.Errorf("%v alarms: a disk that is behind is nothing to alarm about", alarms)
		}
		return nil
	})
}
