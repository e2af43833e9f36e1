package postgres

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeBinaries makes a folder whose programs claim to be of a version.
func fakeBinaries(t *testing.T, version string, names ...string) string {
	t.Helper()
	dir := filepath.Join(folder(t), "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPGBinIsTakenOrRefusedButNeverPassedOver(t *testing.T) {
	for name, test := range map[string]struct {
		version  string
		programs []string
		major    int
		refusal  string // part of it; empty: accepted
	}{
		"good":                {version: "17.2 (Debian 17.2-1)", programs: programs},
		"beta":                {version: "19beta1", programs: programs},
		"no initdb":           {version: "17.2", programs: []string{"postgres", "pg_ctl"}, refusal: "no program initdb"},
		"too old":             {version: "14.9", programs: programs, refusal: "older than 15"},
		"other than the data": {version: "17.2", programs: programs, major: 16, refusal: "not 16"},
		"no version":          {version: "", programs: programs, refusal: "says"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := fakeBinaries(t, test.version, test.programs...)
			found, err := Locator{Getenv: only("PG_BIN", dir)}.Find(t.Context(), test.major)
			switch {
			case test.refusal == "" && (err != nil || found.Dir != dir || found.Source != "PG_BIN"):
				t.Errorf("found %+v, %v; want %s", found, err, dir)
			case test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal)):
				t.Errorf("found %+v, %v; want a refusal that says %q", found, err, test.refusal)
			}
		})
	}
}

func TestErrorSaysWhatToInstall(t *testing.T) {
	_, err := Locator{Source: SourceMachine, Getenv: noVariables}.Find(t.Context(), 9)
	if err == nil {
		t.Fatal("found PostgreSQL 9")
	}
	for _, part := range []string{"PostgreSQL 9 is needed", "apt-get install postgresql", "brew install", "PG_BIN", "DATABASE_URL"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error doesn't say %q: %v", part, err)
		}
	}
}

func TestUnknownSourceIsRefused(t *testing.T) {
	if _, err := (Locator{Getenv: only("SALLYPORT_POSTGRES", "docker")}).Find(t.Context(), 0); err == nil {
		t.Error("SALLYPORT_POSTGRES=docker was accepted")
	}
}

func TestFolderMajorReadsTheVersionInAPath(t *testing.T) {
	for dir, want := range map[string]int{
		"/usr/lib/postgresql/17/bin": 17, "/opt/homebrew/opt/postgresql@16/bin": 16,
		"/usr/pgsql-15/bin": 15, "/opt/homebrew/opt/postgresql/bin": 0,
	} {
		if got := folderMajor(dir); got != want {
			t.Errorf("folderMajor(%s) = %d, want %d", dir, got, want)
		}
	}
}

func TestEnvironmentDoesNotSteerTheServer(t *testing.T) {
	got := strings.Join(environment([]string{"PATH=/bin", "PGPORT=1", "PGDATA=/x", "LANG=de_DE", "LC_ALL=de_DE", "HOME=/h"}), " ")
	if got != "PATH=/bin HOME=/h LC_ALL=C" {
		t.Errorf("environment %q", got)
	}
}
