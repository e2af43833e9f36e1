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
	heard []usage.Heard
}

func (a *answers) Heard(context.Context, string, time.Time, time.Time) ([]usage.Heard, error) {
	return a.heard, nil
}

func (a *answers) Names(_ context.Context, _ string, ids []string) (map[string]string, error) {
	names := map[string]string{}
	for _, id := range ids {
		names[id] = "name of " + id
	}
	return names, nil
}

func (a *answers) Usage(_ context.Context, _ string, q usage.Question) ([]usage.Row, error) {
	a.asked = q
	return a.rows, nil
}

func TestRowShowsExactlyWhatWasGroupedBy(t *testing.T) {
	route := id.New(time.Now())
	a := &answers{rows: []usage.Row{{Key: usage.Key{Minute: 60, Route: route, StatusClass: 2, Verdict: "allowed"}, Sums: usage.Sums{Requests: 7}}}}
	rows, _, err := usage.NewReports(a).Query(t.Context(), "env", usage.Query{GroupBy: []usage.Dimension{usage.ByConsumer, usage.ByRoute, usage.ByRoute}})
	if err != nil {
		t.Fatal(err)
	}
	row := rows[0]
	if row.GetRoute() != id.Text("rt", route) || row.GetRouteName() != "name of "+id.Text("rt", route) || row.GetConsumerName() != "" || row.Consumer == nil || row.GetConsumer() != "" || row.Time != nil || row.StatusClass != nil || row.Verdict != nil || row.GetRequests() != 7 {
		t.Errorf("%v", row)
	}
	if !slices.Equal(a.asked.GroupBy, []usage.Dimension{usage.ByRoute, usage.ByConsumer}) {
		t.Errorf("asked by %v", a.asked.GroupBy)
	}
	rows, _, err = usage.NewReports(a).Query(t.Context(), "env", usage.Query{GroupBy: usage.Dimensions()})
	if err != nil || rows[0].GetTime().AsTime() != time.Unix(3600, 0).UTC() || rows[0].GetStatusClass() != 2 || rows[0].GetVerdict() != "allowed" {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestATimeWithoutEndIsAnsweredWithOneThatCanBeTold(t *testing.T) {
	q := usage.Query{From: time.Now().Add(-time.Hour), To: time.Date(9999, time.December, 31, 23, 59, 59, 999_999_999, time.UTC), Bucket: time.Minute}
	_, coverage, err := usage.NewReports(&answers{}).Query(t.Context(), "env", q)
	if err != nil || !coverage.GetTo().IsValid() {
		t.Errorf("covers %v: %v", coverage, err)
	}
}

func TestTimeAskedForDefaultsToTheLastDayByTheHour(t *testing.T) {
	a := &answers{}
	before := time.Now().Unix() / 60
	if _, _, err := usage.NewReports(a).Query(t.Context(), "env", usage.Query{}); err != nil {
		t.Fatal(err)
	}
	if a.asked.ToMinute < before || a.asked.ToMinute-a.asked.FromMinute < 24*60 || a.asked.BucketMinutes != 60 {
		t.Errorf("%+v", a.asked)
	}
	now := time.Now()
	if _, _, err := usage.NewReports(a).Query(t.Context(), "env", usage.Query{From: now.Add(-time.Hour), To: now}); err != nil || a.asked.BucketMinutes != 1 {
		t.Errorf("%+v, %v", a.asked, err)
	}
}

func TestBadQuestionIsRefusedWithEveryFault(t *testing.T) {
	now := time.Now()
	_, _, err := usage.NewReports(&answers{}).Query(t.Context(), "env", usage.Query{
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
	if _, _, err := usage.NewReports(a).Query(t.Context(), "env", usage.Query{}); problem.CodeOf(err) != problem.TooLarge {
		t.Error(err)
	}
}

func TestMinutesAreAskedForOnlyWhereWholeHoursDoNotSay(t *testing.T) {
	now := time.Now()
	hour := func(at time.Time) int64 { return at.Unix() / 3600 }
	ask := func(q usage.Query) usage.Question {
		t.Helper()
		a := &answers{}
		if _, _, err := usage.NewReports(a).Query(t.Context(), "env", q); err != nil {
			t.Fatal(err)
		}
		return a.asked
	}
	// Within the last two days: to the minute, and the hours in between.
	from := now.Add(-24 * time.Hour).Truncate(time.Hour).Add(20 * time.Minute)
	q := ask(usage.Query{From: from, To: from.Add(3 * time.Hour), Bucket: time.Hour})
	if q.FromMinute != from.Unix()/60 || q.ToMinute != q.FromMinute+180 || q.FromHour != hour(from)+1 || q.ToHour != hour(from)+3 {
		t.Errorf("%+v from %v", q, from)
	}
	// By the minute: no hours at all.
	if q := ask(usage.Query{From: from, To: from.Add(3 * time.Hour), Bucket: time.Minute, GroupBy: []usage.Dimension{usage.ByTime}}); q.FromHour != q.ToHour {
		t.Errorf("%+v", q)
	}
	// Long ago: whole hours, and nothing besides.
	from = now.Add(-240 * time.Hour).Truncate(time.Hour).Add(20 * time.Minute)
	q = ask(usage.Query{From: from, To: from.Add(3 * time.Hour), Bucket: 24 * time.Hour})
	if q.FromHour != hour(from) || q.ToHour != hour(from)+4 || q.FromMinute != q.FromHour*60 || q.ToMinute != q.ToHour*60 || q.BucketMinutes != 24*60 {
		t.Errorf("%+v from %v", q, from)
	}
}

func TestMinutesOfLongAgoAreRefusedInWords(t *testing.T) {
	now := time.Now()
	_, _, err := usage.NewReports(&answers{}).Query(t.Context(), "env", usage.Query{From: now.Add(-50 * time.Hour), To: now, Bucket: time.Minute})
	var refused *problem.Error
	if !errors.As(err, &refused) || len(refused.Errors) != 1 || refused.Errors[0].Pointer != "/bucket" {
		t.Errorf("%v", err)
	}
}

func TestAnswerIsCompleteOnlyWhenNothingIsMissingAndEveryNodeCanBeHeard(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tt := range map[string]struct {
		heard    []usage.Heard
		complete bool
	}{
		"no node":        {nil, true},
		"all there":      {[]usage.Heard{{Node: "a", Batches: 3, LastBatch: at}, {Node: "b"}}, true},
		"dropped events": {[]usage.Heard{{Node: "a", Batches: 3, Dropped: 7}}, true},
		"a gap":          {[]usage.Heard{{Node: "a", Batches: 3}, {Node: "b", Batches: 2, Missing: 1}}, false},
		"a silent node":  {[]usage.Heard{{Node: "a", Batches: 3}, {Node: "b", SilentSince: at}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, coverage, err := usage.NewReports(&answers{heard: tt.heard}).Query(t.Context(), "env", usage.Query{})
			if err != nil || coverage.GetComplete() != tt.complete || len(coverage.GetNodes()) != len(tt.heard) {
				t.Fatalf("%v, %v", coverage, err)
			}
			if !tt.complete && coverage.GetNodes()[0].GetNode() != "b" {
				t.Errorf("the node with something missing isn't first: %v", coverage)
			}
		})
	}
}
