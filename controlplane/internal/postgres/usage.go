package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
)

// Usage keeps what was counted: it is usage.Store.
type Usage struct {
	pool    *pgxpool.Pool
	queries *dbsqlc.Queries
}

var _ usage.Store = (*Usage)(nil)

// Usage returns what this database counted.
func (db *DB) Usage() *Usage { return &Usage{pool: db.pool, queries: db.q} }

// Ingest counts those batches that were never counted. Their receipts and their counts are one
// transaction: the receipts' row locks make a batch that two replicas hold at once count once.
func (u *Usage) Ingest(ctx context.Context, batches []*usagev1.Batch) (counted int, err error) {
	err = pgx.BeginFunc(ctx, u.pool, func(tx pgx.Tx) error {
		queries := u.queries.WithTx(tx)
		fresh, err := takeReceipts(ctx, queries, batches)
		if err != nil || len(fresh) == 0 {
			return err
		}
		counted = len(fresh)
		return queries.AddUsageMinutes(ctx, minutesParams(usage.Merge(fresh)))
	})
	if err != nil {
		return 0, fmt.Errorf("ingest usage: %w", translate(err))
	}
	return counted, nil
}

// takeReceipts returns the batches that were never counted, each once, and notes that they are now.
func takeReceipts(ctx context.Context, queries *dbsqlc.Queries, batches []*usagev1.Batch) ([]*usagev1.Batch, error) {
	distinct := distinctBatches(batches)
	var nodes, boots, environments []string
	var numbers, places []int64
	for i, b := range distinct {
		nodes, boots = append(nodes, b.GetNode()), append(boots, b.GetBoot())
		environments = append(environments, b.GetEnvironment())
		numbers, places = append(numbers, int64(b.GetNumber())), append(places, int64(i))
	}
	err := queries.AddUsageReceipts(ctx, dbsqlc.AddUsageReceiptsParams{Nodes: nodes, Boots: boots, Environments: environments})
	if err != nil {
		return nil, err
	}
	if err := queries.LockUsageReceipts(ctx, dbsqlc.LockUsageReceiptsParams{Nodes: nodes, Boots: boots}); err != nil {
		return nil, err
	}
	// A statement of its own, behind the lock: it sees what the lock's last holder committed.
	fresh, err := queries.ListNewUsageBatches(ctx, dbsqlc.ListNewUsageBatchesParams{Nodes: nodes, Boots: boots, Numbers: numbers, Places: places})
	if err != nil || len(fresh) == 0 {
		return nil, err
	}
	taken := make([]*usagev1.Batch, len(fresh))
	var receipt dbsqlc.ReceiptUsageBatchesParams
	for i, place := range fresh {
		b := distinct[place]
		taken[i] = b
		receipt.Nodes, receipt.Boots = append(receipt.Nodes, b.GetNode()), append(receipt.Boots, b.GetBoot())
		receipt.Numbers = append(receipt.Numbers, int64(b.GetNumber()))
	}
	return taken, queries.ReceiptUsageBatches(ctx, receipt)
}

// distinctBatches drops batches that are there twice: a group may hold a message and its redelivery.
func distinctBatches(batches []*usagev1.Batch) []*usagev1.Batch {
	type name struct {
		node, boot string
		number     uint64
	}
	seen := make(map[name]struct{}, len(batches))
	distinct := make([]*usagev1.Batch, 0, len(batches))
	for _, b := range batches {
		n := name{b.GetNode(), b.GetBoot(), b.GetNumber()}
		if _, twice := seen[n]; !twice {
			seen[n] = struct{}{}
			distinct = append(distinct, b)
		}
	}
	return distinct
}

func minutesParams(rollups []usage.Rollup) dbsqlc.AddUsageMinutesParams {
	var p dbsqlc.AddUsageMinutesParams
	for i := range rollups {
		r := &rollups[i]
		p.Environments = append(p.Environments, r.Environment)
		p.Minutes = append(p.Minutes, r.Minute)
		p.Routes = append(p.Routes, pgtype.UUID{Bytes: r.Route, Valid: true})
		p.Consumers = append(p.Consumers, pgtype.UUID{Bytes: r.Consumer, Valid: true})
		p.StatusClasses = append(p.StatusClasses, r.StatusClass)
		p.Verdicts = append(p.Verdicts, r.Verdict)
		p.Requests = append(p.Requests, r.Requests)
		p.RequestBytes = append(p.RequestBytes, r.RequestBytes)
		p.ResponseBytes = append(p.ResponseBytes, r.ResponseBytes)
		p.DurationsUs = append(p.DurationsUs, r.DurationUs)
	}
	return p
}

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

func usageSQL(environment string, q usage.Question) (sql string, args []any) {
	args = []any{environment, q.FromMinute, q.ToMinute, q.BucketMinutes, q.Limit}
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
	b.WriteString(" FROM usage_minutes WHERE environment = $1 AND minute >= $2 AND minute < $3 AND $4::bigint > 0" + where)
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
		list[i] = pgtype.UUID{Bytes: raw, Valid: true}
	}
	return list
}
