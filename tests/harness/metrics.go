package harness

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Metrics are the samples that an edge showed at one moment.
type Metrics struct{ samples []sample }

type sample struct {
	name   string
	labels string // as written: kind="api-key",mode="enforce"
	value  float64
}

// Metrics asks the edge for its metrics.
func (e *Edge) Metrics(ctx context.Context) (Metrics, error) {
	answer, err := e.operator(ctx, "/metrics")
	if err != nil {
		return Metrics{}, err
	}
	if answer.Status != http.StatusOK {
		return Metrics{}, fmt.Errorf("the metrics of %s: %s", e.Name, answer)
	}
	return readMetrics(string(answer.Body))
}

// OpenMetrics asks the edge for its metrics in the form that has examples.
func (e *Edge) OpenMetrics(ctx context.Context) (string, error) {
	at := *e
	at.URL = e.AdminURL
	answer, err := at.Do(ctx, Request{Path: "/metrics", Header: http.Header{"Accept": {"application/openmetrics-text; version=1.0.0"}}})
	return string(answer.Body), err
}

// Sum adds up the samples of a metric that have all of these labels (`kind="api-key"`).
func (m Metrics) Sum(name string, labels ...string) float64 {
	var sum float64
	for _, s := range m.samples {
		if s.name == name && s.has(labels) {
			sum += s.value
		}
	}
	return sum
}

// Has tells whether there is any sample of a metric.
func (m Metrics) Has(name string) bool {
	for _, s := range m.samples {
		if s.name == name {
			return true
		}
	}
	return false
}

// Labelled tells whether samples of a metric have a label.
func (m Metrics) Labelled(name, label string) bool {
	for _, s := range m.samples {
		if s.name == name && strings.Contains(","+s.labels, ","+label+"=") {
			return true
		}
	}
	return false
}

func (s sample) has(labels []string) bool {
	for _, label := range labels {
		if !strings.Contains(","+s.labels+",", ","+label+",") {
			return false
		}
	}
	return true
}

// readMetrics reads the text form. The labels of the edge's metrics hold neither quotes nor commas.
func readMetrics(text string) (Metrics, error) {
	var m Metrics
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		series, number, ok := strings.Cut(line, "} ")
		if !ok {
			series, number, ok = strings.Cut(line, " ")
		}
		value, err := strconv.ParseFloat(number, 64)
		if !ok || err != nil {
			return Metrics{}, fmt.Errorf("no sample of a metric: %q", line)
		}
		name, labels, _ := strings.Cut(series, "{")
		m.samples = append(m.samples, sample{name: name, labels: labels, value: value})
	}
	return m, nil
}
