package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/tests/harness"
)

// Every command of ours on the page for operators exists, with all of the flags that it is shown with.
func TestCommandsOnThePageAboutReplicasExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../controlplane/cmd/sallyport-control/REPLICAS.md")
	if err != nil {
		t.Fatal(err)
	}
	bin, err := harness.Programs()
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for i, block := range strings.Split(string(page), "```") {
		if i%2 == 0 || !strings.HasPrefix(block, "sh\n") {
			continue
		}
		for line := range strings.Lines(strings.TrimPrefix(block, "sh\n")) {
			words := strings.Fields(line)
			if len(words) == 0 || !strings.HasPrefix(words[0], "sallyport-") {
				continue
			}
			commands++
			// -h comes last: what stands before it is read, and what isn't known is refused.
			out, _ := exec.CommandContext(t.Context(), filepath.Join(bin, words[0]), append(words[1:], "-h")...).CombinedOutput()
			if text := string(out); !strings.Contains(text, "Usage of ") || strings.Contains(text, "not defined") || strings.Contains(text, "invalid value") {
				t.Errorf("%s\n%s", line, text)
			}
		}
	}
	if commands < 4 {
		t.Errorf("the page holds %d commands of ours", commands)
	}
}
