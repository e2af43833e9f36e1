package admin

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/rates"
	"github.com/sallyport/sallyport/proto/id"
)

type node struct {
	status  Status
	samples []Sample
}

func (n node) Status() Status { return n.status }

func (n node) Samples(yield func(Sample)) {
	for _, s := range n.samples {
		yield(s)
	}
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

func TestANodeWithoutConfigurationIsAliveButNotReady(t *testing.T) {
	h := Handler(node{})
	if code, _ := get(t, h, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz is %d", code)
	}
	if code, _ := get(t, h, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz is %d, want 503", code)
	}
	if code, _ := get(t, Handler(node{status: Status{Ready: true}}), "/readyz"); code != http.StatusOK {
		t.Errorf("/readyz of a ready node is %d, want 200", code)
	}
}

func TestStatusTellsThePosition(t *testing.T) {
	_, body := get(t, Handler(node{status: Status{Revision: 42, Sequence: 9001}}), "/status")
	if !strings.Contains(body, `"revision":42`) || !strings.Contains(body, `"sequence":9001`) {
		t.Errorf("/status: %s", body)
	}
}

func TestMetricsAreThoseOfTheList(t *testing.T) {
	code, body := get(t, Handler(node{samples: []Sample{{Metric: StageVerdicts, Labels: []string{"api-key", "enforce", "passed"}, Value: 3}}}), "/metrics")
	if want := StageVerdicts + `{kind="api-key",mode="enforce",verdict="passed"} 3`; code != http.StatusOK || !strings.Contains(body, want) {
		t.Errorf("/metrics is %d and has no line %q", code, want)
	}
	if code, _ := get(t, Handler(node{samples: []Sample{{Metric: "made_up"}}}), "/metrics"); code != http.StatusInternalServerError {
		t.Errorf("a metric outside of the list: %d, want 500", code)
	}
}

func TestAHistogramIsReadOutWithAnExampleOfABucket(t *testing.T) {
	table := rates.NewTable()
	table.Of(id.ID{1}, "orders").Record(0, rates.Request{Status: 200, Whole: 3 * time.Millisecond, Trace: "4bf92f3577b34da6a3ce929d0e0e4736"})
	var samples []Sample
	for service, counts := range table.All() {
		samples = append(samples, Sample{Metric: RequestSeconds, Labels: []string{service}, Histogram: &counts.Whole, Examples: counts.Samples})
	}
	h := Handler(node{samples: samples})
	if _, body := get(t, h, "/metrics"); !strings.Contains(body, RequestSeconds+`_bucket{service="orders",le="0.005"} 1`) {
		t.Errorf("no bucket in\n%s", body)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request)
	if want := `le="0.005"} 1 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.003`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("no example %q in\n%s", want, w.Body)
	}
	if code, _ := get(t, Handler(node{samples: []Sample{{Metric: RequestSeconds, Labels: []string{"orders"}, Value: 1}}}), "/metrics"); code != http.StatusInternalServerError {
		t.Errorf("a histogram without buckets: %d, want 500", code)
	}
}

func TestTheAdminListenerStaysOnLoopback(t *testing.T) {
	if listener, err := Listen(t.Context(), "0.0.0.0:0"); err == nil {
		_ = listener.Close()
		t.Error("the admin listener was opened to the network")
	}
	listener, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
}
