package usage

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Store answers questions that were checked.
type Store interface {
	// Usage returns rows in the order of their dimensions.
	Usage(ctx context.Context, environment string, q Question) ([]Row, error)
	// Credentials returns rows in the order of time and credential.
	Credentials(ctx context.Context, environment string, q CredentialQuestion) ([]CredentialRow, error)
	// Requests returns the newest first.
	Requests(ctx context.Context, environment string, q RequestQuestion) ([]Request, error)
	// Request returns a request by the id that its client was given; problem.NotFound when it isn't listed.
	Request(ctx context.Context, environment, requestID string) (Request, error)
	// Findings returns what rules found, by route, policy and rule, those that found most first.
	Findings(ctx context.Context, environment string, q FindingQuestion) (FindingSums, error)
	// Heard returns, of each node, what was heard of it for a time.
	Heard(ctx context.Context, environment string, from, to time.Time) ([]Heard, error)
	// Names returns the names of routes, policies, consumers and API keys, of deleted ones the last.
	Names(ctx context.Context, environment string, ids []string) (map[string]string, error)
}

// Row is one line of an answer. Of Key only what was grouped by is filled.
type Row struct {
	Key
	Sums
}

// CredentialRow is one line of an answer about credentials.
type CredentialRow struct {
	CredentialCount           // Hour: the bucket's first, or 0
	LastUsed        time.Time // ever
}

// Reports answers questions about usage.
type Reports struct {
	store Store
	now   func() time.Time
}

// NewReports returns the reports on store.
func NewReports(store Store) *Reports { return &Reports{store: store, now: time.Now} }

// Query returns the rows that answer q, sorted by time, route, consumer, status class and verdict, and what
// they cover. An answer of more than 10,000 rows is refused: it must be asked for in parts.
func (r *Reports) Query(ctx context.Context, environment string, q Query) ([]*adminv1.UsageRow, *adminv1.UsageCoverage, error) {
	question, err := q.question(r.now())
	if err != nil {
		return nil, nil, err
	}
	// What it covers is read first: a batch that comes in between then is in the rows and not in the
	// coverage, never the other way round.
	coverage, err := r.coverage(ctx, environment, time.Unix(question.FromMinute*60, 0), time.Unix(question.ToMinute*60, 0))
	if err != nil {
		return nil, nil, err
	}
	rows, err := r.store.Usage(ctx, environment, question)
	if err != nil {
		return nil, nil, err
	}
	if len(rows) > maxRows {
		return nil, nil, tooLong()
	}
	var ids []string
	for i := range rows {
		ids = append(ids, idText(id.Route, rows[i].Route), idText(id.Consumer, rows[i].Consumer))
	}
	names, err := r.names(ctx, environment, ids)
	if err != nil {
		return nil, nil, err
	}
	answer := make([]*adminv1.UsageRow, len(rows))
	for i := range rows {
		answer[i] = rows[i].message(question.GroupBy, names)
	}
	return answer, coverage, nil
}

// Credentials returns how often credentials were used, sorted by time and credential.
func (r *Reports) Credentials(ctx context.Context, environment string, q CredentialQuery) ([]*adminv1.UsageCredentialRow, *adminv1.UsageCoverage, error) {
	question, err := q.question(r.now())
	if err != nil {
		return nil, nil, err
	}
	coverage, err := r.coverage(ctx, environment, time.Unix(question.FromHour*3600, 0), time.Unix(question.ToHour*3600, 0))
	if err != nil {
		return nil, nil, err
	}
	rows, err := r.store.Credentials(ctx, environment, question)
	if err != nil {
		return nil, nil, err
	}
	if len(rows) > maxRows {
		return nil, nil, tooLong()
	}
	var ids []string
	for i := range rows {
		ids = append(ids, idText(id.APIKey, rows[i].Credential), idText(id.Password, rows[i].Credential), idText(id.Consumer, rows[i].Consumer))
	}
	names, err := r.names(ctx, environment, ids)
	if err != nil {
		return nil, nil, err
	}
	answer := make([]*adminv1.UsageCredentialRow, len(rows))
	for i := range rows {
		answer[i] = rows[i].message(names)
		if question.BucketHours > 0 {
			answer[i].Time = timestamppb.New(time.Unix(rows[i].Hour*3600, 0))
		}
	}
	return answer, coverage, nil
}

