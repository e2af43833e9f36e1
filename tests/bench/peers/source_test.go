package peers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goThatAnswers makes go, and apt-get, commands that do nothing but this: a download says an answer, and a build takes itself for what was built if it stands in a whole copy
// of the module, outside of workspaces. It returns where what is built goes.
func goThatAnswers(t *testing.T, s *source, answer string) (cache string) {
	t.Helper()
	commands, home := t.TempDir(), t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
[ "$GOWORK" = off ] || exit 1
case "$1" in
mod) echo '%s' ;;
build)
	[ -f go.mod ] && [ -f %s/placeholder ] || exit 1
	while [ "$1" != -o ]; do shift; done
	cp "$0" "$2" ;;
esac
`, answer, s.embeds[0])
	for name, text := range map[string]string{"go": script, "apt-get": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(commands, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", commands+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", home)
	path, err := s.path()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(path)
}

// module is a folder as the module cache has it: nobody may write there.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.test/program\n"), 0o444); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAProgramIsBuiltOnceAndFoundUnderItsVersion(t *testing.T) {
	s := traefik()
	cache := goThatAnswers(t, s, fmt.Sprintf(`{"Dir":%q,"Sum":%q}`, module(t), s.sum))
	if path, err := s.find(); err == nil {
		t.Fatalf("found before it was built: %s", path)
	}
	var said bytes.Buffer
	if err := Install(t.Context(), &said); err != nil {
		t.Fatal(err)
	}
	if path, err := s.find(); err != nil || filepath.Dir(path) != cache || !strings.Contains(path, s.version) {
		t.Errorf("found %q (%v): %s", path, err, said.String())
	}
	if left, err := os.ReadDir(cache); err != nil || len(left) != 1 {
		t.Errorf("%v are left (%v)", left, err)
	}
	s.version = "v3.0.0"
	if path, err := s.find(); err == nil {
		t.Errorf("%s is taken for another version", path)
	}
}

func TestAPeerThatCannotBeBuiltIsSaidAndLeftOut(t *testing.T) {
	s := traefik()
	for what, answer := range map[string]string{
		"has the sum h1:another": fmt.Sprintf(`{"Dir":%q,"Sum":"h1:another"}`, module(t)),
		"403 Forbidden":          `{"Error":"403 Forbidden"}`,
		"unexpected end of JSON": "",
	} {
		cache := goThatAnswers(t, s, answer)
		var said bytes.Buffer
		if err := Install(t.Context(), &said); err != nil {
			t.Errorf("%s: the others are left out too: %v", what, err)
		}
		if !strings.Contains(said.String(), what) || !strings.Contains(said.String(), s.module) {
			t.Errorf("said %q, want %q", said.String(), what)
		}
		if left, err := os.ReadDir(cache); err != nil || len(left) != 0 {
			t.Errorf("%s: %v are left (%v)", what, left, err)
		}
		_, missing := Found(nil)
		if !strings.Contains(strings.Join(missing, ""), "Traefik isn't installed") {
			t.Errorf("%s: only %q are missing", what, missing)
		}
	}
}
