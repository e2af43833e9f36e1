package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/proto/digest"
)

// LockTickets implements publish.TicketTx. It locks first and reads then, as LockRows does.
func (tx *writeTx) LockTickets(ctx context.Context, environment string) (keys directory.Tickets, epoch uint64, known bool, err error) {
	if _, err := tx.q.LockTicketKeys(ctx, environment); errors.Is(err, pgx.ErrNoRows) {
		return keys, 0, false, nil
	} else if err != nil {
		return keys, 0, false, err //nolint:wrapcheck // the caller says what it locks
	}
	row, err := tx.q.GetTicketKeys(ctx, environment)
	if err != nil {
		return keys, 0, false, fmt.Errorf("read them: %w", err)
	}
	return directory.Tickets{
		Version: uint32(row.Version), Epoch: uint64(row.Epoch), RotatedAt: row.RotatedAt,
		Entry: directory.Entry{Key: digest.Key(row.Key), Bytes: row.Entry, Sealed: row.Sealed, Gone: row.Entry == nil},
	}, uint64(row.EpochNow), true, nil
}

// HasTickets implements publish.TicketTx.
func (tx *writeTx) HasTickets(ctx context.Context, environment string) (bool, error) {
	return tx.q.HasTicketKeys(ctx, environment)
}

// WriteTickets implements publish.TicketTx.
func (tx *writeTx) WriteTickets(ctx context.Context, environment string, keys directory.Tickets) error {
	tx.wrote = true
	return tx.q.UpsertTicketKeys(ctx, dbsqlc.UpsertTicketKeysParams{
		Environment: environment, Version: int32(keys.Version), Epoch: int64(keys.Epoch), EntryKey: keys.Entry.Key[:], RotatedAt: keys.RotatedAt,
	})
}

// StaleTickets implements publish.TicketTx.
func (tx *writeTx) StaleTickets(ctx context.Context, madeBefore time.Time) ([]string, error) {
	return tx.q.ListStaleTicketKeys(ctx, madeBefore)
}

// Entry implements publish.DirectoryTx.
func (tx *writeTx) Entry(ctx context.Context, environment string, key digest.Key) (directory.Entry, bool, error) {
	row, err := tx.q.GetEntry(ctx, dbsqlc.GetEntryParams{Environment: environment, Key: key[:]})
	if errors.Is(err, pgx.ErrNoRows) {
		return directory.Entry{}, false, nil
	}
	if err != nil {
		return directory.Entry{}, false, fmt.Errorf("read an entry: %w", err)
	}
	return directory.Entry{Key: digest.Key(row.Key), Hash: digest.Hash(row.Hash), Bytes: row.Entry, Sealed: row.Sealed}, true, nil
}
