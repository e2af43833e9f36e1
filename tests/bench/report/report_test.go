package report

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

func sample() *Report {
	return &Report{
		Machine: "go1.26, 2 processors, a test",
		Notes:   []string{"Caddy isn't installed and left out."},
		Expectations: []Expectation{
			{"plain GET, CPU per request", "≤ 1.0× nginx", "0.97×"},
			{"a | in a cell", "≤ 60 MB", "not measured"},
		},
		Scenarios: []Scenario{
			{
				Title: "Plain GET", About: "Requests of 100 bytes.", Unit: "request", Base: "nginx",
				Rows: []Row{
					{Name: "Sallyport", Processor: 13.25, Ratio: 0.967, Rate: 74211.4, Busy: 0.99, OpenRate: 51948, P50: 84 * time.Microsecond, P99: 1234567 * time.Nanosecond, TailRatio: 1.1, Memory: 31_400_000},
					{Name: "nginx", Processor: 13.7, Ratio: 1, Rate: 71994, Busy: 0.98, OpenRate: 50395, P50: 80 * time.Microsecond, P99: 1100 * time.Microsecond, TailRatio: 1, Memory: 12_000_000, Failed: 3},
					{Name: "Slow & <old>", Processor: 137, Ratio: 10, Rate: 7199, Busy: 1, P50: 20 * time.Millisecond, P99: 2 * time.Second, TailRatio: 1818, Memory: 120_000_000},
				},
				Notes: []string{"3 failed: answered 503."},
			},
			{
				Title: "10,000 idle connections", Unit: "request", Base: "nginx",
				Rows: []Row{{Name: "Sallyport", Memory: 80_000_000, Growth: 48_500_000}, {Name: "nginx", Lacks: "not yet |\n never"}},
			},
		},
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("it isn't %s (%v); -update writes it:\n%s", path, err, got)
	}
}

func TestThePageIsAsReviewed(t *testing.T) { golden(t, "report.md", sample().Markdown("report.svg")) }

func TestTheChartIsAsReviewedAndWellFormed(t *testing.T) {
	chart := sample().Chart()
	golden(t, "report.svg", chart)
	for decoder := xml.NewDecoder(strings.NewReader(chart)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReportOfNothingIsStillAPage(t *testing.T) {
	var r Report
	if page := r.Markdown("x.svg"); !strings.Contains(page, "Expected and measured") {
		t.Errorf("the page is %q", page)
	}
	if chart := r.Chart(); !strings.HasSuffix(chart, "</svg>\n") {
		t.Errorf("the chart is %q", chart)
	}
}

func TestWhatWasNotMeasuredSaysSo(t *testing.T) {
	for got, want := range map[string]string{
		Ratio(0): "not measured", Ratio(1.049): "1.05×", Megabytes(0): "not measured", Megabytes(59_990_000): "60.0 MB",
		short(1500 * time.Millisecond): "1.5s", short(12345 * time.Microsecond): "12.3ms",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
