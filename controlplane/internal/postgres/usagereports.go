package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
)

var _ usage.Store = (*Usage)(nil)

// dimensionColumns are the expressions behind what usage is grouped by; one that isn't grouped by is
// a constant.
var dimensionColumns = []struct {
	dimension        usage.Dimension
	grouped, omitted string
}{
	{usage.ByTime, "minute - minute % $4", "0::bigint"},
	{usage.ByRoute, "route", "'00000000-0000-0000-0000-000000000000'::uuid"},
	{usage.ByConsumer, "consumer", "'00000000-0000-0000-0000-000000000000'::uuid"},
	{usage.ByStatusClass, "status_class", "0::smallint"},
	{usage.ByVerdict, "verdict", "''"},
}

// Usage returns the rows that answer a checked question. The statement's text depends on what is
// grouped by and filtered, never on a value.
func (u *Usage) Usage(ctx context.Context, environment string, q usage.Question) ([]usage.Row, error) {
	sql, args := usageSQL(environment, q)
	rows, err := u.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("ask for usage: %w", translate(err))
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (usage.Row, error) {
		r := usage.Row{Key: usage.Key{Environment: environment}}
		err := row.Scan(&r.Minute, &r.Route, &r.Consumer, &r.StatusClass, &r.Verdict,
			&r.Requests, &r.RequestBytes, &r.ResponseBytes, &r.DurationUs)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read usage: %w", translate(err))
	}
	return found, nil
}

// usageSource is the whole hours of a time, and the minutes before and after them; without whole hours
// they are all of it.
const usageSource = `(
	SELECT minute, route, consumer, status_class, verdict, requests, request_bytes, response_bytes, duration_us
	FROM usage_minutes
	WHERE environment = $1 AND minute >= $2 AND minute < $3 AND NOT (minute >= $6::bigint * 60 AND minute < $7::bigint * 60)
	UNION ALL
	SELECT hour * 60, route, consumer, status_class, verdict, requests, request_bytes, response_bytes, duration_us
	FROM usage_hours
	WHERE environment = $1 AND hour >= $6::bigint AND hour < $7::bigint
) AS counted`

func usageSQL(environment string, q usage.Question) (sql string, args []any) {
	args = []any{environment, q.FromMinute, q.ToMinute, q.BucketMinutes, q.Limit, q.FromHour, q.ToHour}
	var selected, grouped []string
	for i, column := range dimensionColumns {
		expression := column.omitted
		for _, d := range q.GroupBy {
			if d == column.dimension {
				expression = column.grouped
				grouped = append(grouped, strconv.Itoa(i+1))
			}
		}
		selected = append(selected, expression)
	}
	where := ""
	filter := func(column string, values any) {
		args = append(args, values)
		where += " AND " + column + " = ANY($" + strconv.Itoa(len(args)) + ")"
	}
	if len(q.Routes) > 0 {
		filter("route", uuids(q.Routes))
	}
	if len(q.Consumers) > 0 {
		filter("consumer", uuids(q.Consumers))
	}
	if len(q.StatusClasses) > 0 {
		filter("status_class", q.StatusClasses)
	}
	if len(q.Verdicts) > 0 {
		filter("verdict", q.Verdicts)
	}
	var b strings.Builder
	b.WriteString("SELECT " + strings.Join(selected, ", "))
	for _, column := range []string{"requests", "request_bytes", "response_bytes", "duration_us"} {
		b.WriteString(", least(sum(" + column + "), 9223372036854775807)::bigint") // a sum of bigints is numeric
	}
	b.WriteString(" FROM " + usageSource + " WHERE $4::bigint > 0" + where)
	if len(grouped) > 0 {
		list := strings.Join(grouped, ", ")
		b.WriteString(" GROUP BY " + list + " ORDER BY " + list)
	} else {
		b.WriteString(" HAVING count(*) > 0")
	}
	b.WriteString(" LIMIT $5")
	return b.String(), args
}

func uuids(ids [][16]byte) []pgtype.UUID {
	list := make([]pgtype.UUID, len(ids))
	for i, raw := range ids {
		list[i] = uuid(raw)
	}
	return list
}

