package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/deploy/local/postgres"
	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// page is what says how to back up and restore.
const page = "../../controlplane/BACKUP.md"

// backup makes one of a stack's database, and returns what brings it back while no control plane runs.
type backup func(t *testing.T, s *harness.Stack) (restore func())

// backups are the ways in which a database goes back.
func backups() map[string]backup {
	return map[string]backup{"by the page": byThePage, "its files put back": byFiles}
}

// byThePage does what the page says, word for word.
func byThePage(t *testing.T, s *harness.Stack) func() {
	t.Helper()
	dir := postgresTools(t)
	env := append(s.Environ(), "BACKUP="+filepath.Join(t.TempDir(), "sallyport.dump"), "ENVIRONMENT="+s.Shared().Name)
	for i, variable := range env {
		if path, ok := strings.CutPrefix(variable, "PATH="); ok {
			env[i] = "PATH=" + dir + string(os.PathListSeparator) + path
		}
	}
	followPage(t, env, "Back up")
	return func() {
		t.Helper()
		followPage(t, env, "Restore")
		t.Cleanup(func() {
			if lines := strings.TrimSpace(followPage(t, env, "Check")); !strings.HasPrefix(lines, s.Shared().Name+"|2|") || !strings.Contains(lines, "|t|") {
				t.Errorf("the page's check says %q", lines)
			}
			if said := followPage(t, env, "Open an epoch by hand"); !strings.Contains(said, "epoch 3 of "+s.Shared().Name) {
				t.Errorf("the page's command says %q", said)
			}
		})
	}
}

// byFiles is what a restored disk snapshot does, or a failover that lost the last commits.
func byFiles(t *testing.T, s *harness.Stack) func() {
	t.Helper()
	files, kept := s.DatabaseDir(), filepath.Join(t.TempDir(), "files")
	if files == "" {
		t.Skip("the database is somebody else's: its files can't be put back")
	}
	still := func(do ...string) {
		t.Helper()
		if err := s.KillDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, script := range do {
			shell(t, os.Environ(), script)
		}
		if err := s.ReviveDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.KillControl(); err != nil { // it would find its connections broken, one by one
		t.Fatal(err)
	}
	still(fmt.Sprintf("cp -a %q %q", files, kept))
	if err := errors.Join(s.ReviveControl(t.Context()), s.Shared().AwaitConnected(t.Context())); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		still(fmt.Sprintf("rm -rf %q", files), fmt.Sprintf("cp -a %q %q", kept, files))
	}
}

// postgresTools returns the folder of pg_dump and its like that fit the server.
func postgresTools(t *testing.T) string {
	t.Helper()
	found, err := postgres.Locator{}.Find(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"pg_dump", "pg_restore", "psql"} {
		if _, err := os.Stat(filepath.Join(found.Dir, program)); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s lacks %s: CI must follow the page (Debian: apt-get install postgresql)", found.Dir, program)
			}
			t.Skipf("the page can't be followed: %s, where the server comes from, lacks %s; install PostgreSQL (Debian: apt-get install postgresql)", found.Dir, program)
		}
	}
	return found.Dir
}

// followPage runs the commands under a heading of the page, and returns what they print.
func followPage(t *testing.T, env []string, heading string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", page, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var script []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		script = append(script, block[1])
	}
	if len(script) == 0 {
		t.Fatalf("%q of %s has no commands", heading, page)
	}
	return shell(t, append(os.Environ(), env...), strings.Join(script, "\n"))
}

func shell(t *testing.T, env []string, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euc", script)
	cmd.Env = env
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, problems.String())
	}
	return string(out)
}

// restorable starts a stack whose database may go back.
func restorable(t *testing.T) (*harness.Stack, *harness.Story) {
	t.Helper()
	s, err := harness.Start(t.Context(), harness.Config{Edges: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(s.LogFile())
			t.Logf("the programs printed last:\n%s", log[max(len(log)-20_000, 0):])
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		_ = os.Remove(s.LogFile())
	})
	story := s.Story(t)
	return s, story
}

