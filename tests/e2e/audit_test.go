package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// record is an environment's audit record, as people, auditors and attackers meet it.
type record struct {
	*harness.Story
	t *testing.T
}

func TestWhoDidWhatIsRecordedAndVerifiedFromOutside(t *testing.T) {
	t.Parallel()
	r := record{product.OwnStory(t, 1), t}
	p := r.Protected(harness.NewUpstream(t, nil).Address)
	r.Revoke(p.Key)

	made := r.find(sallyport.AuditFilter{Collection: "api-keys", Object: p.Key.ID})
	if len(made) != 2 || made[0].Operation != "deleteApiKey" || made[1].Operation != "createApiKey" || made[1].Actor.Name == "" || made[1].Address == "" {
		t.Fatalf("of the key the record has %+v", made)
	}
	events, text := r.export()
	checkChain(t, events)
	if bytes.Contains(text, []byte(p.Key.Key)) {
		t.Error("the record holds the key itself")
	}
	if out, err := product.Control(t.Context(), "audit", "verify", "-environment", r.Environment.Name); err != nil || !strings.Contains(out, "hold") {
		t.Fatalf("audit verify: %s, %v", out, err)
	}
}

func TestABadTokenIsRecorded(t *testing.T) {
	t.Parallel()
	r := record{product.Story(t), t}
	token := product.Token()
	stranger, err := sallyport.New(product.URL(), token[:len(token)-4]+"0000")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := stranger.ListRoutesWithResponse(t.Context(), r.Environment.Name, nil)
	_ = refused(t, "unauthenticated", answer, err) // it fails the test by itself
	harness.Eventually(t, time.Minute, func() error {
		found, err := r.API.ListAuditEventsWithResponse(t.Context(), &sallyport.ListAuditEventsParams{
			Filter: &sallyport.AuditFilter{Outcome: "denied", Code: "unauthenticated", Operation: "listRoutes"},
		})
		r.Must(found, err)
		if len(found.JSON200.Data) == 0 {
			return fmt.Errorf("the record doesn't have the denied request")
		}
		return nil
	})
}

func TestARechainedRecordIsFoundByTheControlPlaneByVerifyAndByANode(t *testing.T) {
	t.Parallel()
	r := record{product.OwnStory(t, 1), t}
	r.Consumer("c")
	edge := r.Edges()[0]
	// The node has seen the head once it shows it after a new start.
	harness.Eventually(t, time.Minute, func() error {
		if err := edge.Kill(); err != nil {
			return err
		}
		if err := edge.Start(t.Context()); err != nil {
			return err
		}
		return r.witnessed()
	})
	head, err := product.Control(t.Context(), "audit", "head", "-environment", r.Environment.Name)
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "head")
	if err := os.WriteFile(kept, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := []string{"audit", "verify", "-environment", r.Environment.Name, "-head", kept}
	if out, err := product.Control(t.Context(), verify...); err != nil {
		t.Fatalf("before: %s, %v", out, err)
	}

	r.rechain()

	if out, err := product.Control(t.Context(), verify...); err == nil || !strings.Contains(err.Error(), "isn't the one that was seen") {
		t.Fatalf("audit verify says %q, %v", out, err)
	}
	harness.Eventually(t, time.Minute, func() error {
		status := r.status()
		if status.Intact || len(status.Alarms) == 0 {
			return fmt.Errorf("the control plane finds nothing wrong: %+v", status)
		}
		return nil
	})
	if alarms := r.find(sallyport.AuditFilter{Outcome: "alarm"}); len(alarms) == 0 {
		t.Error("the alarm isn't in the record")
	}
}

func (r record) find(filter sallyport.AuditFilter) []sallyport.AuditEvent {
	r.t.Helper()
	found, err := r.API.ListEnvironmentAuditEventsWithResponse(r.t.Context(), r.Environment.Name, &sallyport.ListEnvironmentAuditEventsParams{Filter: &filter})
	r.Must(found, err)
	return found.JSON200.Data
}

