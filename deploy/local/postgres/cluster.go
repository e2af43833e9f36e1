package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// cluster is a folder of ours, locked: data/ is the cluster itself, beside it lie its password and log.
type cluster struct {
	dir   string
	owner owner
	lock  *os.File
}

// openCluster finds, makes and locks the folder. It fails with [ErrInUse] when somebody else holds it.
func openCluster(cfg Config, owner owner) (*cluster, error) {
	if cfg.Dir == "" {
		return nil, errors.New("Config.Dir is empty: name the folder that holds the cluster")
	}
	dir, err := owner.home(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if err := claim(dir, owner); err != nil {
		return nil, err
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return &cluster{dir: dir, owner: owner, lock: lock}, nil
}

// claim makes the folder and hands it to the owner. It leaves a folder alone that holds other things.
func claim(dir string, owner owner) error {
	if err := makeOpen(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
			return fmt.Errorf("%s holds something else than a local database: choose another folder", dir)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	return owner.give(dir)
}

// lockFile takes the lock that its process holds until it closes the file or ends.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(ErrInUse, file.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return file, nil
}

func (c *cluster) data() string    { return filepath.Join(c.dir, "data") }
func (c *cluster) logPath() string { return filepath.Join(c.dir, "postgres.log") }
func (c *cluster) exists() bool    { return hasCluster(c.dir) }

func hasCluster(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "data", "PG_VERSION"))
	return err == nil
}

// major is the PostgreSQL major version that the data belong to, 0 when there are none yet.
func (c *cluster) major() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s/PG_VERSION: %w", c.data(), err)
	}
	return major, nil
}

// password returns the superuser's password, written when the cluster was made.
func (c *cluster) password() (string, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, "password"))
	if err != nil {
		return "", fmt.Errorf("the cluster's password: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// settle ends a server that outlived whoever started it: since we hold the lock, nobody else answers for it.
func (c *cluster) settle(ctx context.Context, binaries Binaries) error {
	if !c.running(ctx, binaries) {
		return nil // a stale postmaster.pid is the next server's own business
	}
	stop := c.command(ctx, binaries, "pg_ctl", "stop", "-D", c.data(), "-m", "fast", "-w", "-t", "30", "-s")
	output, err := stop.CombinedOutput()
	if err != nil && c.running(ctx, binaries) { // it may have ended meanwhile, as one does whose starter was just killed
		return fmt.Errorf("stop the server left over in %s: %w: %s", c.dir, err, bytes.TrimSpace(output))
	}
	return nil
}

// running reports whether a server runs on the cluster.
func (c *cluster) running(ctx context.Context, binaries Binaries) bool {
	if _, err := os.Stat(filepath.Join(c.data(), "postmaster.pid")); err != nil {
		return false
	}
	return c.command(ctx, binaries, "pg_ctl", "status", "-D", c.data()).Run() == nil
}

// init makes the cluster beside its place and moves it there when it is whole.
func (c *cluster) init(ctx context.Context, binaries Binaries, throwaway bool) error {
	fresh := filepath.Join(c.dir, "data.new")
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	passwordPath := filepath.Join(c.dir, "password")
	if err := os.WriteFile(passwordPath, []byte(rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	if err := c.owner.give(passwordPath); err != nil {
		return err
	}
	arguments := []string{
		"-D", fresh, "-U", superuser, "--pwfile=" + passwordPath, "--auth=scram-sha-256",
		"--encoding=UTF8", "--no-locale", // the same order of text on every machine
	}
	if throwaway {
		arguments = append(arguments, "--no-sync", "--wal-segsize=1")
	}
	output, err := c.command(ctx, binaries, "initdb", arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb in %s: %w: %s", c.dir, err, bytes.TrimSpace(output))
	}
	return os.Rename(fresh, c.data())
}

// command prepares a PostgreSQL program as the owner, in a folder that the owner can enter.
func (c *cluster) command(ctx context.Context, binaries Binaries, name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(binaries.Dir, name), arguments...)
	command.Dir = c.dir
	command.Env = environment(os.Environ())
	command.SysProcAttr = c.owner.attributes()
	return command
}

// environment is ours without what would steer PostgreSQL (PGDATA, PGPORT, LC_ALL …).
func environment(inherited []string) []string {
	kept := make([]string, 0, len(inherited)+1)
	for _, entry := range inherited {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "LC_") || name == "LANG" || name == "LANGUAGE" {
			continue
		}
		kept = append(kept, entry)
	}
	return append(kept, "LC_ALL=C")
}

func containsAny(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
