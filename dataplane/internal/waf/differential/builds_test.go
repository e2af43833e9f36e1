package differential_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/waf/differential"
)

// A program that is built with Coraza's tag for the filter decides as one that isn't.
func TestBuildTagsDoNotChangeVerdicts(t *testing.T) {
	if !long() {
		t.Skip("it builds two programs: make test-long runs it")
	}
	t.Parallel()
	args := []string{"-mutants=5000", "-samples=4"}
	report, err := differential.Lines(judged(t, "no_fs_access", args), judged(t, "no_fs_access,coraza.rule.rx_prefilter", args))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests, %d found something in, %d blocked", report.Requests, report.Found, report.Blocked)
	if report.Found == 0 {
		t.Error("nothing was found at all")
	}
	for _, d := range report.Disagreements {
		t.Error(d)
	}
}

// judged are the verdicts of a program that is built with tags.
func judged(t *testing.T, tags string, args []string) []differential.Verdict {
	t.Helper()
	program := filepath.Join(t.TempDir(), "judge")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags="+tags, "-o", program, "./judge")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with %s: %v\n%s", tags, err, said)
	}
	var wrong bytes.Buffer
	run := exec.CommandContext(t.Context(), program, args...)
	run.Stderr = &wrong
	lines, err := run.Output()
	if err != nil {
		t.Fatalf("judge with %s: %v\n%s", tags, err, wrong.String())
	}
	verdicts, err := differential.Read(bytes.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	return verdicts
}
