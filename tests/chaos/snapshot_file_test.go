package chaos

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// export returns a snapshot file of the story's environment, and its key.
func export(t *testing.T, s *harness.Story) (file, key string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "environment.snapshot")
	key, err := s.Environment.Export(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	return file, key
}

// startFrom starts an edge from a file, for as long as the test lasts.
func startFrom(t *testing.T, s *harness.Story, token, file, key string) *harness.Edge {
	t.Helper()
	edge, err := s.Environment.StartFromFile(t.Context(), token, file, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = edge.Kill() })
	return edge
}

func TestANewNodeServesOffAFileWhileControlPlaneAndDatabaseAreDeadAndJoinsThemLater(t *testing.T) {
	s := product.OwnStory(t, 0, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	revoked := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	s.Revoke(s.Key(sallyport.APIKey{Consumer: p.Consumer.Name}))
	file, key := export(t, s)
	later := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name}) // the file knows nothing of it
	s.Revoke(revoked)                                           // nor of that
	token, err := s.Environment.JoinToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kill(t)
	if err := product.KillDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}

	edge := startFrom(t, s, token, file, key)
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	s.Expect(edge, "/", nil, http.StatusUnauthorized, "credential_missing")
	s.Expect(edge, "/", harness.WithKey(later.Key), http.StatusUnauthorized, "credential_invalid")
	s.Expect(edge, "/", harness.WithKey(revoked.Key), http.StatusOK, "")
	if status, err := edge.Status(t.Context()); err != nil || status.Node != "" || status.Connected {
		t.Errorf("its status: %+v, %v", status, err)
	}

	if err := product.ReviveDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := product.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Environment.Edges = append(s.Environment.Edges, edge)
	caughtUp(t, s)
	s.Expect(edge, "/", harness.WithKey(later.Key), http.StatusOK, "")
	s.Expect(edge, "/", harness.WithKey(revoked.Key), http.StatusUnauthorized, "credential_invalid")
	// What it served before it had a name is billed.
	usageIs(t, s, harness.Usage{
		{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}: 3,
		{Route: p.Route.ID, StatusClass: 4, Verdict: "credential_missing"}:               1,
		{Route: p.Route.ID, StatusClass: 4, Verdict: "credential_invalid"}:               2,
	})

	// The old file never leads back what the node has heard since.
	for _, end := range []func() error{edge.Kill, func() error { return edge.Stop(t.Context()) }} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := edge.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Expect(edge, "/", harness.WithKey(revoked.Key), http.StatusUnauthorized, "credential_invalid")
	}
	s.Revoke(p.Key)
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
}

func TestAnEdgeServesAloneOffAFileAndWhatItServedIsBilledOnceItJoins(t *testing.T) {
	s := product.OwnStory(t, 0, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	file, key := export(t, s)
	edge := startFrom(t, s, "", file, key)
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	s.Expect(edge, "/", nil, http.StatusUnauthorized, "credential_missing")
	harness.Eventually(t, time.Minute, func() error {
		metrics, err := edge.Metrics(t.Context())
		if err == nil && (metrics.Sum("sallyport_edge_enrolled") != 0 || metrics.Sum("sallyport_edge_usage_waiting_counters") < 2) {
			err = fmt.Errorf("usage that goes nowhere isn't seen")
		}
		return err
	})
	// A newer file takes it further, an older one doesn't lead it back.
	s.Revoke(p.Key)
	newer, newerKey := export(t, s)
	stop := func() error { return edge.Stop(t.Context()) }
	for _, next := range []struct {
		end       func() error
		file, key string
	}{{edge.Kill, newer, newerKey}, {stop, file, key}} {
		if err := next.end(); err != nil {
			t.Fatal(err)
		}
		edge.UseFile(next.file, next.key)
		if err := edge.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
	}
	// Neither a crash nor an end in good order loses what it counted without a name.
	token, err := s.Environment.JoinToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := edge.Kill(); err != nil {
		t.Fatal(err)
	}
	edge.UseToken(token)
	if err := edge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	usageIs(t, s, harness.Usage{
		{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}: 1,
		{Route: p.Route.ID, StatusClass: 4, Verdict: "credential_missing"}:               1,
		{Route: p.Route.ID, StatusClass: 4, Verdict: "credential_invalid"}:               2,
	})
}

func TestAFileThatIsNotTheOneIsRefusedInWords(t *testing.T) {
	s := product.OwnStory(t, 1, harness.Loopback)
	file, key := export(t, s)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, body []byte) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tampered := append([]byte(nil), whole...)
	tampered[len(tampered)-20] ^= 1
	foreign, foreignKey := export(t, product.OwnStory(t, 0))
	member := s.Edges()[0]
	if err := member.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, key, dir, want string }{
		"tampered with":          {write("tampered", tampered), key, t.TempDir(), "was changed"},
		"cut short":              {write("torn", whole[:len(whole)-1]), key, t.TempDir(), "cut short"},
		"no snapshot file":       {write("other", []byte("{}")), key, t.TempDir(), "not a snapshot file"},
		"another key":            {file, foreignKey, t.TempDir(), "another key"},
		"no key":                 {file, "", t.TempDir(), "SALLYPORT_SNAPSHOT_KEY"},
		"no file":                {file + ".none", key, t.TempDir(), "no such file"},
		"of another environment": {foreign, foreignKey, member.DataDir, "is of environment"},
	} {
		t.Run(name, func(t *testing.T) {
			problems, err := product.RunEdge(t.Context(), []string{"SALLYPORT_SNAPSHOT_KEY=" + tt.key}, "serve",
				"--snapshot", tt.file, "--data-dir", tt.dir, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
			if code := exitCode(err); code != 1 || !strings.Contains(problems, tt.want) {
				t.Errorf("it ended with code %d and told %q; want %q", code, problems, tt.want)
			}
			if strings.Contains(problems, key) || strings.Contains(problems, foreignKey) {
				t.Error("it prints the key")
			}
		})
	}
	if err := member.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func exitCode(err error) int {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}