func (r record) status() *sallyport.AuditStatus {
	r.t.Helper()
	status, err := r.API.GetEnvironmentAuditStatusWithResponse(r.t.Context(), r.Environment.Name)
	r.Must(status, err)
	return status.JSON200
}

// witnessed tells whether a node has shown how far the chain goes now. What is newer than the last signed head nobody vouches for.
func (r record) witnessed() error {
	status := r.status()
	for _, w := range status.Witnesses {
		if w.Node != "" && w.Number == status.Number {
			return nil
		}
	}
	return fmt.Errorf("no node has shown the head %d: %+v", status.Number, status.Witnesses)
}

// exported is one line of an export, as somebody reads it who has none of our code.
type exported struct {
	Number       uint64 `json:"number"`
	PreviousHash []byte `json:"previous_hash"`
	Hash         []byte `json:"hash"`
	Record       []byte `json:"record"`
	Exported     *int   `json:"exported"`
}

func (r record) export() ([]exported, []byte) {
	r.t.Helper()
	answer, err := r.API.ExportEnvironmentAuditEventsWithResponse(r.t.Context(), r.Environment.Name, nil)
	r.Must(answer, err)
	if media := answer.HTTPResponse.Header.Get("Content-Type"); answer.StatusCode() != http.StatusOK || media != "application/x-ndjson" {
		r.t.Fatalf("the export is %d, %s", answer.StatusCode(), media)
	}
	var events []exported
	for line := range bytes.Lines(answer.Body) {
		var e exported
		if err := json.Unmarshal(line, &e); err != nil {
			r.t.Fatalf("%s: %v", line, err)
		}
		events = append(events, e)
	}
	end := events[len(events)-1]
	events = events[:len(events)-1]
	if end.Exported == nil || *end.Exported != len(events) || len(events) == 0 {
		r.t.Fatalf("the export was cut short: %d events, and %+v", len(events), end)
	}
	return events, answer.Body
}

func checkChain(t *testing.T, events []exported) {
	t.Helper()
	previous := make([]byte, sha256.Size)
	for i, e := range events {
		sum := chained(previous, e.Record)
		if e.Number != uint64(i)+1 || !bytes.Equal(e.PreviousHash, previous) || !bytes.Equal(e.Hash, sum) {
			t.Fatalf("event %d isn't behind the one before", e.Number)
		}
		previous = sum
	}
}

// chained is the hash as AUDIT.md says it.
func chained(previous, record []byte) []byte {
	sum := sha256.Sum256(slices.Concat([]byte("sallyport audit v1\x00"), previous, record))
	return sum[:]
}

// rechain does what somebody can who has the database: it makes another name of who did it, and writes the chain anew behind it, with
// its head and with what the control plane has signed removed.
func (r record) rechain() {
	r.t.Helper()
	ctx, environment := r.t.Context(), r.Head().ID
	events, _ := r.export()
	at := slices.IndexFunc(product.Environ(), func(v string) bool { return strings.HasPrefix(v, "DATABASE_URL=") })
	conn, err := pgx.Connect(ctx, strings.TrimPrefix(product.Environ()[at], "DATABASE_URL="))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		exec := func(statement string, args ...any) {
			if err == nil {
				_, err = tx.Exec(ctx, statement, args...)
			}
		}
		exec("SET LOCAL session_replication_role = replica") // no trigger stands in the way of who owns the database
		previous := make([]byte, sha256.Size)
		for _, e := range events {
			forged := bytes.ReplaceAll(e.Record, []byte("createConsumer"), []byte("deleteConsumer"))
			sum := chained(previous, forged)
			exec(`UPDATE audit_events SET record = $1, previous = $2, hash = $3, operation = replace(operation, 'createConsumer', 'deleteConsumer')
				WHERE chain = $4 AND number = $5`, forged, previous, sum, environment, e.Number)
			previous = sum
		}
		exec("UPDATE audit_heads SET hash = $1 WHERE chain = $2", previous, environment)
		exec("DELETE FROM audit_witnesses WHERE environment = $1 AND node = ''", environment)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}
