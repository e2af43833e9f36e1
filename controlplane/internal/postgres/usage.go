package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
)

// Usage keeps what was counted: it is usage.Ledger, usage.Store and usage.Partitions.
type Usage struct {
	pool    *pgxpool.Pool
	queries *dbsqlc.Queries
}

var _ usage.Ledger = (*Usage)(nil)

// Usage returns what this database counted.
func (db *DB) Usage() *Usage { return &Usage{pool: db.pool, queries: db.q} }

// Ingest counts those batches that were never counted. Their receipts and their counts are one
// transaction: the receipts' row locks make a batch that two replicas hold at once count once. A new
// database, and one whose clock went ahead, has no partitions yet for now: they are made, once.
func (u *Usage) Ingest(ctx context.Context, batches []*usagev1.Batch) (usage.Taken, error) {
	taken, err := u.ingest(ctx, batches)
	if lacksPartition(err) {
		if err = u.makePartitions(ctx); err == nil {
			taken, err = u.ingest(ctx, batches)
		}
	}
	if err != nil {
		return usage.Taken{}, fmt.Errorf("ingest usage: %w", untakeable(err))
	}
	return taken, nil
}

func (u *Usage) ingest(ctx context.Context, batches []*usagev1.Batch) (taken usage.Taken, err error) {
	err = pgx.BeginFunc(ctx, u.pool, func(tx pgx.Tx) error {
		queries := u.queries.WithTx(tx)
		fresh, err := lockReceipts(ctx, queries, batches)
		if err != nil || len(fresh) == 0 {
			return err
		}
		now, err := queries.UsageTime(ctx)
		if err != nil {
			return err
		}
		intake := usage.Tally(fresh, now)
		taken = intake.Taken
		return addIntake(ctx, queries, fresh, &intake)
	})
	return taken, err
}

// addIntake adds to each table in a fixed order, and to the rows of each in a fixed order, so that
// transactions that add to the same rows wait for each other and never in a circle.
func addIntake(ctx context.Context, queries *dbsqlc.Queries, fresh []*usagev1.Batch, in *usage.Intake) error {
	if err := queries.ReceiptUsageBatches(ctx, receiptParams(fresh, in.FirstMinutes)); err != nil {
		return err
	}
	if err := queries.AddUsageMinutes(ctx, minutesParams(in.Minutes)); err != nil {
		return err
	}
	if err := queries.AddUsageHours(ctx, hoursParams(in.Hours)); err != nil {
		return err
	}
	if len(in.Uses) > 0 {
		if err := queries.AddUsageCredentials(ctx, credentialsParams(in.Credentials)); err != nil {
			return err
		}
		if err := queries.AddCredentialUse(ctx, usesParams(in.Uses)); err != nil {
			return err
		}
	}
	if len(in.Requests) == 0 {
		return nil
	}
	if _, err := queries.AddUsageEvents(ctx, eventsParams(in.Requests)); err != nil || len(in.Findings) == 0 {
		return err
	}
	_, err := queries.AddUsageFindings(ctx, findingsParams(in.Findings))
	return err
}

// SQLSTATEs of rows that a table can't have.
const (
	checkViolation     = "23514"
	classDataException = "22"
	classIntegrity     = "23"
)

// lacksPartition tells whether a row had no partition to go to.
func lacksPartition(err error) bool {
	var failed *pgconn.PgError
	return errors.As(err, &failed) && failed.Code == checkViolation && failed.ConstraintName == ""
}

// untakeable is the error of an ingest as its callers know it: rows that no table takes today none takes
// tomorrow.
func untakeable(err error) error {
	var failed *pgconn.PgError
	if errors.As(err, &failed) && !lacksPartition(err) &&
		(strings.HasPrefix(failed.Code, classDataException) || strings.HasPrefix(failed.Code, classIntegrity)) {
		return fmt.Errorf("%w: %w", usage.ErrBatch, err)
	}
	return translate(err)
}

// lockReceipts returns the batches that were never counted, each once, and locks out others that hold
// batches of the same boots.
func lockReceipts(ctx context.Context, queries *dbsqlc.Queries, batches []*usagev1.Batch) ([]*usagev1.Batch, error) {
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
	for i, place := range fresh {
		taken[i] = distinct[place]
	}
	return taken, nil
}

func receiptParams(fresh []*usagev1.Batch, firstMinutes []int64) dbsqlc.ReceiptUsageBatchesParams {
	p := dbsqlc.ReceiptUsageBatchesParams{Minutes: firstMinutes}
	for _, b := range fresh {
		p.Nodes, p.Boots = append(p.Nodes, b.GetNode()), append(p.Boots, b.GetBoot())
		p.Numbers, p.Dropped = append(p.Numbers, int64(b.GetNumber())), append(p.Dropped, int64(b.GetEventsDropped()))
	}
	return p
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

func hoursParams(rollups []usage.Rollup) dbsqlc.AddUsageHoursParams {
	m := minutesParams(rollups)
	for i := range m.Minutes {
		m.Minutes[i] /= 60
	}
	return dbsqlc.AddUsageHoursParams{
		Environments: m.Environments, Hours: m.Minutes, Routes: m.Routes, Consumers: m.Consumers,
		StatusClasses: m.StatusClasses, Verdicts: m.Verdicts,
		Requests: m.Requests, RequestBytes: m.RequestBytes, ResponseBytes: m.ResponseBytes, DurationsUs: m.DurationsUs,
	}
}

func credentialsParams(counts []usage.CredentialCount) dbsqlc.AddUsageCredentialsParams {
	var p dbsqlc.AddUsageCredentialsParams
	for i := range counts {
		c := &counts[i]
		p.Environments, p.Hours = append(p.Environments, c.Environment), append(p.Hours, c.Hour)
		p.Credentials, p.Consumers = append(p.Credentials, uuid(c.Credential)), append(p.Consumers, uuid(c.Consumer))
		p.Requests = append(p.Requests, c.Requests)
	}
	return p
}

func usesParams(uses []usage.CredentialUse) dbsqlc.AddCredentialUseParams {
	var p dbsqlc.AddCredentialUseParams
	for i := range uses {
		u := &uses[i]
		p.Environments, p.Credentials = append(p.Environments, u.Environment), append(p.Credentials, uuid(u.Credential))
		p.LastUsedAt, p.Requests = append(p.LastUsedAt, u.LastUsed), append(p.Requests, u.Requests)
	}
	return p
}

func eventsParams(requests []usage.Request) []dbsqlc.AddUsageEventsParams {
	p := make([]dbsqlc.AddUsageEventsParams, len(requests))
	for i := range requests {
		r := &requests[i]
		var client *netip.Addr
		if r.Client.IsValid() {
			client = &r.Client
		}
		p[i] = dbsqlc.AddUsageEventsParams{
			Environment: r.Environment, TimeMs: r.TimeMs, RequestID: r.ID, Node: r.Node, Method: r.Method, Host: r.Host, Path: r.Path, Client: client,
			Route: uuid(r.Route), Consumer: uuid(r.Consumer), Credential: uuid(r.Credential), Policy: uuid(r.Policy),
			Status: r.Status, Verdict: r.Verdict, Revision: r.Revision, DurationUs: r.DurationUs, UpstreamUs: r.UpstreamUs,
			RequestBytes: r.RequestBytes, ResponseBytes: r.ResponseBytes, ShadowVerdict: r.ShadowVerdict, Decision: listed(r.Decision),
		}
	}
	return p
}

func uuid(raw [16]byte) pgtype.UUID { return pgtype.UUID{Bytes: raw, Valid: true} }
