package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/controlplane"
)

// runBus runs the bus alone.
func runBus(ctx context.Context, t terminal, args []string) error {
	cfg, err := base(t)
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("bus", flag.ContinueOnError)
	text := fromEnvironment(t, flags)
	var readyFile string
	text(&cfg.BusListen, "bus-listen", "127.0.0.1:4222", "`address` of the bus, over TLS of our own authority")
	text(&cfg.DataDir, "data-dir", "", "`folder` that holds the bus's streams")
	text(&readyFile, "ready-file", "", "`file` to write the address to, as JSON, when the bus listens")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	if readyFile != "" {
		cfg.Ready = func(at controlplane.Addresses) error { return writeReady(readyFile, at) }
	}
	return controlplane.RunBus(ctx, cfg)
}

// initBus writes what a NATS server that isn't ours to run needs.
func initBus(ctx context.Context, t terminal, args []string) error {
	flags := flag.NewFlagSet("bus init", flag.ContinueOnError)
	var to controlplane.ExternalBus
	flags.StringVar(&to.Dir, "dir", "", "`folder` to write to; what bus init wrote there before is replaced")
	flags.StringVar(&to.Listen, "listen", "0.0.0.0:4222", "`address` on which the server is to listen")
	flags.StringVar(&to.ServerName, "server-name", "sallyport-bus", "`name` of the server, unique in a cluster")
	flags.StringVar(&to.StoreDir, "store-dir", "", "`folder` for the server's streams, on its machine; default: store, beside its configuration")
	flags.DurationVar(&to.CertificateLife, "certificate-life", 90*24*time.Hour, "how `long` its certificate lives; run bus init again before it ends, and send the server SIGHUP")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	if to.Dir == "" {
		return errors.New("bus init needs -dir")
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) {
		ends, err := c.InitBus(ctx, to)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("wrote nats-server.conf, bus.crt (until %s) and bus.key to %s\nrun:  nats-server -c %s/nats-server.conf\nthen: NATS_URL=tls://<its address> sallyport-control serve …",
			ends.UTC().Format(time.RFC3339), to.Dir, to.Dir), nil
	})
}
