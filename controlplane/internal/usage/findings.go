package usage

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// mostFindings is how many findings a report looks at: the latest.
	mostFindings = 100_000
)

// What makes a rule noise on a route.
const (
	// noisyConsumers is how many consumers a rule must have found something of: one alone may be odd, or hostile.
	noisyConsumers = 3
	// noisyShare of 3 consumers had other requests answered well: their calls are normal ones.
	noisyShare = 2
	// noisyRules is how many rules find something in such a request on average at most: an attack breaks many.
	noisyRules = 2.5
)

// FindingQuery is what a caller asks about findings. Empty filters let everything pass.
type FindingQuery struct {
	From, To                time.Time // [From, To); zero: the day before To, and now
	Routes, Policies, Rules []string
	Page                    listing.Query // of which the limit counts: a report has one page
}

// FindingQuestion is a FindingQuery that was checked.
type FindingQuestion struct {
	FromMs, ToMs     int64 // [FromMs, ToMs), since 1970
	Routes, Policies [][16]byte
	Rules            []string
	MostFindings     int   // that are looked at: the latest
	FirstMinute      int64 // since 1970, of those that are counted by the minute; before, hours are
	Limit            int   // rows: those with the most requests
}

// FindingSum is what one rule found on one route.
type FindingSum struct {
	Route, Policy                             [16]byte
	Rule, Message                             string
	Requests, Refused, ShadowRefused          int64
	Excluded, Consumers, Succeeded, Addresses int64
	RulesPerRequest                           float64
	Target                                    string // where it was found most often
	TargetRequests                            int64
	LastMs                                    int64 // since 1970
	LastRequest                               string
}

// FindingSums are rows of a report, those with the most requests first.
type FindingSums struct {
	Rows []FindingSum
	// All is how many rows there would be without a limit.
	All int64
	// Findings that were looked at, and the time of the oldest of them.
	Findings, OldestMs int64
}

func (q FindingQuery) question(now time.Time) (FindingQuestion, error) {
	var wrong faults
	from, to := wrong.span(q.From, q.To, now)
	out := FindingQuestion{
		FromMs: min(max(from.UnixMilli(), periodsAt(now).firstEventMs), to.UnixMilli()), ToMs: to.UnixMilli(), Rules: q.Rules,
		Routes: wrong.ids(id.Route, "route", q.Routes), Policies: wrong.ids(id.Policy, "policy", q.Policies),
		MostFindings: mostFindings, FirstMinute: periodsAt(now).firstMinute,
	}
	wrong.rules(q.Rules)
	wrong.tooMany(len(q.Routes), len(q.Policies), len(q.Rules))
	plan, err := q.Page.Plan()
	if err != nil {
		return out, err
	}
	out.Limit = plan.Limit
	return out, problem.Invalid(wrong...)
}

// Findings returns which rules found something on which routes, those that did most first, and what that covers.
func (r *Reports) Findings(ctx context.Context, environment string, q FindingQuery) (listing.Page[*adminv1.UsageFindingRow], *adminv1.UsageCoverage, error) {
	var page listing.Page[*adminv1.UsageFindingRow]
	question, err := q.question(r.now())
	if err != nil {
		return page, nil, err
	}
	coverage, err := r.coverage(ctx, environment, time.UnixMilli(question.FromMs), time.UnixMilli(question.ToMs))
	if err != nil {
		return page, nil, err
	}
	sums, err := r.store.Findings(ctx, environment, question)
	if err != nil {
		return page, nil, err
	}
	if sums.Findings >= int64(question.MostFindings) {
		coverage.FindingsFrom = timestamppb.New(time.UnixMilli(sums.OldestMs))
	}
	leftOut := uint32(min(max(sums.All-int64(len(sums.Rows)), 0), mostFindings)) // #nosec G115 -- bounded right here
	coverage.RowsLeftOut = &leftOut
	var ids []string
	for i := range sums.Rows {
		ids = append(ids, idText(id.Route, sums.Rows[i].Route), idText(id.Policy, sums.Rows[i].Policy))
	}
	names, err := r.names(ctx, environment, ids)
	if err != nil {
		return page, nil, err
	}
	page.Items = make([]*adminv1.UsageFindingRow, len(sums.Rows))
	for i := range sums.Rows {
		page.Items[i] = sums.Rows[i].message(names)
	}
	return page, coverage, nil
}

func (s *FindingSum) message(names map[string]string) *adminv1.UsageFindingRow {
	route, policy := idText(id.Route, s.Route), idText(id.Policy, s.Policy)
	noise, reason := s.noise()
	return &adminv1.UsageFindingRow{
		Route: route, RouteName: names[route], Policy: policy, PolicyName: names[policy], Rule: s.Rule, Message: s.Message,
		Requests: uint64(s.Requests), Refused: shown(s.Refused), ShadowRefused: shown(s.ShadowRefused), Excluded: shown(s.Excluded),
		Consumers: shown(s.Consumers), ConsumersSucceeded: shown(s.Succeeded), ConsumersFailed: shown(s.Consumers - s.Succeeded), Addresses: shown(s.Addresses),
		Target: s.Target, TargetRequests: uint64(s.TargetRequests), RulesPerRequest: s.RulesPerRequest,
		LastAt: timestamppb.New(time.UnixMilli(s.LastMs)), LastRequest: s.LastRequest, LikelyNoise: &noise, Reason: reason,
	}
}

// noise tells whether the rule is likely to call normal requests bad on the route, and why. Addresses say nothing of that: it isn't known what else was asked from there.
func (s *FindingSum) noise() (likely bool, reason string) {
	switch {
	case s.Consumers == 0:
		return false, "No consumer is known of these requests, so nothing tells whether who sends them has normal calls too."
	case s.Consumers < noisyConsumers:
		return false, fmt.Sprintf("It found something of %s, and tells of noise from %d on.", count(s.Consumers, "consumer"), noisyConsumers)
	case s.Succeeded*3 < s.Consumers*noisyShare:
		return false, fmt.Sprintf("Only %d of %d consumers had other requests on this route answered well within ten minutes.", s.Succeeded, s.Consumers)
	case s.RulesPerRequest > noisyRules:
		return false, fmt.Sprintf("%d of %d consumers had other requests on this route answered well within ten minutes, but %.1f rules found something in each of these: attacks look like that.",
			s.Succeeded, s.Consumers, s.RulesPerRequest)
	}
	return true, fmt.Sprintf("%d of %d consumers had other requests on this route answered well within ten minutes, and hardly another rule found something in these (%.1f in each): normal calls look like that.",
		s.Succeeded, s.Consumers, s.RulesPerRequest)
}

// shown is a number that answers show even when it is 0.
func shown(n int64) *uint64 {
	u := uint64(n)
	return &u
}

func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
