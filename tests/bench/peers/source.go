package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// source is a program in Go that no distribution packages: it is built once, from its module, and kept in the user's cache.
//
// go install refuses a module whose go.mod replaces others. In a copy that is the main module these hold, and go.sum checks all that it needs; the copy itself is
// checked by its sum.
type source struct {
	module, version, sum string
	// command is its package within the module.
	command string
	// versionIn is the variable that takes the version, as its releases have it.
	versionIn string
	// embeds are folders that the program embeds, made by steps that the module's archive is without.
	embeds []string
}

// traefik is the newest that its archive builds by itself: since 3.7 its go.mod replaces a module by a folder of its repository (pkg/config/dynamic/ext) that is a module
// too, which the archive leaves out therefore and the proxy hasn't.
func traefik() *source {
	const module = "github.com/traefik/traefik/v3"
	return &source{
		module: module, version: "v3.6.12", sum: "h1:6pe4s7aaDTQs+AsF7KP3sM/xnq7zOVvibRQe5tw9eFo=",
		command: "cmd/traefik", versionIn: module + "/pkg/version.Version", embeds: []string{"webui/static"},
	}
}

// cacheName is the folder in the user's cache.
const cacheName = "sallyport-bench"

// path is where the program is once it was built: another version, or another Go, is another program.
func (s *source) path() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache: %w", err)
	}
	return filepath.Join(cache, cacheName, filepath.Base(s.command)+"-"+s.version+"-"+runtime.Version()), nil
}

// find returns where the program is, if it was built.
func (s *source) find() (string, error) {
	path, err := s.path()
	if err != nil {
		return "", err
	}
	return exec.LookPath(path) //nolint:wrapcheck // says what
}

// build builds the program.
func (s *source) build(ctx context.Context, out io.Writer) (failed error) {
	path, err := s.path()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("build %s: %w", s.module, err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), "build-")
	if err != nil {
		return fmt.Errorf("build %s: %w", s.module, err)
	}
	defer func() { failed = errors.Join(failed, os.RemoveAll(dir)) }()
	if err := s.copyTo(ctx, dir, out); err != nil {
		return fmt.Errorf("build %s: %w", s.module, err)
	}
	built := filepath.Join(dir, "built")
	flags := fmt.Sprintf("-s -w -X %s=%s", s.versionIn, strings.TrimPrefix(s.version, "v"))
	build := goCommand(ctx, dir, "build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", built, "./"+s.command)
	build.Stdout, build.Stderr = out, out
	if err := build.Run(); err != nil {
		return fmt.Errorf("build %s: %w", s.module, err)
	}
	if err := os.Rename(built, path); err != nil {
		return fmt.Errorf("build %s: %w", s.module, err)
	}
	return nil
}

// copyTo downloads the module and copies it to a folder, with what it embeds.
func (s *source) copyTo(ctx context.Context, dir string, out io.Writer) error {
	download := goCommand(ctx, dir, "mod", "download", "-json", s.module+"@"+s.version)
	download.Stderr = out
	said, err := download.Output()
	var module struct{ Dir, Sum, Error string }
	err = errors.Join(err, json.Unmarshal(said, &module))
	if module.Error != "" {
		err = errors.Join(err, errors.New(module.Error))
	}
	if err != nil {
		return fmt.Errorf("download %s: %w", s.version, err)
	}
	if module.Sum != s.sum {
		return fmt.Errorf("%s has the sum %s, want %s", s.version, module.Sum, s.sum)
	}
	if err := os.CopyFS(dir, os.DirFS(module.Dir)); err != nil {
		return fmt.Errorf("copy the module: %w", err)
	}
	for _, folder := range s.embeds {
		if err := placeIn(filepath.Join(dir, folder)); err != nil {
			return err
		}
	}
	return nil
}

// placeIn puts a file into a folder that is to be embedded: Go embeds no empty one.
func placeIn(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make what is embedded: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "placeholder"), []byte("The bench needs no pages.\n"), 0o600); err != nil {
		return fmt.Errorf("make what is embedded: %w", err)
	}
	return nil
}

// goCommand is the go command in a folder, outside of any workspace. The programs are built without cgo, as their releases are.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	return cmd
}