// denied is a consumer that is suspended, a key that is revoked, and one that is blocked, after the backup.
type denied struct {
	protected harness.Protected
	revoked   sallyport.APIKey
	suspended sallyport.Consumer
	theirs    sallyport.APIKey
	blocked   sallyport.APIKey
	block     sallyport.Block
}

func deny(t *testing.T, s *harness.Story) (d *denied, after func()) {
	t.Helper()
	d = new(denied)
	d.protected = s.Protected(harness.NewUpstream(t, nil).Address)
	d.revoked = s.Key(sallyport.APIKey{Consumer: d.protected.Consumer.Name})
	d.suspended = s.Consumer("suspended")
	d.theirs = s.Key(sallyport.APIKey{Consumer: d.suspended.Name})
	d.blocked = s.Key(sallyport.APIKey{Consumer: d.protected.Consumer.Name})
	return d, func() {
		t.Helper()
		s.Revoke(d.revoked)
		suspended, err := s.API.PatchConsumerWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, d.suspended.ID,
			&sallyport.PatchConsumerParams{Wait: s.Wait()}, map[string]any{"suspended": true})
		s.Must(suspended, err)
		s.Applied(suspended.HTTPResponse)
		block, err := s.API.CreateBlockWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateBlockParams{Wait: s.Wait()}, sallyport.Block{Name: "lost", APIKey: d.blocked.ID})
		s.Must(block, err)
		s.Applied(block.HTTPResponse)
		d.block = *block.JSON201
		d.check(t, s)
	}
}

// check makes sure that what was denied is, at the edges.
func (d *denied) check(t *testing.T, s *harness.Story) {
	t.Helper()
	s.ExpectAll("/", harness.WithKey(d.revoked.Key), http.StatusUnauthorized, "credential_invalid")
	for _, edge := range s.Edges() {
		if answer := s.Send(edge, http.MethodGet, "/", harness.WithKey(d.theirs.Key)); answer.Status == http.StatusOK {
			t.Errorf("a suspended consumer is let in by %s: %s", edge.Name, answer)
		}
	}
	s.ExpectAll("/", harness.WithKey(d.blocked.Key), http.StatusForbidden, "blocked")
	s.ExpectAll("/", harness.WithKey(d.protected.Key.Key), http.StatusOK, "")
}

// known makes sure that what was denied is, in the database.
func (d *denied) known(t *testing.T, s *harness.Story) {
	t.Helper()
	key, err := s.API.GetAPIKeyWithResponse(t.Context(), s.Environment.Name, d.revoked.ID)
	if err != nil || key.StatusCode() != http.StatusNotFound {
		t.Errorf("the revoked key: %v, %v", key.Status(), err)
	}
	consumer, err := s.API.GetConsumerWithResponse(t.Context(), s.Environment.Name, d.suspended.ID)
	s.Must(consumer, err)
	if !consumer.JSON200.Suspended {
		t.Error("the suspension is lost")
	}
	block, err := s.API.GetBlockWithResponse(t.Context(), s.Environment.Name, d.block.ID)
	s.Must(block, err)
	if got := block.JSON200; got.APIKey != d.blocked.ID || !strings.HasPrefix(got.Description, "Taken back from node node_") {
		t.Errorf("the block is made again as %+v", got)
	}
	proof, err := s.API.GetBlockRevocationWithResponse(t.Context(), s.Environment.Name, d.block.ID)
	s.Must(proof, err)
	if got := proof.JSON200; got.Cause != "recalled" || got.Status.Durable != len(s.Edges()) {
		t.Errorf("the block's proof is %+v", got)
	}
	epochs, err := s.API.ListEpochsWithResponse(t.Context(), s.Environment.Name, nil)
	s.Must(epochs, err)
	if list := epochs.JSON200.Data; len(list) != 1 || list[0].DenialsTakenBack != 3 || !strings.HasPrefix(list[0].OpenedBy, "node_") {
		t.Errorf("the epochs are told as %+v", list)
	}
}

