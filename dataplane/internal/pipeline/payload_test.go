package pipeline_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
)

// reading is a stage that wants so many bytes of a body.
func reading(most int64) func(*pipeline.Exchange) error {
	return func(ex *pipeline.Exchange) error {
		_, err := ex.ReadBody(most)
		return err
	}
}

// bodied runs stages, each in its mode, on a body of unknown length.
func bodied(t *testing.T, memory *payload.Memory, body io.Reader, stages ...pipeline.Attached) (*pipeline.Exchange, *pipeline.Metrics) {
	t.Helper()
	metrics := pipeline.NewMetrics([]pipeline.Binding{{Kind: policy.Kind{Name: "reader"}}})
	runner := &pipeline.Runner{
		Metrics: metrics, Memory: memory, Logger: slog.New(slog.DiscardHandler), Clock: func() time.Time { return time.Unix(1000, 0) },
	}
	ex := new(pipeline.Pool).Get()
	ex.Request.Body, ex.Request.ContentLength = body, -1
	_ = runner.Stages(stages).Run(ex) // it is the exchange's too
	return ex, metrics
}

func reader(name string, mode pipeline.Mode, request func(*pipeline.Exchange) error) pipeline.Attached {
	return pipeline.Attached{Policy: &pipeline.Policy{
		ID: id.ID{name[0]}, Name: name, Kind: policy.Kind{Name: "reader"}, Mode: mode, Stage: requests(request),
	}}
}

// verdicts returns how often stages in a mode have said something.
func verdicts(m *pipeline.Metrics, mode pipeline.Mode, verdict problem.Code) (n uint64) {
	for series, count := range m.All() {
		if series.Mode == mode && series.Verdict == verdict {
			n += count
		}
	}
	return n
}

type requests func(*pipeline.Exchange) error

func (r requests) Request(ex *pipeline.Exchange) error { return r(ex) }

func TestWhateverOrderALimitAndAReaderComeInTheLimitHoldsAndIsTheOneThatRefuses(t *testing.T) {
	t.Parallel()
	refusal := &pipeline.Rejection{Code: problem.BodyTooLarge, Policy: "limit", PolicyID: id.ID{'l'}}
	limiting := reader("limit", pipeline.Enforce, func(ex *pipeline.Exchange) error {
		ex.LimitBody(4, refusal)
		return nil
	})
	for name, stages := range map[string][]pipeline.Attached{
		"limit, reader":                 {limiting, reader("reader", pipeline.Enforce, reading(100))},
		"limit, reader in shadow":       {limiting, reader("reader", pipeline.Shadow, reading(100))},
		"reader, limit, reader":         {reader("first", pipeline.Enforce, reading(2)), limiting, reader("second", pipeline.Enforce, reading(100))},
		"a greedy reader, limit, other": {reader("first", pipeline.Enforce, reading(100)), limiting, reader("second", pipeline.Shadow, reading(100))},
	} {
		ex, metrics := bodied(t, nil, iotest.OneByteReader(strings.NewReader("0123456789")), stages...)
		if ex.Rejection == nil || ex.Rejection.Code != problem.BodyTooLarge || ex.Rejection.Policy != "limit" || ex.ShadowVerdict != "" {
			t.Errorf("%s: %+v, in shadow %q", name, ex.Rejection, ex.ShadowVerdict)
		}
		if got := verdicts(metrics, pipeline.Enforce, problem.BodyTooLarge); got != 1 {
			t.Errorf("%s: it is counted %d times", name, got)
		}
		if refusal.Policy != "limit" || len(refusal.Violations) > 0 {
			t.Errorf("%s: the limit's own refusal was written to", name)
		}
	}
	// Where nobody reads on, the transport does.
	ex, _ := bodied(t, nil, strings.NewReader("0123456789"), reader("first", pipeline.Enforce, reading(6)), limiting)
	if got, err := io.ReadAll(ex.Request.Body); string(got) != "0123" || !errors.Is(err, refusal) {
		t.Errorf("the service gets %q, %v", got, err)
	}
}

func TestAClientThatLeavesIsNoVerdictOfWhoReads(t *testing.T) {
	t.Parallel()
	gone := &pipeline.Rejection{Code: problem.ClientGone, Reason: "gone"}
	for _, mode := range []pipeline.Mode{pipeline.Enforce, pipeline.Shadow} {
		ran := false
		ex, metrics := bodied(t, nil, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(gone)), reader("reader", mode, reading(100)),
			reader("behind", pipeline.Enforce, func(*pipeline.Exchange) error { ran = true; return nil }))
		if ex.Rejection == nil || ex.Rejection.Code != problem.ClientGone || ex.Rejection.Policy != "" || ex.ShadowVerdict != "" || ran {
			t.Errorf("%v: %+v, in shadow %q, and what is behind ran: %t", mode, ex.Rejection, ex.ShadowVerdict, ran)
		}
		if verdicts(metrics, mode, problem.ClientGone) != 0 {
			t.Errorf("%v: it is counted as a verdict", mode)
		}
	}
}

func TestWantOfMemoryRefusesOnlyWhereItIsEnforced(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("a", 20_000)
	ex, _ := bodied(t, payload.NewMemory(10_000), strings.NewReader(body), reader("reader", pipeline.Enforce, reading(50_000)))
	if ex.Rejection == nil || ex.Rejection.Code != problem.NodeBusy || ex.Rejection.Header.Get("Retry-After") == "" {
		t.Errorf("%+v", ex.Rejection)
	}
	memory := payload.NewMemory(10_000)
	ex, _ = bodied(t, memory, strings.NewReader(body), reader("reader", pipeline.Shadow, reading(50_000)))
	if got, err := io.ReadAll(ex.Request.Body); ex.Rejection != nil || ex.ShadowVerdict != problem.NodeBusy || err != nil || string(got) != body {
		t.Errorf("in shadow: %+v, %q; the service gets %d bytes, %v", ex.Rejection, ex.ShadowVerdict, len(got), err)
	}
	if ex.Reset(); memory.Used() != 0 {
		t.Errorf("%d bytes are still taken", memory.Used())
	}
}

func TestARefusalNamesNoMorePlacesThanItMayAndForgetsThem(t *testing.T) {
	t.Parallel()
	ex := new(pipeline.Pool).Get()
	r := ex.Reject(problem.JSONRefused, "", "")
	for range 2 * pipeline.MaxViolations {
		r.Violate(problem.Violation{Pointer: "/a\"b", Code: problem.ViolationTooLong, Detail: "too long"})
	}
	ex.Refuse(r)
	ex.Answer()
	answer, err := io.ReadAll(ex.Response.Body)
	if n := bytes.Count(answer, []byte(`{"pointer":"/a\"b","code":"too_long","detail":"too long"}`)); err != nil || n != pipeline.MaxViolations {
		t.Errorf("%d places are named: %s", n, answer)
	}
	ex.Reset()
	ex.Refuse(ex.Reject(problem.JSONRefused, "", ""))
	ex.Answer()
	if answer, _ := io.ReadAll(ex.Response.Body); bytes.Contains(answer, []byte("errors")) {
		t.Errorf("the next request is told of them: %s", answer)
	}
}