// Requests returns a page of single requests, the newest first.
func (r *Reports) Requests(ctx context.Context, environment string, q RequestQuery) (listing.Page[*adminv1.AnsweredRequest], *adminv1.UsageCoverage, error) {
	var page listing.Page[*adminv1.AnsweredRequest]
	question, err := q.question(r.now())
	if err != nil {
		return page, nil, err
	}
	plan, err := q.Page.Plan()
	if err != nil {
		return page, nil, err
	}
	if question.BeforeMs, question.BeforeNumber, err = parsePlace(plan.After); err != nil {
		return page, nil, err
	}
	question.Limit = plan.Limit + 1
	coverage, err := r.coverage(ctx, environment, time.UnixMilli(question.FromMs), time.UnixMilli(question.ToMs))
	if err != nil {
		return page, nil, err
	}
	found, err := r.store.Requests(ctx, environment, question)
	if err != nil {
		return page, nil, err
	}
	places := listing.PageOf(plan, found, func(f Request) string { return place(f.TimeMs, f.Number) })
	page.Next = places.Next
	page.Items, err = r.requestMessages(ctx, environment, places.Items)
	return page, coverage, err
}

// Request returns a single request, with how it was decided, by the id that its client was given.
func (r *Reports) Request(ctx context.Context, environment, requestID string) (*adminv1.AnsweredRequest, error) {
	found, err := r.store.Request(ctx, environment, requestID)
	if err != nil {
		return nil, err
	}
	decision, err := found.decided()
	if err != nil {
		return nil, err
	}
	names, err := r.names(ctx, environment, append(found.ids(), namesIn(decision)...))
	if err != nil {
		return nil, err
	}
	m := found.message(names)
	m.Decision = decisionMessage(decision, names)
	return m, nil
}

func (r *Reports) requestMessages(ctx context.Context, environment string, found []Request) ([]*adminv1.AnsweredRequest, error) {
	var ids []string
	for i := range found {
		ids = append(ids, found[i].ids()...)
	}
	names, err := r.names(ctx, environment, ids)
	if err != nil {
		return nil, err
	}
	messages := make([]*adminv1.AnsweredRequest, len(found))
	for i := range found {
		messages[i] = found[i].message(names)
	}
	return messages, nil
}

