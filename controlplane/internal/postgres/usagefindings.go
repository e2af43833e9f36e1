package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/proto/problem"
)

// findingsTimeout bounds what one report on findings costs the database.
const findingsTimeout = "20s"

// sumFindings sums up what rules found on routes, those that found most first, of the latest findings that there is room for.
//
// Of each finding of a known consumer it is looked whether the consumer had more requests on the route let pass and answered well, from its minute to the tenth
// behind it, than those in which something was found too. Where minutes aren't kept any more, hours are looked at. Counters are looked up one by one and all else is
// hashed (Findings says so: the planner knows nothing of what is found), so that the cost grows with the findings alone.
const sumFindings = `
	WITH found AS MATERIALIZED (
		SELECT f.time_ms, f.time_ms / 60000 AS minute, f.request_id, f.policy, f.rule, f.message, f.target, f.route, f.consumer, f.client, f.outcome, f.excluded, f.rules
		FROM usage_findings f
		WHERE f.environment = $1 AND f.time_ms >= $2::bigint AND f.time_ms < $3::bigint
		  AND (cardinality($4::uuid[]) = 0 OR f.route = ANY($4::uuid[]))
		  AND (cardinality($5::uuid[]) = 0 OR f.policy = ANY($5::uuid[]))
		  AND (cardinality($6::text[]) = 0 OR f.rule = ANY($6::text[]))
		ORDER BY f.time_ms DESC, f.number DESC
		LIMIT $7
	), callers AS MATERIALIZED (
		SELECT DISTINCT route, consumer, minute FROM found WHERE consumer <> '00000000-0000-0000-0000-000000000000'
	), wanted AS MATERIALIZED (
		SELECT c.route, c.consumer, c.minute, false AS hourly, c.minute + d.after AS at
		FROM callers c CROSS JOIN generate_series(0::bigint, 10::bigint) AS d (after) WHERE c.minute >= $8::bigint
		UNION
		SELECT c.route, c.consumer, c.minute, true, (c.minute + d.after) / 60
		FROM callers c CROSS JOIN (VALUES (0::bigint), (10::bigint)) AS d (after) WHERE c.minute < $8::bigint
	), asked AS MATERIALIZED (
		SELECT DISTINCT route, consumer, hourly, at FROM wanted
	), counted AS MATERIALIZED (
		SELECT a.route, a.consumer, a.hourly, a.at, m.requests
		FROM asked a CROSS JOIN LATERAL (
			SELECT sum(m.requests) AS requests FROM usage_minutes m
			WHERE m.environment = $1 AND m.minute = a.at AND m.route = a.route AND m.consumer = a.consumer AND m.status_class IN (2, 3) AND m.verdict = 'allowed'
		) AS m
		WHERE NOT a.hourly AND m.requests > 0
		UNION ALL
		SELECT a.route, a.consumer, a.hourly, a.at, h.requests
		FROM asked a CROSS JOIN LATERAL (
			SELECT sum(h.requests) AS requests FROM usage_hours h
			WHERE h.environment = $1 AND h.hour = a.at AND h.route = a.route AND h.consumer = a.consumer AND h.status_class IN (2, 3) AND h.verdict = 'allowed'
		) AS h
		WHERE a.hourly AND h.requests > 0
	), flagged AS (
		SELECT f.route, f.consumer, u.hourly, f.time_ms / (CASE WHEN u.hourly THEN 3600000 ELSE 60000 END) AS at, count(*) AS requests
		FROM usage_findings f CROSS JOIN (VALUES (false), (true)) AS u (hourly)
		WHERE f.environment = $1 AND f.time_ms >= (SELECT min(time_ms) FROM found) - 3600000 AND f.time_ms < $3 + 4200000 AND f.first AND f.succeeded
		GROUP BY 1, 2, 3, 4
	), succeeded AS MATERIALIZED (
		SELECT DISTINCT w.route, w.consumer, w.minute
		FROM counted c
		JOIN wanted w USING (route, consumer, hourly, at)
		LEFT JOIN flagged g USING (route, consumer, hourly, at)
		WHERE c.requests > coalesce(g.requests, 0)
	), places AS (
		SELECT DISTINCT ON (t.route, t.policy, t.rule) t.route, t.policy, t.rule, t.target, t.requests
		FROM (SELECT route, policy, rule, target, count(*) AS requests FROM found GROUP BY route, policy, rule, target) AS t
		ORDER BY t.route, t.policy, t.rule, t.requests DESC, t.target
	), latest AS (
		SELECT DISTINCT ON (f.route, f.policy, f.rule) f.route, f.policy, f.rule, f.message, f.request_id, f.time_ms
		FROM found f ORDER BY f.route, f.policy, f.rule, f.time_ms DESC, f.request_id
	), summed AS (
		SELECT f.route, f.policy, f.rule, count(*) AS requests,
			   count(*) FILTER (WHERE f.outcome = 1) AS refused, count(*) FILTER (WHERE f.outcome = 2) AS shadow_refused, count(*) FILTER (WHERE f.excluded) AS excluded,
			   count(DISTINCT f.consumer) FILTER (WHERE f.consumer <> '00000000-0000-0000-0000-000000000000') AS consumers,
			   count(DISTINCT f.consumer) FILTER (WHERE s.minute IS NOT NULL) AS succeeded,
			   count(DISTINCT f.client) FILTER (WHERE f.consumer = '00000000-0000-0000-0000-000000000000') AS addresses,
			   avg(f.rules) AS rules
		FROM found f LEFT JOIN succeeded s USING (route, consumer, minute)
		GROUP BY f.route, f.policy, f.rule
	)
	SELECT s.route, s.policy, s.rule, l.message, s.requests, s.refused, s.shadow_refused, s.excluded, s.consumers, s.succeeded, s.addresses, s.rules::float8 AS rules,
		   p.target, p.requests AS target_requests, l.time_ms AS last_ms, l.request_id AS last_request,
		   count(*) OVER () AS rows, (SELECT count(*) FROM found) AS findings, (SELECT min(time_ms) FROM found)::bigint AS oldest_ms
	FROM summed s JOIN places p USING (route, policy, rule) JOIN latest l USING (route, policy, rule)
	ORDER BY s.requests DESC, s.route, s.policy, s.rule
	LIMIT $9`

