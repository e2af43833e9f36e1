package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// OldestMajor is the oldest PostgreSQL that Sallyport runs on.
const OldestMajor = 15

// Source says where binaries may come from.
type Source string

// Where binaries may come from.
const (
	SourceAny     Source = "any"     // this machine, else npm
	SourceMachine Source = "machine" // this machine only
	SourceNPM     Source = "npm"     // the pinned npm package only
)

// Binaries are initdb, pg_ctl and postgres of one version, in one folder.
type Binaries struct {
	Dir     string
	Version string // as in "17.10"
	Major   int
	Source  string // how they were found: "PG_BIN", "pg_config", "PATH", "well-known folder" or "npm"
}

// Locator finds PostgreSQL's binaries. The zero value is usable.
type Locator struct {
	Source Source              // empty: SALLYPORT_POSTGRES, else SourceAny
	Getenv func(string) string // nil: os.Getenv
	Logger *slog.Logger        // nil: silent

	owner owner // who must be able to run them
}

var wellKnownFolders = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian
	"/usr/pgsql-*/bin",                                   // Red Hat, from postgresql.org
	"/opt/homebrew/opt/postgresql*/bin",                  // Homebrew on Apple silicon
	"/usr/local/opt/postgresql*/bin",                     // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",     // Homebrew on Linux
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
	"/usr/local/pgsql/bin",                               // built from source
}

var programs = []string{"initdb", "pg_ctl", "postgres"}

// Find returns the first usable binaries, the newest among those in well-known folders. With major above
// 0 only those of that major version will do, since they shall open an existing cluster. A PG_BIN that
// is set but unusable is an error, never passed over.
func (l Locator) Find(ctx context.Context, major int) (Binaries, error) {
	if l.Getenv == nil {
		l.Getenv = os.Getenv
	}
	if l.Logger == nil {
		l.Logger = slog.New(slog.DiscardHandler)
	}
	if l.Source == "" {
		l.Source = Source(l.Getenv("SALLYPORT_POSTGRES"))
	}
	switch l.Source {
	case SourceMachine:
		found, err := l.onMachine(ctx, major)
		return found, l.explain(major, err)
	case SourceNPM:
		found, err := l.fromNPM(ctx, major)
		return found, l.explain(major, err)
	case SourceAny, "":
		return l.anywhere(ctx, major)
	default:
		return Binaries{}, fmt.Errorf("SALLYPORT_POSTGRES=%s: want any, machine or npm", l.Source)
	}
}

func (l Locator) anywhere(ctx context.Context, major int) (Binaries, error) {
	found, machineErr := l.onMachine(ctx, major)
	if machineErr == nil || l.Getenv("PG_BIN") != "" {
		return found, machineErr
	}
	found, npmErr := l.fromNPM(ctx, major)
	if npmErr == nil {
		return found, nil
	}
	return Binaries{}, l.explain(major, errors.Join(machineErr, npmErr))
}

// explain adds to an error what a person can do about it.
func (l Locator) explain(major int, err error) error {
	if err == nil {
		return nil
	}
	need := fmt.Sprintf("PostgreSQL %d or newer is needed", OldestMajor)
	if major > 0 {
		need = fmt.Sprintf("PostgreSQL %d is needed, since it made the existing cluster (or remove that)", major)
	}
	return fmt.Errorf("%s: install it (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; "+
		"macOS: brew install postgresql@17), or set PG_BIN to the folder of its programs, or DATABASE_URL to a running server, "+
		"or install npm so that the binaries can be fetched: %w", need, err)
}

// candidate is a folder that may hold the binaries.
type candidate struct{ dir, source string }

func (l Locator) onMachine(ctx context.Context, major int) (Binaries, error) {
	if dir := l.Getenv("PG_BIN"); dir != "" {
		found, err := l.inspect(ctx, candidate{dir, "PG_BIN"}, major)
		if err != nil {
			return Binaries{}, fmt.Errorf("PG_BIN: %w", err)
		}
		return found, nil
	}
	var refusals []error
	for _, candidate := range candidates(ctx) {
		found, err := l.inspect(ctx, candidate, major)
		if err == nil {
			return found, nil
		}
		refusals = append(refusals, err)
	}
	if len(refusals) == 0 {
		return Binaries{}, errors.New("none found on this machine")
	}
	return Binaries{}, errors.Join(refusals...)
}

func candidates(ctx context.Context) []candidate {
	var all []candidate
	add := func(dir, source string) {
		dir = resolved(dir)
		if !slices.ContainsFunc(all, func(c candidate) bool { return c.dir == dir }) {
			all = append(all, candidate{dir, source})
		}
	}
	if output, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		if dir := strings.TrimSpace(string(output)); has(dir, "postgres") { // Debian's belongs to the client library
			add(dir, "pg_config")
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		add(filepath.Dir(resolved(path)), "PATH")
	}
	for _, pattern := range wellKnownFolders {
		dirs, _ := filepath.Glob(pattern) // the patterns are constants: they are well-formed
		slices.SortFunc(dirs, func(a, b string) int { return folderMajor(b) - folderMajor(a) })
		for _, dir := range dirs {
			if has(dir, "postgres") {
				add(dir, "well-known folder")
			}
		}
	}
	return all
}

// resolved follows symbolic links: programs look for their libraries beside where they really are.
func resolved(path string) string {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path
	}
	return target
}

var digits = regexp.MustCompile(`[0-9]+`)

// folderMajor is the version in a folder's path, as in /usr/lib/postgresql/17/bin; 0 when it has none.
func folderMajor(dir string) int {
	number, err := strconv.Atoi(digits.FindString(filepath.Base(filepath.Dir(dir))))
	if err != nil {
		return 0
	}
	return number
}

func has(dir, program string) bool {
	info, err := os.Stat(filepath.Join(dir, program))
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (([0-9]+)[^ \n]*)`)

// inspect returns the binaries in a folder, or why they won't do.
func (l Locator) inspect(ctx context.Context, c candidate, major int) (Binaries, error) {
	for _, program := range programs {
		if !has(c.dir, program) {
			return Binaries{}, fmt.Errorf("%s: there is no program %s", c.dir, program)
		}
	}
	if !l.owner.reaches(c.dir) {
		return Binaries{}, fmt.Errorf("%s: user %s, who would run it for root, can't enter it", c.dir, l.owner.name)
	}
	output, err := exec.CommandContext(ctx, filepath.Join(c.dir, "postgres"), "--version").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("%s: postgres --version: %w", c.dir, err)
	}
	match := versionPattern.FindSubmatch(output)
	if match == nil {
		return Binaries{}, fmt.Errorf("%s: postgres --version says %q", c.dir, output)
	}
	found := Binaries{Dir: c.dir, Version: string(match[1]), Source: c.source}
	if found.Major, err = strconv.Atoi(string(match[2])); err != nil {
		return Binaries{}, fmt.Errorf("%s: version %s: %w", c.dir, found.Version, err)
	}
	switch {
	case major > 0 && found.Major != major:
		return Binaries{}, fmt.Errorf("%s: is version %s, not %d", c.dir, found.Version, major)
	case found.Major < OldestMajor:
		return Binaries{}, fmt.Errorf("%s: version %s is older than %d", c.dir, found.Version, OldestMajor)
	}
	return found, nil
}
