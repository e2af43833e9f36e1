package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jointoken"
	"github.com/sallyport/sallyport/proto/snapshotfile"
)

// try runs a command line and returns what it printed.
func try(ctx context.Context, t *testing.T, env map[string]string, args ...string) (out, problems string, err error) {
	t.Helper()
	var o, p bytes.Buffer
	err = run(ctx, terminal{out: &o, problems: &p, getenv: func(name string) string { return env[name] }}, args)
	return o.String(), p.String(), err
}

func installation(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"DATABASE_URL":       postgrestest.Database(t, postgres.Migrate),
		"SALLYPORT_ROOT_KEY": strings.Repeat("0f", 32),
	}
}

func TestCommandsPrintWhatTheyMakeAndNothingElse(t *testing.T) {
	env := installation(t)
	must := func(args ...string) string {
		t.Helper()
		out, _, err := try(t.Context(), t, env, args...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return strings.TrimSuffix(out, "\n")
	}
	if out := must("migrate"); out != "" {
		t.Errorf("migrate printed %q", out)
	}
	if out := must("token", "create", "-name", "ci"); !strings.HasPrefix(out, "spat_") {
		t.Errorf("token create printed %q", out)
	}
	if _, err := id.Parse("env", must("environment", "create", "-name", "production")); err != nil {
		t.Error(err)
	}
	if _, err := jointoken.Parse(must("join-token", "create", "-environment", "production", "-uses", "2", "-expires", "10m")); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "production.snapshot")
	key, err := snapshotfile.ParseKey(must("export", "-environment", "production", "-out", file))
	if err != nil {
		t.Error(err)
	}
	opens(t, file, key)
	env["SALLYPORT_SNAPSHOT_KEY"] = snapshotfile.NewKey().Reveal()
	if out := must("export", "-environment", "production", "-out", file); out != "" {
		t.Errorf("export printed %q though it was given a key", out)
	}
	if key, err = snapshotfile.ParseKey(env["SALLYPORT_SNAPSHOT_KEY"]); err != nil {
		t.Error(err)
	}
	opens(t, file, key)
	if out := must("epoch", "open", "-environment", "production", "-reason", "restored a dump"); !strings.HasPrefix(out, "epoch 2 of production began at revision 0 and sequence 1;") {
		t.Errorf("epoch open printed %q", out)
	}
	if must("version") == "" {
		t.Error("version printed nothing")
	}
}

// opens fails the test unless the file is one of production, and its owner's alone.
func opens(t *testing.T, path string, key snapshotfile.Key) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	r, err := snapshotfile.Open(file, key)
	if err != nil {
		t.Fatal(err)
	}
	if m := r.Manifest(); m.GetEnvironmentName() != "production" || len(m.GetSigningKeys()) != 1 || m.GetDirectory() == nil || m.GetConfiguration() == nil {
		t.Errorf("the manifest is %v", m)
	}
}

func TestCommandLineThatIsWrongSaysWhatIsMissing(t *testing.T) {
	env := installation(t)
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown command":        {[]string{"dance"}, "unknown command"},
		"half a command":         {[]string{"token"}, "unknown command"},
		"token without name":     {[]string{"token", "create"}, "-name"},
		"environment sans name":  {[]string{"environment", "create"}, "-name"},
		"join token for nothing": {[]string{"join-token", "create"}, "-environment"},
		"unknown environment":    {[]string{"join-token", "create", "-environment", "none"}, "none"},
		"export of nothing":      {[]string{"export", "-out", "x"}, "-environment"},
		"export to nowhere":      {[]string{"export", "-environment", "production"}, "-out"},
		"export of no such one":  {[]string{"export", "-environment", "none", "-out", "x"}, "none"},
		"epoch for nothing":      {[]string{"epoch", "open", "-reason", "x"}, "-environment"},
		"epoch without reason":   {[]string{"epoch", "open", "-environment", "none", "-reason", " "}, "-reason"},
		"epoch of nowhere":       {[]string{"epoch", "open", "-environment", "none", "-reason", "x"}, "none"},
		"an argument too many":   {[]string{"migrate", "now"}, "now"},
		"ended already":          {[]string{"join-token", "create", "-environment", "none", "-expires", "soon"}, "soon"},
		"serve without a folder": {[]string{"serve"}, "data folder"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, _, err := try(t.Context(), t, env, tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, problems, err := try(t.Context(), t, env); !errors.Is(err, flag.ErrHelp) || !strings.Contains(problems, "sallyport-control serve") {
		t.Errorf("without a command: %v, %q", err, problems)
	}
	if _, _, err := try(t.Context(), t, map[string]string{"SALLYPORT_LOG_LEVEL": "loud"}, "migrate"); err == nil {
		t.Error("an unknown log level was taken")
	}
}

func TestEveryCommandAndEveryFirstWordOfOneSaysHowItIsCalled(t *testing.T) {
	for _, c := range commands() {
		for n := range c.words {
			args := append(slices.Clone(c.words[:n+1]), "-h")
			if _, problems, err := try(t.Context(), t, nil, args...); !errors.Is(err, flag.ErrHelp) || problems == "" {
				t.Errorf("%v: %v, %q", args, err, problems)
			}
		}
	}
}

func TestServeWritesWhereItListensAndStopsCleanly(t *testing.T) {
	env := installation(t)
	env["SALLYPORT_EDGE_LISTEN"] = "127.0.0.1:0"
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready.json")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, _, err := try(ctx, t, env, "serve", "-admin-listen", "127.0.0.1:0", "-bus-listen", "127.0.0.1:0", "-data-dir", dir, "-ready-file", ready)
		ended <- err
	}()
	var at controlplane.Addresses
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		body, err := os.ReadFile(ready)
		if errors.Is(err, os.ErrNotExist) {
			select {
			case err := <-ended:
				t.Fatalf("it ended: %v", err)
			case <-look.C:
				continue
			}
		}
		if err := errors.Join(err, json.Unmarshal(body, &at)); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		break
	}
	if at.Admin == "" || at.Edge == "" || at.Bus == "" || at.AdminTLS {
		t.Errorf("%+v", at)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
