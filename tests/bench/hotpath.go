package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// hotPathPackage holds the benchmarks of canonical path, router, api-key and rate-limit together.
const hotPathPackage = "./dataplane/internal/edgetest"

// hotPathBenchmarks are those that something is promised of.
const hotPathBenchmarks = "^(BenchmarkDecision|BenchmarkOneRouteOfMany)$"

// figures are the measurements of one benchmark by their unit, one of each run.
type figures map[string][]float64

// hotPath runs the micro-benchmarks of the edge.
func hotPath(ctx context.Context, into *report) error {
	root, err := productRoot()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", hotPathBenchmarks, "-benchmem",
		"-benchtime", "1s", "-count", strconv.Itoa(runs), hotPathPackage)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w:\n%s", err, out)
	}
	names, all := readBenchmarks(out)
	for _, name := range names {
		expected := ""
		if strings.HasPrefix(name, "Decision/") && !strings.Contains(name, "alone") {
			expected = "≤ 1 µs, 0 allocs"
		}
		measured := fmt.Sprintf("%.0f ns, %.0f allocs", median(all[name]["ns/op"]), median(all[name]["allocs/op"]))
		if cpu := all[name]["cpu-ns/op"]; len(cpu) > 0 {
			measured += fmt.Sprintf(" (%.0f ns of processor time)", median(cpu))
		}
		into.add("edge: "+name, expected, measured)
	}
	if len(names) == 0 {
		return fmt.Errorf("no benchmark ran:\n%s", out)
	}
	return nil
}

// readBenchmarks reads what go test prints: "BenchmarkX/y-2  1000  123 ns/op  0 B/op  0 allocs/op".
func readBenchmarks(out []byte) (names []string, all map[string]figures) {
	all = map[string]figures{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if dash := strings.LastIndexByte(name, '-'); dash > 0 {
			name = name[:dash] // the number of processors
		}
		if all[name] == nil {
			all[name] = figures{}
			names = append(names, name)
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				all[name][fields[i+1]] = append(all[name][fields[i+1]], value)
			}
		}
	}
	slices.Sort(names)
	return names, all
}

// productRoot returns the folder of the product's module.
func productRoot() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at != filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "dataplane", "internal", "edgetest")); err == nil {
			return at, nil
		}
		at = filepath.Dir(at)
	}
	return "", errors.New("run it inside the repository")
}