func (r *Reports) names(ctx context.Context, environment string, ids []string) (map[string]string, error) {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > 0 && ids[0] == "" {
		ids = ids[1:]
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return r.store.Names(ctx, environment, ids)
}

func tooLong() error {
	return problem.Errorf(problem.TooLarge, "the answer has more than %d rows: ask for less time, or group by less", maxRows)
}

// place names a request in the order of lists.
func place(ms, number int64) string {
	return strconv.FormatInt(ms, 10) + "." + strconv.FormatInt(number, 10)
}

// parsePlace returns the place of the last request of the page before; without one, behind all.
func parsePlace(text string) (ms, number int64, err error) {
	if text == "" {
		return math.MaxInt64, math.MaxInt64, nil
	}
	first, second, _ := strings.Cut(text, ".")
	ms, err = strconv.ParseInt(first, 10, 64)
	number, wrong := strconv.ParseInt(second, 10, 64)
	if err != nil || wrong != nil {
		return 0, 0, problem.Invalid(problem.Violation{
			Pointer: "/cursor", Code: problem.ViolationInvalidValue, Detail: "The cursor is of another list.",
		})
	}
	return ms, number, nil
}

func (r *Row) message(grouped []Dimension, names map[string]string) *adminv1.UsageRow {
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
			row.Route, row.RouteName = named(id.Route, r.Route, names)
		case ByConsumer:
			row.Consumer, row.ConsumerName = named(id.Consumer, r.Consumer, names)
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

func named(prefix string, raw [16]byte, names map[string]string) (text, name *string) {
	found := idText(prefix, raw)
	called := names[found]
	return &found, &called
}

// credentialText names a credential as what it is: nodes tell its number alone, and whose name that is says whether it is a password's.
func credentialText(raw [16]byte, names map[string]string) string {
	key := idText(id.APIKey, raw)
	if password := idText(id.Password, raw); names[key] == "" && names[password] != "" {
		return password
	}
	return key
}

func (r *CredentialRow) message(names map[string]string) *adminv1.UsageCredentialRow {
	credential, consumer := credentialText(r.Credential, names), idText(id.Consumer, r.Consumer)
	return &adminv1.UsageCredentialRow{
		Credential: credential, CredentialName: names[credential], Consumer: consumer, ConsumerName: names[consumer],
		Requests: uint64(r.Requests), LastUsedAt: timestamppb.New(r.LastUsed),
	}
}

// ids are those of what a request speaks of.
func (r *Request) ids() []string {
	return []string{idText(id.Route, r.Route), idText(id.Consumer, r.Consumer), idText(id.APIKey, r.Credential), idText(id.Password, r.Credential), idText(id.Policy, r.Policy)}
}

func (r *Request) message(names map[string]string) *adminv1.AnsweredRequest {
	route, consumer := idText(id.Route, r.Route), idText(id.Consumer, r.Consumer)
	credential, policy := credentialText(r.Credential, names), idText(id.Policy, r.Policy)
	m := &adminv1.AnsweredRequest{
		RequestId: r.ID, Time: timestamppb.New(time.UnixMilli(r.TimeMs)), Node: r.Node,
		Method: r.Method, Host: r.Host, Path: r.Path,
		Route: route, RouteName: names[route], Consumer: consumer, ConsumerName: names[consumer],
		Credential: credential, CredentialName: names[credential], Policy: policy, PolicyName: names[policy],
		Status: uint32(r.Status), Verdict: r.Verdict, Revision: uint64(r.Revision),
		DurationUs: uint64(r.DurationUs), UpstreamUs: uint64(r.UpstreamUs),
		RequestBytes: uint64(r.RequestBytes), ResponseBytes: uint64(r.ResponseBytes), ShadowVerdict: r.ShadowVerdict,
	}
	if r.Client.IsValid() {
		m.Client = r.Client.String()
	}
	return m
}

// Heard is what is known of a node's batches for a time.
type Heard struct {
	Node, Name       string
	Batches, Missing uint64
	Dropped          uint64    // rejected requests that it had no room to list
	LastBatch        time.Time // of all times; zero: none
	SilentSince      time.Time // zero: it can be heard, or can't have answered requests in that time
}

// maxNodes is how many nodes an answer lists.
const maxNodes = 200

// Coverage says what is known of the requests of a time, and what is known to be missing.
func (r *Reports) Coverage(ctx context.Context, environment string, from, to time.Time) (*adminv1.UsageCoverage, error) {
	return r.coverage(ctx, environment, from, to)
}

// coverage says what an answer for a time covers, and what is known to be missing in it.
func (r *Reports) coverage(ctx context.Context, environment string, from, to time.Time) (*adminv1.UsageCoverage, error) {
	heard, err := r.store.Heard(ctx, environment, from, to)
	if err != nil {
		return nil, err
	}
	var missing, dropped uint64
	var silent uint32
	for _, h := range heard {
		missing = min(missing+h.Missing, mostSum)
		dropped = min(dropped+h.Dropped, mostSum)
		if !h.SilentSince.IsZero() {
			silent++
		}
	}
	complete := missing == 0 && silent == 0
	c := &adminv1.UsageCoverage{
		From: timestamppb.New(from), To: timestamppb.New(to), Complete: &complete,
		MissingBatches: &missing, SilentNodes: &silent, DroppedRequests: &dropped,
	}
	slices.SortStableFunc(heard, func(a, b Heard) int {
		return cmp.Or(cmp.Compare(b.Missing, a.Missing), b.SilentSince.Compare(a.SilentSince))
	})
	for _, h := range heard[:min(len(heard), maxNodes)] {
		c.Nodes = append(c.Nodes, h.message())
	}
	return c, nil
}

func (h Heard) message() *adminv1.UsageNode {
	m := &adminv1.UsageNode{Node: h.Node, Name: h.Name, Batches: h.Batches, MissingBatches: h.Missing, DroppedRequests: h.Dropped}
	if !h.LastBatch.IsZero() {
		m.LastBatchAt = timestamppb.New(h.LastBatch)
	}
	if !h.SilentSince.IsZero() {
		m.SilentSince = timestamppb.New(h.SilentSince)
	}
	return m
}
