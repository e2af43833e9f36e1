package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	"github.com/sallyport/sallyport/tests/harness"
)

var (
	edgeMetric = regexp.MustCompile(`(sallyport_edge_[a-z_]+)(\{[^}]*\})?`)
	selector   = regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)`)
	grouping   = regexp.MustCompile(`(?:by|on) \(([^)]*)\)`)
)

// What the shipped dashboards and alerts ask for is there, by the names and labels that a node really shows.
func TestDashboardsAndAlertsAskForWhatANodeShows(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback) // with a certificate, which is a whole environment's
	edge := s.Edges()[0]
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	s.Certificate("watched", certificatetest.NewAuthority(t).Issue(t, "watched.test"), "watched.test")
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	s.Expect(edge, "/", nil, http.StatusUnauthorized, "credential_missing")
	metrics := s.Metrics(edge)
	if got := metrics.Sum("sallyport_edge_requests_total", fmt.Sprintf("service=%q", p.Service.Name), `refused="true"`, `status_class="4"`); got != 1 {
		t.Errorf("%v requests of the service count as refused, 1 was", got)
	}
	if got := metrics.Sum("sallyport_edge_upstream_duration_seconds_count", fmt.Sprintf("service=%q", p.Service.Name)); got != 1 {
		t.Errorf("%v requests reached the service, 1 did", got)
	}

	files, err := filepath.Glob("../../deploy/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, file := range append(files, "../../deploy/prometheus/alerts.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(strings.ReplaceAll(string(text), `\"`, `"`)) {
			labels := namesIn(selector, edgeMetric.FindAllString(line, -1))
			if strings.Contains(line, "sallyport_edge_") {
				for _, m := range grouping.FindAllStringSubmatch(line, -1) {
					labels = append(labels, strings.Split(m[1], ", ")...)
				}
			}
			var names []string
			for _, m := range edgeMetric.FindAllStringSubmatch(line, -1) {
				names = append(names, m[1])
				asked++
				if !metrics.Has(m[1]) {
					t.Errorf("%s asks for %s, which the node doesn't show", filepath.Base(file), m[1])
				}
			}
			for _, label := range labels {
				added := label == "instance" || label == "job" // by Prometheus
				if !added && !slices.ContainsFunc(names, func(name string) bool { return metrics.Labelled(name, label) }) {
					t.Errorf("%s asks for the label %s of %v, which they don't have", filepath.Base(file), label, names)
				}
			}
		}
	}
	if asked < 30 {
		t.Errorf("only %d metrics were found in dashboards and alerts", asked)
	}
}

func namesIn(pattern *regexp.Regexp, texts []string) []string {
	var names []string
	for _, text := range texts {
		for _, m := range pattern.FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
	}
	return names
}
