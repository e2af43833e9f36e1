package controlplane_test

import (
	"context"
	"encoding/json"
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

func configOf(t *testing.T) controlplane.Config {
	t.Helper()
	return controlplane.Config{
		DatabaseURL:   postgrestest.Database(t, postgres.Migrate),
		RootKey:       strings.Repeat("0f", 32),
		AdminListen:   "127.0.0.1:0",
		EdgeListen:    "127.0.0.1:0",
		BusListen:     "127.0.0.1:0",
		MetricsListen: "127.0.0.1:0",
		DataDir:       t.TempDir(),
		Logger:        slog.New(slog.NewJSONHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// start runs a control plane until the test calls stop, or ends.
func start(t *testing.T, cfg controlplane.Config) (at controlplane.Addresses, stop func()) {
	t.Helper()
	ready := make(chan controlplane.Addresses, 1)
	cfg.Ready = func(at controlplane.Addresses) error { ready <- at; return nil }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- controlplane.Run(ctx, cfg) }()
	stop = func() {
		if ctx.Err() != nil {
			return
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
	t.Cleanup(stop)
	select {
	case at = <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("it did not start: %v", err)
	}
	return at, stop
}

// call makes one request on a connection of its own.
func call(t *testing.T, method, url, token, body string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := new(http.Transport).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(read)
}

// operate makes what a fresh installation needs: a token, an environment, a join token.
func operate(t *testing.T, cfg controlplane.Config) (token, joinToken string) {
	t.Helper()
	commands, err := controlplane.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer commands.Close()
	var errs [3]error
	token, errs[0] = commands.CreateToken(t.Context(), "test")
	_, errs[1] = commands.CreateEnvironment(t.Context(), "production", "")
	joinToken, errs[2] = commands.CreateJoinToken(t.Context(), "production", "", 4, time.Hour)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return token, joinToken
}

// follow makes a node hold both lanes until stop is called.
func follow(t *testing.T, node *edgetest.Node) (held <-chan string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	all := make(chan string, 100)
	ended := make(chan error, 2)
	for _, lane := range []edgev1.Lane{edgev1.Lane_LANE_CONFIGURATION, edgev1.Lane_LANE_DIRECTORY} {
		go func() {
			ended <- node.Follow(ctx, node.Replica(lane), func(n uint64) { all <- fmt.Sprintf("%s %d", lane, n) })
		}()
	}
	for range 4 { // each lane says what it begins with, then takes a snapshot
		<-all
	}
	return all, func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
}

type shownNode struct {
	Name      string `json:"name"`
	Connected bool   `json:"connected"`
	Sequence  int    `json:"sequence"`
}

func nodesOf(t *testing.T, api, token string) []shownNode {
	t.Helper()
	response, body := call(t, http.MethodGet, api+"/nodes", token, "")
	var page struct {
		Data []shownNode `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s: %v", response.StatusCode, body, err)
	}
	return page.Data
}

// awaitConnected returns once every node counts as connected: that is written in groups, beside what the streams say.
func awaitConnected(t *testing.T, api, token string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		nodes := nodesOf(t, api, token)
		if len(nodes) > 0 && !slices.ContainsFunc(nodes, func(n shownNode) bool { return !n.Connected }) {
			return
		}
	}
	t.Fatal("the nodes don't connect")
}

func TestAWriteReachesAConnectedNodeAndTheAnswerSaysSo(t *testing.T) {
	cfg := configOf(t)
	at, _ := start(t, cfg)
	token, joinToken := operate(t, cfg)
	api := "http://" + at.Admin + "/api/v1/environments/production"
	node, err := edgetest.Enroll(t.Context(), at.Edge, joinToken, "n1")
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	held, stop := follow(t, node)
	defer stop()

	awaitConnected(t, api, token)
	response, body := call(t, http.MethodPost, api+"/consumers?wait=10s", token, `{"name":"acme"}`)
	if response.StatusCode != http.StatusCreated || response.Header.Get("Sallyport-Applied") != "1/1" {
		t.Errorf("%d, applied %q: %s", response.StatusCode, response.Header.Get("Sallyport-Applied"), body)
	}
	if got := <-held; got != "LANE_DIRECTORY 2" {
		t.Errorf("the node holds %s", got)
	}
	if nodes := nodesOf(t, api, token); len(nodes) != 1 || !nodes[0].Connected || nodes[0].Sequence != 2 || nodes[0].Name != "n1" {
		t.Errorf("nodes: %+v", nodes)
	}
	if response, body := call(t, http.MethodGet, "http://"+at.Metrics+"/metrics", "", ""); !strings.Contains(body, "sallyport_control_sync_streams 2") {
		t.Errorf("metrics: %d", response.StatusCode)
	}
}

func TestARestartKeepsIdentitiesAndNodesResume(t *testing.T) {
	cfg := configOf(t)
	at, stop := start(t, cfg)
	_, joinToken := operate(t, cfg)
	node, err := edgetest.Enroll(t.Context(), at.Edge, joinToken, "n1")
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	stop()

	cfg.EdgeListen = at.Edge // where the node looks for it
	start(t, cfg)
	if err := node.Connect(); err != nil {
		t.Fatal(err)
	}
	_, unfollow := follow(t, node)
	unfollow()
}

func TestConfigurationThatIsNotSafeIsRefusedWithEveryFault(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	tests := map[string]struct {
		cfg  controlplane.Config
		want []string
	}{
		"lives of certificates": {
			controlplane.Config{Logger: log, AdminListen: "127.0.0.1:0", EdgeListen: ":1", BusListen: ":2", DataDir: "x", DatabaseURL: "x", RootKey: "x", NodeCertificateLife: time.Second, TicketKeyLife: time.Millisecond},
			[]string{"certificate can't live for 1s", "sealed with one key for 1ms"},
		},
		"nothing": {controlplane.Config{Logger: log}, []string{"DATABASE_URL", "SALLYPORT_ROOT_KEY", "the admin API", "nodes", "the bus", "data folder"}},
		"a bus that asks for a password": {
			controlplane.Config{Logger: log, AdminListen: "127.0.0.1:0", EdgeListen: ":1", DatabaseURL: "x", RootKey: "x", NATSURLs: []string{"tls://u:p@bus:4222"}},
			[]string{"NATS_URL must be"},
		},
		"admin API in plain off loopback": {
			controlplane.Config{Logger: log, AdminListen: "0.0.0.0:80", EdgeListen: ":1", BusListen: ":2", DataDir: "x", DatabaseURL: "x", RootKey: "x"},
			[]string{"can't listen on 0.0.0.0:80 without TLS"},
		},
		"admin API on every address": {
			controlplane.Config{Logger: log, AdminListen: ":80", EdgeListen: ":1", BusListen: ":2", DataDir: "x", DatabaseURL: "x", RootKey: "x"},
			[]string{"without TLS"},
		},
		"console in plain off loopback": {
			controlplane.Config{Logger: log, AdminListen: "127.0.0.1:0", ConsoleListen: "0.0.0.0:80", EdgeListen: ":1", BusListen: ":2", DataDir: "x", DatabaseURL: "x", RootKey: "x"},
			[]string{"the console can't listen on 0.0.0.0:80 without TLS"},
		},
		"metrics off loopback": {
			controlplane.Config{Logger: log, AdminListen: "127.0.0.1:0", MetricsListen: "example.com:1", EdgeListen: ":1", BusListen: ":2", DataDir: "x", DatabaseURL: "x", RootKey: "x"},
			[]string{"metrics can't be served"},
		},
		"certificate without key": {
			controlplane.Config{Logger: log, AdminListen: "127.0.0.1:0", AdminCertificate: "x", EdgeListen: ":1", BusListen: ":2", DataDir: "x", DatabaseURL: "x", RootKey: "x"},
			[]string{"both a certificate and a key"},
		},
		"root key that is none": {
			controlplane.Config{Logger: log, AdminListen: "[::1]:0", EdgeListen: ":1", BusListen: ":2", DataDir: "x", DatabaseURL: "x", RootKey: "x"},
			[]string{"root key"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := controlplane.Run(t.Context(), tt.cfg)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%q isn't in %v", want, err)
				}
			}
		})
	}
}

func TestAnotherRootKeyDoesNotOpenTheDatabase(t *testing.T) {
	cfg := configOf(t)
	operate(t, cfg)
	cfg.RootKey = strings.Repeat("aa", 32)
	if err := controlplane.Run(t.Context(), cfg); err == nil {
		t.Error("it served")
	}
}
