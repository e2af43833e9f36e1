// Command sallyport-edge is an edge node of Sallyport.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/sallyport/sallyport/dataplane"
)

const usage = `sallyport-edge is an edge node of Sallyport.

  sallyport-edge serve [flags]   enrol if need be, and serve
  sallyport-edge version         print the build

The join token is taken from SALLYPORT_JOIN_TOKEN, never from the command line. It is needed at the first start.
What the node keeps on its disk is sealed with SALLYPORT_STATE_KEY (32 bytes in base64); without it a key is kept beside the data, which
then guards its integrity only: who can read the disk can read the state.
With -take-over an upgrade drops nothing: start the new binary beside the running one, with the same -data-dir, and it takes over.
If it can't, it ends with status 3, and the running one serves on.
With -snapshot a node serves before it has spoken to any control plane: with a join token it enrols as soon as it can, without one it stays
alone. SALLYPORT_SNAPSHOT_KEY opens the file.
With -otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) a share of the requests, -trace-ratio (SALLYPORT_TRACE_RATIO), is sent to an OpenTelemetry
collector as spans, by OTLP over HTTP. Headers and certificates for it come from the other OTEL_EXPORTER_OTLP_… variables.
`

// notTakenOver is the exit status with -take-over where the running process serves on: a service manager isn't to try the same again.
const notTakenOver = 3

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "sallyport-edge:", err)
		}
		if errors.Is(err, dataplane.ErrNotTakenOver) {
			os.Exit(notTakenOver)
		}
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, out, problems io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(problems, usage)
		return flag.ErrHelp
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:], out, problems)
	case "version":
		fmt.Fprintln(out, build())
		return nil
	}
	fmt.Fprint(problems, usage)
	return fmt.Errorf("unknown command %q", args[0])
}

func serve(ctx context.Context, args []string, out, problems io.Writer) error {
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "edge"
	}
	cfg := dataplane.Config{JoinToken: os.Getenv("SALLYPORT_JOIN_TOKEN"), StateKey: os.Getenv("SALLYPORT_STATE_KEY"), SnapshotKey: os.Getenv("SALLYPORT_SNAPSHOT_KEY"), Build: build()}
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(problems)
	flags.StringVar(&cfg.Control, "control", "127.0.0.1:7443", "`address` at which the control plane serves nodes; of several replicas, with commas between")
	flags.StringVar(&cfg.Listen, "listen", "127.0.0.1:8000", "`address` for clients")
	flags.StringVar(&cfg.ListenTLS, "listen-tls", "", "`address` for clients over TLS, with the environment's certificates; none: no TLS")
	flags.StringVar(&cfg.AdminListen, "admin-listen", "127.0.0.1:9000", "`address` for the operator; loopback only")
	flags.StringVar(&cfg.DataDir, "data-dir", "", "`folder` that keeps the node's identity and state")
	flags.BoolVar(&cfg.TakeOver, "take-over", false, "take over from the edge that runs in -data-dir, if one does: it hands over its listening sockets and ends, and no request is dropped")
	flags.DurationVar(&cfg.DrainTimeout, "drain-timeout", 0, "how `long` requests under way are waited for at the end (default 20s)")
	flags.Func("body-memory", "`bytes` that the bodies of all requests may take together which policies hold whole: a number, or one with KiB, MiB or GiB (default 256MiB, or a quarter of GOMEMLIMIT if that is less)", func(text string) (err error) {
		cfg.BodyMemory, err = dataplane.ParseBytes(text)
		return err //nolint:wrapcheck // flag names the flag
	})
	flags.StringVar(&cfg.Snapshot, "snapshot", "", "snapshot `file` to start from, as sallyport-control export writes it; opened with SALLYPORT_SNAPSHOT_KEY")
	flags.StringVar(&cfg.Name, "name", hostname, "`name` of the node, for people")
	flags.StringVar(&cfg.Tracing.Endpoint, "otlp-endpoint", os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), "`URL` of the OpenTelemetry collector that takes spans of requests, http://host:4318 for instance; none: no spans")
	ratio := flags.String("trace-ratio", cmp.Or(os.Getenv("SALLYPORT_TRACE_RATIO"), "0.01"), "`share` of the requests that become spans, 0 to 1")
	flags.BoolVar(&cfg.Profiles, "profiles", false, "answer /debug/pprof/… on the operator's address: where processor time goes, who waits for a mutex")
	flags.IntVar(&cfg.Inspection.AtOnce, "inspections", 0, "how `many` inspections are at work at once, half of them such that look dear; 0: as many as there are processors, at least 2")
	flags.IntVar(&cfg.Inspection.Queue, "inspection-queue", dataplane.DefaultInspectionQueue, "how `many` wait for their turn to be inspected")
	flags.Float64Var(&cfg.Inspection.Share, "inspection-share", dataplane.DefaultInspectionShare, "`part` of the node's processors that inspections may take in the long run, up to 1")
	accessLog := flags.Bool("access-log", true, "write a line per request to standard output")
	level := flags.String("log-level", "info", "debug, info, warn or error")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // flag has said it
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("serve takes no argument %q", flags.Arg(0))
	}
	// What was passed on is for this process alone.
	cfg.Activation = dataplane.Activation{
		Process: os.Getenv("LISTEN_PID"), Count: os.Getenv("LISTEN_FDS"), Names: os.Getenv("LISTEN_FDNAMES"), NotifyTo: os.Getenv("NOTIFY_SOCKET"),
	}
	for _, passed := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET"} {
		if err := os.Unsetenv(passed); err != nil {
			return fmt.Errorf("forget %s: %w", passed, err)
		}
	}
	// Secrets are for this process alone, not for what it may start.
	for _, secret := range []string{"SALLYPORT_JOIN_TOKEN", "SALLYPORT_STATE_KEY", "SALLYPORT_SNAPSHOT_KEY"} {
		if err := os.Unsetenv(secret); err != nil {
			return fmt.Errorf("forget %s: %w", secret, err)
		}
	}
	var threshold slog.Level
	if err := threshold.UnmarshalText([]byte(*level)); err != nil {
		return fmt.Errorf("-log-level: %w", err)
	}
	if cfg.Tracing.Ratio, err = strconv.ParseFloat(*ratio, 64); err != nil {
		return fmt.Errorf("-trace-ratio takes a number from 0 to 1: %w", err)
	}
	cfg.Logger = slog.New(slog.NewJSONHandler(problems, &slog.HandlerOptions{Level: threshold}))
	if *accessLog {
		cfg.AccessLog = out
	}
	return dataplane.Run(ctx, cfg) //nolint:wrapcheck // says what
}

// build names the binary: its version and commit.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return info.Main.Version + " " + setting.Value[:12]
		}
	}
	return info.Main.Version
}
