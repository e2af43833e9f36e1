package telemetry

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEveryMetricIsServedWithItsCount(t *testing.T) {
	sources := NewSources()
	sources.Fleet.Nacks.Add(3)
	sources.Fleet.Sessions.Add(2)
	metrics, err := NewMetrics(sources)
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range sources.list() {
		if !strings.HasPrefix(m.name, "sallyport_control_") || !bytes.Contains(body, []byte("\n"+m.name)) {
			t.Errorf("%s isn't served", m.name)
		}
	}
	for _, want := range []string{`sallyport_control_sync_answers_total{result="nack"} 3`, "sallyport_control_sync_streams 2"} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s isn't served", want)
		}
	}
}

func TestLogIsJSONOfTheLevelAskedFor(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, "warn")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("no")
	log.Warn("yes", "n", 1)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["msg"] != "yes" {
		t.Errorf("%s: %v", out.Bytes(), err)
	}
	if _, err := NewLogger(io.Discard, "loud"); err == nil {
		t.Error("an unknown level was taken")
	}
}
