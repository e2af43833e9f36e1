package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Trust keeps what nodes believe in, and how far rotations are.
type Trust struct{ db *DB }

var _ fleet.TrustStore = (*Trust)(nil)

// Trust returns what this database knows of the trust.
func (db *DB) Trust() *Trust { return &Trust{db} }

// Trust implements fleet.TrustStore.
func (t *Trust) Trust(ctx context.Context, after uint64) (links []*edgev1.SignedTrust, open []fleet.Rotation, err error) {
	err = t.db.snapshot(ctx, func(_ pgx.Tx, q *dbsqlc.Queries) error {
		rows, err := q.ListTrustLinks(ctx, int64(after))
		if err != nil {
			return fmt.Errorf("list announcements: %w", err)
		}
		for _, row := range rows {
			links = append(links, &edgev1.SignedTrust{Bundle: row.Bundle, Signature: row.Signature, KeyId: row.KeyID})
		}
		open, err = openRotations(ctx, q)
		return err
	})
	return links, open, err
}

// ChangeTrust implements fleet.TrustStore.
func (t *Trust) ChangeTrust(ctx context.Context, change func(version uint64, open []fleet.Rotation) (*fleet.TrustChange, error)) error {
	ctx = audit.Ensure(ctx, audit.System, "changeTrust")
	err := t.db.recorded(ctx, "changeTrust", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		if err := q.LockTrust(ctx); err != nil {
			return fmt.Errorf("lock the trust: %w", err)
		}
		version, err := q.TrustVersion(ctx)
		if err != nil {
			return fmt.Errorf("read the trust's version: %w", err)
		}
		open, err := openRotations(ctx, q)
		if err != nil {
			return err
		}
		made, err := change(uint64(version), open)
		if err != nil {
			return err
		}
		if made == nil {
			return errNothingToDo
		}
		audit.Note(ctx, trustChange(made))
		return writeTrust(ctx, q, made)
	})
	if errors.Is(err, errNothingToDo) {
		return nil
	}
	return err
}

// trustChange is what the record has of a change of the trust: ids of keys, which aren't secret.
func trustChange(made *fleet.TrustChange) audit.Change {
	version := strconv.FormatUint(made.Version, 10)
	c := audit.Change{Action: "announce", Collection: "trust", ID: version}
	if r := made.Rotation; r != nil {
		c.Name = string(r.Kind)
		c.After = audit.Facts(map[string]string{"kind": string(r.Kind), "old": r.Old, "new": r.New, "version": version, "phase": r.Phase()})
	}
	return c
}

func writeTrust(ctx context.Context, q *dbsqlc.Queries, made *fleet.TrustChange) error {
	err := q.InsertTrustLink(ctx, dbsqlc.InsertTrustLinkParams{
		Version: int64(made.Version), Bundle: made.Link.GetBundle(), Signature: made.Link.GetSignature(), KeyID: made.Link.GetKeyId(), CreatedAt: made.At,
	})
	if err != nil {
		return fmt.Errorf("write an announcement: %w", err)
	}
	if r := made.Rotation; r != nil {
		if err := writeRotation(ctx, q, r); err != nil {
			return err
		}
	}
	if len(made.Forget) > 0 {
		if err := q.DeleteMaterials(ctx, made.Forget); err != nil {
			return fmt.Errorf("forget a retired key: %w", err)
		}
	}
	return Notify(ctx, q, fleet.TrustWake)
}

