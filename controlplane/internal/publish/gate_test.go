package publish_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proto/problem"
)

// Writers of one environment wait for its row. However many they are, they leave connections to everybody else.
func TestWritersThatWaitForARowLeaveConnectionsToOthers(t *testing.T) {
	t.Parallel()
	r := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	long, err := r.db.Pool().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer long.Rollback(context.WithoutCancel(ctx)) // done already, unless the test failed
	if _, err := long.Exec(ctx, "SELECT 1 FROM environments WHERE id = $1 FOR UPDATE", r.env); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 2 * int(r.db.Pool().Config().MaxConns) {
		wg.Go(func() {
			if _, err := r.apply(create("services", service(fmt.Sprintf("s%d", i)))); err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	r.waitingForLocks(ctx, 2)
	if _, err := r.directory.Get(ctx, r.env, "consumers", "nobody"); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("a reader while they wait: %v", err)
	}
	if free := r.db.Pool().Config().MaxConns - r.db.Pool().Stat().AcquiredConns(); free < 2 {
		t.Errorf("%d connections are left", free)
	}
	if err := long.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	r.consistent()
}

// waitingForLocks waits until as many connections to this database wait for a lock.
func (r *replica) waitingForLocks(ctx context.Context, want int) {
	r.t.Helper()
	for waiting := 0; waiting < want; {
		err := r.db.Pool().QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
		if err != nil {
			r.t.Fatalf("wait for %d writers: %v", want, err)
		}
	}
}
