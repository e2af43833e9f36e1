package controlplane_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// BenchmarkWriteUntilAllNodesHoldIt measures a POST with ?wait=: request, commit, delta to every
// node, applied, acked, told. Nodes are stubs in this process.
func BenchmarkWriteUntilAllNodesHoldIt(b *testing.B) {
	for _, nodes := range []int{2, 100} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) { benchmarkWrite(b, nodes) })
	}
}

func benchmarkWrite(b *testing.B, nodes int) {
	b.Helper()
	cfg := controlplane.Config{
		DatabaseURL: postgrestest.Database(b, postgres.Migrate), RootKey: strings.Repeat("0f", 32),
		AdminListen: "127.0.0.1:0", EdgeListen: "127.0.0.1:0", BusListen: "127.0.0.1:0", DataDir: b.TempDir(),
		Logger: slog.New(slog.DiscardHandler),
	}
	ready := make(chan controlplane.Addresses, 1)
	cfg.Ready = func(at controlplane.Addresses) error { ready <- at; return nil }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2*nodes+1)
	go func() { ended <- controlplane.Run(ctx, cfg) }()
	at := <-ready
	commands, err := controlplane.Open(ctx, cfg)
	if err != nil {
		b.Fatal(err)
	}
	token, err1 := commands.CreateToken(ctx, "bench")
	_, err2 := commands.CreateEnvironment(ctx, "production", "")
	join, err3 := commands.CreateJoinToken(ctx, "production", "", uint32(nodes), time.Hour)
	commands.Close()
	if err1 != nil || err2 != nil || err3 != nil {
		b.Fatal(err1, err2, err3)
	}
	following, unfollow := context.WithCancel(ctx)
	current := make(chan uint64, 1000)
	for i := range nodes {
		node, err := edgetest.Enroll(ctx, at.Edge, join, fmt.Sprint(i))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(node.Close)
		for _, lane := range []edgev1.Lane{edgev1.Lane_LANE_CONFIGURATION, edgev1.Lane_LANE_DIRECTORY} {
			go func() {
				begun := 0
				ended <- node.Follow(following, node.Replica(lane), func(n uint64) {
					if begun++; begun == 2 {
						current <- n
					}
				})
			}()
		}
	}
	for range 2 * nodes {
		<-current
	}
	client := &http.Client{Transport: &http.Transport{}}
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		request, err := http.NewRequestWithContext(ctx, http.MethodPost,
			"http://"+at.Admin+"/api/v1/environments/production/consumers?wait=10s", strings.NewReader(fmt.Sprintf(`{"name":"c%d"}`, n)))
		if err != nil {
			b.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		begun := time.Now()
		response, err := client.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if want := fmt.Sprintf("%d/%d", nodes, nodes); err != nil || response.Header.Get("Sallyport-Applied") != want {
			b.Fatalf("applied %q, want %s: %s, %v", response.Header.Get("Sallyport-Applied"), want, body, err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	client.CloseIdleConnections()
	unfollow()
	for range 2 * nodes {
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