// Findings implements usage.Store.
func (u *Usage) Findings(ctx context.Context, environment string, q usage.FindingQuestion) (usage.FindingSums, error) {
	var sums usage.FindingSums
	err := pgx.BeginTxFunc(ctx, u.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = '"+findingsTimeout+"'; SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, sumFindings, environment, q.FromMs, q.ToMs, uuids(q.Routes), uuids(q.Policies), listed(q.Rules), q.MostFindings, q.FirstMinute, q.Limit)
		if err != nil {
			return err
		}
		sums.Rows, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (usage.FindingSum, error) {
			var s usage.FindingSum
			err := row.Scan(&s.Route, &s.Policy, &s.Rule, &s.Message, &s.Requests, &s.Refused, &s.ShadowRefused, &s.Excluded, &s.Consumers, &s.Succeeded, &s.Addresses,
				&s.RulesPerRequest, &s.Target, &s.TargetRequests, &s.LastMs, &s.LastRequest, &sums.All, &sums.Findings, &sums.OldestMs)
			return s, err
		})
		return err
	})
	var failed *pgconn.PgError
	if errors.As(err, &failed) && failed.Code == queryCanceled && ctx.Err() == nil {
		return usage.FindingSums{}, problem.Errorf(problem.TooLarge, "the report takes longer than %s: ask for less time, or for a route", findingsTimeout)
	}
	if err != nil {
		return usage.FindingSums{}, fmt.Errorf("ask for findings: %w", translate(err))
	}
	return sums, nil
}

func findingsParams(findings []usage.Finding) []dbsqlc.AddUsageFindingsParams {
	p := make([]dbsqlc.AddUsageFindingsParams, len(findings))
	for i := range findings {
		f := &findings[i]
		var client *netip.Addr
		if f.Client.IsValid() {
			client = &f.Client
		}
		p[i] = dbsqlc.AddUsageFindingsParams{
			Environment: f.Environment, TimeMs: f.TimeMs, RequestID: f.RequestID, Policy: uuid(f.Policy), Rule: f.Rule, Message: f.Message, Target: f.Target,
			Route: uuid(f.Route), Consumer: uuid(f.Consumer), Client: client, Outcome: int16(f.Outcome), Excluded: f.Excluded,
			First: f.First, Rules: f.Rules, Succeeded: f.Succeeded,
		}
	}
	return p
}