// Credentials implements usage.Store.
func (u *Usage) Credentials(ctx context.Context, environment string, q usage.CredentialQuestion) ([]usage.CredentialRow, error) {
	found, err := u.queries.SumCredentials(ctx, dbsqlc.SumCredentialsParams{
		Environment: environment, FromHour: q.FromHour, ToHour: q.ToHour, BucketHours: q.BucketHours,
		Credentials: uuids(q.Credentials), Consumers: uuids(q.Consumers), Most: int32(q.Limit),
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the use of credentials: %w", translate(err))
	}
	rows := make([]usage.CredentialRow, len(found))
	for i, f := range found {
		rows[i] = usage.CredentialRow{LastUsed: f.LastUsedAt, CredentialCount: usage.CredentialCount{
			CredentialKey: usage.CredentialKey{Environment: environment, Hour: f.Hour, Credential: f.Credential.Bytes},
			Consumer:      f.Consumer.Bytes, Requests: f.Requests,
		}}
	}
	return rows, nil
}

// Requests implements usage.Store.
func (u *Usage) Requests(ctx context.Context, environment string, q usage.RequestQuestion) ([]usage.Request, error) {
	clients := make([]string, len(q.Clients))
	for i, c := range q.Clients {
		clients[i] = c.String()
	}
	found, err := u.queries.SelectRequests(ctx, dbsqlc.SelectRequestsParams{
		Environment: environment, FromMs: q.FromMs, ToMs: q.ToMs, BeforeMs: q.BeforeMs, BeforeNumber: q.BeforeNumber,
		Routes: uuids(q.Routes), Consumers: uuids(q.Consumers), Credentials: uuids(q.Credentials),
		Verdicts: listed(q.Verdicts), ShadowVerdicts: listed(q.ShadowVerdicts), Rules: listed(q.Rules), Statuses: listed(q.Statuses), Nodes: listed(q.Nodes), RequestIds: listed(q.RequestIDs),
		Clients: clients, Most: int32(q.Limit),
	})
	if err != nil {
		return nil, fmt.Errorf("ask for requests: %w", translate(err))
	}
	requests := make([]usage.Request, len(found))
	for i := range found {
		requests[i] = requestOf(&found[i])
	}
	return requests, nil
}

// Request implements usage.Store.
func (u *Usage) Request(ctx context.Context, environment, requestID string) (usage.Request, error) {
	found, err := u.queries.GetRequest(ctx, dbsqlc.GetRequestParams{Environment: environment, RequestID: requestID})
	if err != nil {
		return usage.Request{}, orNotFound(err, "no request %q is listed: allowed ones are a sample, and all are kept for 7 days", requestID)
	}
	return requestOf(&found), nil
}

func requestOf(e *dbsqlc.UsageEvent) usage.Request {
	r := usage.Request{
		Environment: e.Environment, TimeMs: e.TimeMs, Number: e.Number, ID: e.RequestID, Node: e.Node, Method: e.Method, Host: e.Host, Path: e.Path,
		Route: e.Route.Bytes, Consumer: e.Consumer.Bytes, Credential: e.Credential.Bytes, Policy: e.Policy.Bytes,
		Status: e.Status, Verdict: e.Verdict, Revision: e.Revision, DurationUs: e.DurationUs, UpstreamUs: e.UpstreamUs,
		RequestBytes: e.RequestBytes, ResponseBytes: e.ResponseBytes, ShadowVerdict: e.ShadowVerdict, Decision: e.Decision,
	}
	if e.Client != nil {
		r.Client = *e.Client
	}
	return r
}

// returning is how long after its certificate's end a node may still come back with what it counted.
const returning = 30 * 24 * time.Hour

// Heard implements usage.Store.
func (u *Usage) Heard(ctx context.Context, environment string, from, to time.Time) ([]usage.Heard, error) {
	found, err := u.queries.ListUsageCoverage(ctx, dbsqlc.ListUsageCoverageParams{
		Environment: environment, FromTime: from, ToTime: to, ToMinute: to.Unix() / 60, AliveAfter: from.Add(-returning),
	})
	if err != nil {
		return nil, fmt.Errorf("ask what usage covers: %w", translate(err))
	}
	heard := make([]usage.Heard, len(found))
	for i, f := range found {
		heard[i] = usage.Heard{Node: f.Node, Name: f.Name, Batches: uint64(f.Batches), Missing: uint64(f.Missing), Dropped: uint64(f.Dropped)}
		if f.LatestAt.Unix() > 0 {
			heard[i].LastBatch = f.LatestAt
		}
		if f.Silent {
			heard[i].SilentSince = f.HeardAt
		}
	}
	return heard, nil
}

// Names implements usage.Store.
func (u *Usage) Names(ctx context.Context, environment string, ids []string) (map[string]string, error) {
	found, err := u.queries.ListUsageNames(ctx, dbsqlc.ListUsageNamesParams{Environment: environment, Ids: ids})
	if err != nil {
		return nil, fmt.Errorf("ask for names: %w", translate(err))
	}
	names := make(map[string]string, len(found))
	for _, f := range found {
		if _, ranked := names[f.ID]; !ranked {
			names[f.ID] = f.Name
		}
	}
	return names, nil
}

// listed makes a list that isn't there an empty one: to SQL they differ.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