func writeRotation(ctx context.Context, q *dbsqlc.Queries, r *fleet.Rotation) error {
	if r.ID == 0 {
		err := q.InsertRotation(ctx, dbsqlc.InsertRotationParams{
			Kind: string(r.Kind), Environment: r.Environment, Old: r.Old, New: r.New, Version: int64(r.Version),
			AnnouncedAt: r.AnnouncedAt, ActiveAt: orNull(r.ActiveAt), RetiredAt: orNull(r.RetiredAt),
		})
		if err != nil {
			return fmt.Errorf("write a rotation: %w", err)
		}
		return nil
	}
	n, err := q.AdvanceRotation(ctx, dbsqlc.AdvanceRotationParams{
		ID: r.ID, Version: int64(r.Version), ActiveAt: orNull(r.ActiveAt), RetiredAt: orNull(r.RetiredAt),
	})
	if err == nil && n != 1 {
		err = fmt.Errorf("rotation %d isn't open", r.ID)
	}
	if err != nil {
		return fmt.Errorf("write a rotation: %w", err)
	}
	return nil
}

// TrustLag implements fleet.TrustStore.
func (t *Trust) TrustLag(ctx context.Context, version uint64, kind fleet.RotationKind, issuer string) (fleet.TrustLag, error) {
	row, err := t.db.q.TrustLag(ctx, dbsqlc.TrustLagParams{Version: int64(version), Kind: string(kind), Name: issuer})
	if err != nil {
		return fleet.TrustLag{}, fmt.Errorf("count the nodes that lack a trust: %w", translate(err))
	}
	return fleet.TrustLag{Lacking: int(row.Lacking), Connected: int(row.Connected), Holding: int(row.Holding)}, nil
}

// NodeTrusts implements fleet.TrustStore.
func (t *Trust) NodeTrusts(ctx context.Context, node string, version uint64, walked bool) error {
	return translate(t.db.q.NodeTrusts(ctx, dbsqlc.NodeTrustsParams{ID: node, TrustVersion: int64(version), MayReturn: walked}))
}

// NodeStrays implements fleet.TrustStore.
func (t *Trust) NodeStrays(ctx context.Context, node string, version uint64) error {
	return translate(t.db.q.NodeTrusts(ctx, dbsqlc.NodeTrustsParams{ID: node, TrustVersion: -int64(version), MayReturn: true}))
}

// Rotations implements fleet.TrustStore.
func (t *Trust) Rotations(ctx context.Context, limit int) ([]fleet.Rotation, error) {
	rows, err := t.db.q.ListRotations(ctx, int32(limit))
	return rotations(rows), translate(err)
}

// Laggards implements fleet.TrustStore.
func (t *Trust) Laggards(ctx context.Context, version uint64, authority, busIssuer string, limit int) ([]fleet.Laggard, error) {
	rows, err := t.db.q.ListLaggards(ctx, dbsqlc.ListLaggardsParams{Version: int64(version), Authority: authority, BusIssuer: busIssuer, Most: int32(limit)})
	if err != nil {
		return nil, translate(err)
	}
	nodes := make([]fleet.Laggard, len(rows))
	for i, row := range rows {
		nodes[i] = fleet.Laggard{
			Node: row.ID, Name: row.Name, Environment: row.Environment, Version: uint64(max(row.TrustVersion, -row.TrustVersion)), Strays: row.TrustVersion < 0, Connected: row.Connected,
			OldCertificate: row.OldCertificate, OldJWT: row.OldJwt,
		}
	}
	return nodes, nil
}

func openRotations(ctx context.Context, q *dbsqlc.Queries) ([]fleet.Rotation, error) {
	rows, err := q.ListOpenRotations(ctx)
	if err != nil {
		return nil, fmt.Errorf("list rotations: %w", err)
	}
	return rotations(rows), nil
}

func rotations(rows []dbsqlc.Rotation) []fleet.Rotation {
	all := make([]fleet.Rotation, len(rows))
	for i, row := range rows {
		all[i] = fleet.Rotation{
			ID: row.ID, Kind: fleet.RotationKind(row.Kind), Environment: row.Environment, Old: row.Old, New: row.New, Version: uint64(row.Version),
			AnnouncedAt: row.AnnouncedAt, ActiveAt: orZero(row.ActiveAt), RetiredAt: orZero(row.RetiredAt),
		}
	}
	return all
}
