package product

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
	"time"
)

// figures are the measurements of one benchmark by their unit, one of each run.
type figures map[string][]float64

// suite is the benchmarks of one package that something is promised of.
type suite struct {
	what    string // before each row
	module  string // folder of the package
	run     string // which benchmarks
	time    string // -benchtime
	count   int
	promise map[string]string // by the benchmark's name
	show    func(figures) string
}

// suites are what is measured inside the product's packages: what the built programs can't tell apart, or what needs a thousand nodes.
func suites() []suite {
	return []suite{
		{
			what: "edge", module: "./dataplane/internal/edgetest", run: "^(BenchmarkDecision|BenchmarkOneRouteOfMany)$", time: "1s", count: runs,
			promise: map[string]string{
				"Decision/hot": decision, "Decision/skewed": decision, "Decision/spread": decision,
			},
			show: perOperation,
		},
		{
			what: "edge", module: "./dataplane/internal/explain", run: "^BenchmarkExplain$", time: "1s", count: runs,
			show: perOperation,
		},
		{
			what: "edge, decisions traced at the default rate", module: "./dataplane/internal/proxy", run: "^BenchmarkTracing$", time: "5s", count: 3,
			promise: map[string]string{"Tracing/allowed": "≤ 3 % more processor time"},
			show:    share,
		},
		{
			what: "directory of a node", module: "./dataplane/internal/directory", run: "^BenchmarkDirectory$/^keys=1000000$", time: "1s", count: 3,
			promise: map[string]string{"Directory/keys=1000000/delta-of-one-key": "≤ 100 µs"},
			show:    perOperation,
		},
		{
			what: "usage on a node", module: "./dataplane/internal/usage/...", run: "^(BenchmarkRecord|BenchmarkAppend)$", time: "1s", count: runs,
			promise: map[string]string{"Record": "tens of ns, 0 allocs", "Append": "tens of ns, 0 allocs"},
			show:    perOperation,
		},
		{
			what: "usage on the control plane", module: "./controlplane/internal/postgres", run: "^BenchmarkIngest$", time: "2s", count: 3,
			promise: map[string]string{"Ingest/fleet": "≥ 80,000 rows/s"},
			show:    func(f figures) string { return fmt.Sprintf("%.0f rows/s", median(f["rows/s"])) },
		},
		{
			what: "publish", module: "./controlplane/internal/publish", run: "^(BenchmarkOneRouteAtTenThousand|BenchmarkOneRouteGuarded|BenchmarkBatchOfAThousandRoutes)$",
			time: "20x", count: 3,
			promise: map[string]string{"OneRouteAtTenThousand": "≤ 150 ms", "OneRouteGuarded": "≤ 150 ms", "BatchOfAThousandRoutes": "≤ 1 s"},
			show:    perOperation,
		},
		{what: "audit", module: "./controlplane/internal/audit", run: "^BenchmarkAppend$", time: "1s", count: 3, show: recorded},
		{what: "access", module: "./controlplane/internal/access", run: "^BenchmarkPermissionCheck$", time: "1s", count: 3, show: perOperation},
		{
			what: "fleet", module: "./controlplane", run: "^(BenchmarkWriteUntilAllNodesAcked|BenchmarkRevocationUntilNoNodeHoldsTheKey)$", time: "100x", count: 1,
			promise: map[string]string{
				"WriteUntilAllNodesAcked/nodes=100":  "p99 ≤ 50 ms",
				"WriteUntilAllNodesAcked/nodes=1000": "p99 ≤ 250 ms",
				"RevocationUntilNoNodeHoldsTheKey":   "≤ 100 ms",
			},
			show: percentiles,
		},
		{what: "fleet", module: "./controlplane", run: "^BenchmarkRestartWithAFleet$", time: "5x", count: 1, show: percentiles},
	}
}

const decision = "≤ 1 µs, 0 allocs"

// packages runs all suites.
func packages(ctx context.Context, into *report) error {
	root, err := productRoot()
	if err != nil {
		return err
	}
	for _, s := range suites() {
		say(s.what + ": " + s.run)
		if err := s.measure(ctx, root, into); err != nil {
			return err
		}
	}
	return nil
}

func (s suite) measure(ctx context.Context, root string, into *report) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", s.run, "-benchmem",
		"-benchtime", s.time, "-count", strconv.Itoa(s.count), "-timeout", bound.String(), s.module)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w:\n%s", err, out)
	}
	names, all := readBenchmarks(out)
	if len(names) == 0 {
		return fmt.Errorf("no benchmark ran:\n%s", out)
	}
	for _, name := range names {
		into.add(s.what+": "+name, s.promise[name], s.show(all[name]))
	}
	return nil
}

// perOperation shows what one operation takes.
func perOperation(f figures) string {
	took := time.Duration(median(f["ns/op"]))
	measured := fmt.Sprintf("%s, %.0f allocs", short(took), median(f["allocs/op"]))
	if took < time.Microsecond {
		measured = fmt.Sprintf("%.0f ns, %.0f allocs", median(f["ns/op"]), median(f["allocs/op"]))
	}
	if cpu := f["cpu-ns/op"]; len(cpu) > 0 {
		measured += fmt.Sprintf(" (%.0f ns of processor time)", median(cpu))
	}
	if size := f["MB"]; len(size) > 0 {
		measured += fmt.Sprintf(", %.0f MB", median(size))
	}
	return measured
}

// share shows how much more something costs than without it.
func share(f figures) string {
	return fmt.Sprintf("%+.1f %% (%.0f ns instead of %.0f)", median(f["extra-%"]), median(f["on-cpu-ns"]), median(f["off-cpu-ns"]))
}

// recorded shows what a write costs with its event and without.
func recorded(f figures) string {
	return fmt.Sprintf("%.0f µs instead of %.0f", median(f["recorded-µs"]), median(f["bare-µs"]))
}

// percentiles shows a tail.
func percentiles(f figures) string {
	measured := fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", median(f["p50-ms"]), median(f["p99-ms"]))
	if cpu := f["cpu-ms"]; len(cpu) > 0 {
		measured += fmt.Sprintf(", %.0f ms of the control plane's processor time", median(cpu))
	}
	return measured
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
