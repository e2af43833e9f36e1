package usage_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// answers is a usage.Store that answers with rows of the test's choice.
type answers struct {
	usage.Store
	asked usage.Question
	rows  []usage.Row
}

func (a *answers) Usage(_ context.Context, _ string, q usage.Question) ([]usage.Row, error) {
	a.asked = q
	return a.rows, nil
}

func TestRowShowsExactlyWhatWasGroupedBy(t *testing.T) {
	route := id.New(time.Now())
	a := &answers{rows: []usage.Row{{Key: usage.Key{Minute: 60, Route: route, StatusClass: 2, Verdict: "allowed"}, Sums: usage.Sums{Requests: 7}}}}
	rows, err := usage.NewReports(a).Query(t.Context(), "env", usage.Query{GroupBy: []usage.Dimension{usage.ByConsumer, usage.ByRoute, usage.ByRoute}})
	if err != nil {
		t.Fatal(err)
	}
	row := rows[0]
	if row.GetRoute() != id.Text("rt", route) || row.Consumer == nil || row.GetConsumer() != "" || row.Time != nil || row.StatusClass != nil || row.Verdict != nil || row.GetRequests() != 7 {
		t.Errorf("%v", row)
	}
	if !slices.Equal(a.asked.GroupBy, []usage.Dimension{usage.ByRoute, usage.ByConsumer}) {
		t.Errorf("asked by %v", a.asked.GroupBy)
	}
	rows, err = usage.NewReports(a).Query(t.Context(), "env", usage.Query{GroupBy: usage.Dimensions()})
	if err != nil || rows[0].GetTime().AsTime() != time.Unix(3600, 0).UTC() || rows[0].GetStatusClass() != 2 || rows[0].GetVerdict() != "allowed" {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestTimeAskedForDefaultsToTheLastDayByTheHour(t *testing.T) {
	a := &answers{}
	before := time.Now().Unix() / 60
	if _, err := usage.NewReports(a).Query(t.Context(), "env", usage.Query{}); err != nil {
		t.Fatal(err)
	}
	if a.asked.ToMinute < before || a.asked.ToMinute-a.asked.FromMinute < 24*60 || a.asked.BucketMinutes != 60 {
		t.Errorf("%+v", a.asked)
	}
	now := time.Now()
	if _, err := usage.NewReports(a).Query(t.Context(), "env", usage.Query{From: now.Add(-time.Hour), To: now}); err != nil || a.asked.BucketMinutes != 1 {
		t.Errorf("%+v, %v", a.asked, err)
	}
}

func TestBadQuestionIsRefusedWithEveryFault(t *testing.T) {
	now := time.Now()
	_, err := usage.NewReports(&answers{}).Query(t.Context(), "env", usage.Query{
		From: now, To: now, Bucket: time.Second, GroupBy: []usage.Dimension{"planet"},
		Routes: []string{"con_x"}, Consumers: []string{"x"}, StatusClasses: []uint32{6}, Verdicts: []string{"\x00"},
	})
	var refused *problem.Error
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	var pointers []string
	for _, v := range refused.Errors {
		pointers = append(pointers, v.Pointer)
	}
	want := []string{"/from", "/bucket", "/group_by/0", "/filter/status_class/0", "/filter/route/0", "/filter/consumer/0", "/filter/verdict/0"}
	if !slices.Equal(pointers, want) {
		t.Errorf("%v", pointers)
	}
}

func TestAnswerThatIsTooLongIsRefused(t *testing.T) {
	a := &answers{rows: make([]usage.Row, 10_001)}
	if _, err := usage.NewReports(a).Query(t.Context(), "env", usage.Query{}); problem.CodeOf(err) != problem.TooLarge {
		t.Error(err)
	}
}