// A dump is taken, a key revoked, the dump restored: the key stays dead, on edges that serve all the while.
func TestARevokedKeyStaysDeadWhenAnOlderBackupIsRestored(t *testing.T) {
	for name, backup := range backups() {
		t.Run(name, func(t *testing.T) {
			stack, s := restorable(t)
			d, after := deny(t, s)
			restore := backup(t, stack)
			after()
			gone := s.Route(sallyport.Route{Name: s.Name("gone"), Service: d.protected.Service.Name, Hosts: []string{"gone.test"}, Paths: harness.Below("/")})
			lost := s.Key(sallyport.APIKey{Consumer: d.protected.Consumer.Name})
			before := s.Head()
			var all []*traffic
			for _, edge := range s.Edges() {
				all = append(all, run(t, s, edge, d.protected.Key.Key))
			}

			if err := stack.KillControl(); err != nil {
				t.Fatal(err)
			}
			restore()
			for _, edge := range all {
				edge.progress(t, 50) // with nobody to ask
			}
			if err := stack.ReviveControl(t.Context()); err != nil {
				t.Fatal(err)
			}
			inEpoch(t, s, before.Epoch+1)
			for _, edge := range all {
				edge.progress(t, 50)
				edge.end()
				edge.check(t)
			}

			d.check(t, s)
			d.known(t, s)
			s.ExpectAll("/", harness.WithKey(lost.Key), http.StatusUnauthorized, "credential_invalid")
			if route, err := s.API.GetRouteWithResponse(t.Context(), s.Environment.Name, gone.ID); err != nil || route.StatusCode() != http.StatusNotFound {
				t.Errorf("the route made after the backup: %v, %v", route.Status(), err)
			}
			made := s.Key(sallyport.APIKey{Consumer: d.protected.Consumer.Name}) // in force on both edges
			s.ExpectAll("/", harness.WithKey(made.Key), http.StatusOK, "")
			for _, edge := range s.Edges() { // off the disk, too
				if err := edge.Kill(); err != nil {
					t.Fatal(err)
				}
				if err := edge.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			d.check(t, s)
			caughtUp(t, s)
		})
	}
}

// The restored control plane writes before any node comes, until its numbers are those that the nodes hold, and then beyond them.
func TestARevokedKeyStaysDeadWhenTheRestoredDatabaseWasWrittenTo(t *testing.T) {
	stack, s := restorable(t)
	d, after := deny(t, s)
	restore := byFiles(t, stack)
	after()
	before := s.Head()
	for _, edge := range s.Edges() {
		if err := edge.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := stack.KillControl(); err != nil {
		t.Fatal(err)
	}
	restore()
	if err := stack.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
	var made sallyport.APIKey
	for s.Head().Sequence <= before.Sequence {
		key, err := s.API.CreateAPIKeyWithResponse(t.Context(), s.Environment.Name, nil, sallyport.APIKey{Consumer: d.protected.Consumer.Name})
		s.Must(key, err)
		made = *key.JSON201
	}
	for _, edge := range s.Edges() {
		if err := edge.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	inEpoch(t, s, before.Epoch+1)
	d.check(t, s)
	d.known(t, s)
	s.ExpectAll("/", harness.WithKey(made.Key), http.StatusOK, "")
}

// inEpoch returns once an environment is in an epoch, and all its edges at the head, which moves while denials are taken back.
func inEpoch(t *testing.T, s *harness.Story, epoch int) {
	t.Helper()
	harness.Eventually(t, 2*time.Minute, func() error {
		if err := s.Environment.AwaitConnected(t.Context()); err != nil {
			return err
		}
		head := s.Head()
		if head.Epoch != epoch {
			return fmt.Errorf("the environment is in epoch %d, want %d", head.Epoch, epoch)
		}
		for _, edge := range s.Edges() {
			status, err := edge.Status(t.Context())
			if err != nil {
				return err
			}
			if status.Epoch != uint64(epoch) || int(status.Revision) != head.Revision || int(status.Sequence) != head.Sequence {
				return fmt.Errorf("%s holds %+v, the head is %+v", edge.Name, status, head)
			}
		}
		return nil
	})
}
