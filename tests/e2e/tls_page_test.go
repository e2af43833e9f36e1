package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	"github.com/sallyport/sallyport/tests/harness"
)

var pageCommands = regexp.MustCompile("(?s)```sh ?([a-z]*)\n(.*?)\n```")

// The page's commands are run as they stand there.
func TestTheCommandsOfThePageAboutTLSDoWhatItSays(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"jq", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the page's commands need %s, which isn't here", program)
		}
	}
	page, err := os.ReadFile("../../dataplane/internal/certificates/TLS.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := map[string]string{}
	for _, block := range pageCommands.FindAllStringSubmatch(string(page), -1) {
		commands[block[1]] += block[2] + "\n"
	}
	s := overTLS(t, 1)
	edge, dir := s.Edges()[0], t.TempDir()
	run := func(name string, leaf certificatetest.Leaf) {
		t.Helper()
		for file, text := range map[string]string{"tls.crt": leaf.Chain, "tls.key": leaf.Key} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands[name])
		shell.Dir = dir
		shell.Env = append(s.Environment.Stack.Environ(), "ADMIN="+s.Environment.Stack.URL(), "TOKEN="+s.Environment.Stack.Token(), "ENVIRONMENT="+s.Environment.Name)
		if out, err := shell.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		s.expect(edge, "api.test", leaf)
	}
	run("first", s.authority.Issue(t, "api.test"))
	run("rotate", s.authority.Issue(t, "api.test"))
	said, err := s.Environment.Stack.Control(t.Context(), strings.Fields(strings.Replace(lineOf(t, commands[""], "rotate ticket-keys"), "production", s.Environment.Name, 1))[1:]...)
	if err != nil || !strings.Contains(said, "key 2") {
		t.Errorf("%s %v", said, err)
	}
	bin, err := harness.Programs()
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(lineOf(t, commands[""], "sallyport-edge serve"))
	// -h comes last: what stands before it is read, and what isn't known is refused.
	out, _ := exec.CommandContext(t.Context(), filepath.Join(bin, words[0]), append(words[1:], "-h")...).CombinedOutput()
	if text := string(out); !strings.Contains(text, "Usage of ") || strings.Contains(text, "not defined") {
		t.Errorf("%v: %s", words, text)
	}
}

// lineOf returns the line that holds a text.
func lineOf(t *testing.T, text, part string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	t.Fatalf("no line says %q", part)
	return ""
}
