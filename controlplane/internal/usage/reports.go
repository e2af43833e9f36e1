package usage

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Dimension is what usage can be grouped by.
type Dimension string

// Dimensions.
const (
	ByTime        Dimension = "time"
	ByRoute       Dimension = "route"
	ByConsumer    Dimension = "consumer"
	ByStatusClass Dimension = "status_class"
	ByVerdict     Dimension = "verdict"
)

// Dimensions returns all of them, in the order in which rows are sorted.
func Dimensions() []Dimension {
	return []Dimension{ByTime, ByRoute, ByConsumer, ByStatusClass, ByVerdict}
}

// Limits of a question.
const (
	defaultSpan = 24 * time.Hour
	maxRows     = 10_000
	maxFilter   = 100
)

// Query is what a caller asks, as the face read it. Empty filters let everything pass.
type Query struct {
	From, To      time.Time     // [From, To); zero: the day before To, and now
	GroupBy       []Dimension   // none: one row for all
	Bucket        time.Duration // of ByTime: a minute or an hour; 0: a minute up to six hours, else an hour
	Routes        []string      // "rt_…", or "" for requests that no route matched
	Consumers     []string      // "con_…", or "" for requests of nobody known
	StatusClasses []uint32      // 1 to 5
	Verdicts      []string
}

// Question is a Query that was checked, as the store takes it.
type Question struct {
	FromMinute, ToMinute int64 // [FromMinute, ToMinute), since 1970
	GroupBy              []Dimension
	BucketMinutes        int64
	Routes, Consumers    [][16]byte
	StatusClasses        []int16
	Verdicts             []string
	Limit                int // rows; one more is read to know that there are more
}

// Row is one line of an answer. Of Key only what was grouped by is filled.
type Row struct {
	Key
	Sums
}

// Reports answers questions about usage.
type Reports struct {
	store Store
	now   func() time.Time
}

// NewReports returns the reports on store.
func NewReports(store Store) *Reports { return &Reports{store: store, now: time.Now} }

// Query returns the rows that answer q, sorted by time, route, consumer, status class and verdict.
// An answer of more than 10,000 rows is refused: it must be asked for in parts.
func (r *Reports) Query(ctx context.Context, environment string, q Query) ([]*adminv1.UsageRow, error) {
	question, err := q.question(r.now())
	if err != nil {
		return nil, err
	}
	rows, err := r.store.Usage(ctx, environment, question)
	if err != nil {
		return nil, err
	}
	if len(rows) > maxRows {
		return nil, problem.Errorf(problem.TooLarge, "the answer has more than %d rows: ask for less time, or group by less", maxRows)
	}
	answer := make([]*adminv1.UsageRow, len(rows))
	for i := range rows {
		answer[i] = rows[i].message(question.GroupBy)
	}
	return answer, nil
}

func (q Query) question(now time.Time) (Question, error) {
	to, from := q.To, q.From
	if to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-defaultSpan)
	}
	out := Question{
		FromMinute: from.Unix() / 60,
		ToMinute:   (to.Unix() + 59) / 60,
		Verdicts:   q.Verdicts,
		Limit:      maxRows + 1,
	}
	var violations []problem.Violation
	bad := func(pointer, code, detail, given, allowed string) {
		violations = append(violations, problem.Violation{Pointer: pointer, Code: code, Detail: detail, Given: given, Allowed: allowed})
	}
	if !from.Before(to) {
		bad("/from", problem.ViolationOutOfRange, "The time asked for is empty: from must be before to.", from.Format(time.RFC3339), "before "+to.Format(time.RFC3339))
	}
	out.BucketMinutes = bucketMinutes(q.Bucket, to.Sub(from))
	if out.BucketMinutes == 0 {
		bad("/bucket", problem.ViolationInvalidValue, "Usage is kept by the minute.", q.Bucket.String(), "1m or 1h")
	}
	for i, d := range q.GroupBy {
		if !slices.Contains(Dimensions(), d) {
			bad(problem.Pointer("group_by", i), problem.ViolationInvalidValue, "Usage can't be grouped by this.", fmt.Sprintf("%.64s", d), allowedDimensions())
		}
	}
	for _, d := range Dimensions() { // each once, in a fixed order
		if slices.Contains(q.GroupBy, d) {
			out.GroupBy = append(out.GroupBy, d)
		}
	}
	for i, class := range q.StatusClasses {
		if class < 1 || class > 5 {
			bad(problem.Pointer("filter", "status_class", i), problem.ViolationOutOfRange, "There is no such class of status codes.", strconv.FormatUint(uint64(class), 10), "1 to 5")
			continue
		}
		out.StatusClasses = append(out.StatusClasses, int16(class))
	}
	out.Routes = parseIDs(id.Route, "route", q.Routes, bad)
	out.Consumers = parseIDs(id.Consumer, "consumer", q.Consumers, bad)
	for i, verdict := range q.Verdicts {
		if !plain(verdict, maxVerdict) {
			bad(problem.Pointer("filter", "verdict", i), problem.ViolationInvalidValue, "There is no such verdict.", "", "")
		}
	}
	if max(len(q.Routes), len(q.Consumers), len(q.StatusClasses), len(q.Verdicts)) > maxFilter {
		bad("/filter", problem.ViolationTooMany, "A filter lists too many values.", "", fmt.Sprintf("at most %d", maxFilter))
	}
	return out, problem.Invalid(violations...)
}

// bucketMinutes returns 0 for a bucket that isn't kept.
func bucketMinutes(bucket, span time.Duration) int64 {
	switch {
	case bucket == time.Minute, bucket == 0 && span <= 6*time.Hour:
		return 1
	case bucket == time.Hour, bucket == 0:
		return 60
	}
	return 0
}

func allowedDimensions() string {
	names := make([]string, 0, len(Dimensions()))
	for _, d := range Dimensions() {
		names = append(names, string(d))
	}
	return strings.Join(names, ", ")
}

func parseIDs(prefix, field string, texts []string, bad func(pointer, code, detail, given, allowed string)) [][16]byte {
	var ids [][16]byte
	for i, text := range texts {
		if text == "" {
			ids = append(ids, [16]byte{})
			continue
		}
		parsed, err := id.Parse(prefix, text)
		if err != nil {
			bad(problem.Pointer("filter", field, i), problem.ViolationInvalidFormat, "This is not an id.", fmt.Sprintf("%.64s", text), prefix+"_…, or empty for none")
			continue
		}
		ids = append(ids, parsed)
	}
	return ids
}

func (r *Row) message(grouped []Dimension) *adminv1.UsageRow {
	row := &adminv1.UsageRow{
		Requests:      uint64(r.Requests),
		RequestBytes:  uint64(r.RequestBytes),
		ResponseBytes: uint64(r.ResponseBytes),
		DurationUs:    uint64(r.DurationUs),
	}
	for _, d := range grouped {
		switch d {
		case ByTime:
			row.Time = timestamppb.New(time.Unix(r.Minute*60, 0))
		case ByRoute:
			row.Route = idText(id.Route, r.Route)
		case ByConsumer:
			row.Consumer = idText(id.Consumer, r.Consumer)
		case ByStatusClass:
			class := uint32(r.StatusClass)
			row.StatusClass = &class
		case ByVerdict:
			verdict := r.Verdict
			row.Verdict = &verdict
		}
	}
	return row
}

func idText(prefix string, raw [16]byte) *string {
	text := ""
	if !id.ID(raw).IsZero() {
		text = id.Text(prefix, raw)
	}
	return &text
}
