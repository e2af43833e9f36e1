package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sallyport/sallyport/controlplane"
)

func serve(ctx context.Context, t terminal, args []string) error {
	cfg, err := base(t)
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	text := fromEnvironment(t, flags)
	var busURLs, natsURL, readyFile, nodeLife, ticketLife, identityLife, outboundAllow string
	text(&cfg.AdminListen, "admin-listen", "127.0.0.1:7001", "`address` of the admin API; off loopback only with TLS")
	text(&cfg.AdminCertificate, "admin-certificate", "", "PEM `file` with the admin API's certificate and its chain")
	text(&cfg.AdminKey, "admin-key", "", "PEM `file` with that certificate's key")
	text(&cfg.ConsoleListen, "console-listen", "", "`address` of the console for browsers; off loopback only with TLS (the admin API's); default none")
	text(&cfg.EdgeListen, "edge-listen", "127.0.0.1:7443", "`address` for nodes, over TLS of our own authority")
	flags.StringVar(&natsURL, "nats-url", t.getenv("NATS_URL"), "comma-separated `URLs` of a bus that runs elsewhere; none is run here then (NATS_URL)")
	text(&cfg.BusListen, "bus-listen", "127.0.0.1:4222", "`address` of the bus, over TLS of our own authority")
	text(&busURLs, "bus-urls", "", "comma-separated `URLs` of the bus that nodes are told; default the listener's, or --nats-url")
	text(&cfg.MetricsListen, "metrics-listen", "", "loopback `address` for GET /metrics; default none")
	text(&nodeLife, "node-certificate-life", "24h", "how `long` a node's certificate lives; nodes renew theirs at half of it")
	text(&ticketLife, "ticket-key-life", "12h", "how `long` TLS session tickets are sealed with one key; the two before it are still taken")
	text(&outboundAllow, "outbound-allow", "", "comma-separated `ranges` of addresses that aren't public and may be asked all the same, for users (issuers, sign-in providers, webhooks): 10.1.0.0/16")
	text(&identityLife, "identity-key-life", "168h", "how `long` identity tokens are signed with one key")
	text(&cfg.DataDir, "data-dir", "", "`folder` that holds the bus's streams")
	text(&readyFile, "ready-file", "", "`file` to write the addresses to, as JSON, when all of them listen")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	if cfg.NodeCertificateLife, err = time.ParseDuration(nodeLife); err != nil {
		return fmt.Errorf("--node-certificate-life: %w", err)
	}
	if cfg.TicketKeyLife, err = time.ParseDuration(ticketLife); err != nil {
		return fmt.Errorf("--ticket-key-life: %w", err)
	}
	for _, text := range list(outboundAllow) {
		allowed, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("--outbound-allow: %w", err)
		}
		cfg.OutboundAllow = append(cfg.OutboundAllow, allowed.Masked())
	}
	if cfg.IdentityKeyLife, err = time.ParseDuration(identityLife); err != nil {
		return fmt.Errorf("--identity-key-life: %w", err)
	}
	cfg.BusURLs, cfg.NATSURLs = list(busURLs), list(natsURL)
	if readyFile != "" {
		cfg.Ready = func(at controlplane.Addresses) error { return writeReady(readyFile, at) }
	}
	return controlplane.Run(ctx, cfg)
}

// fromEnvironment returns what makes a flag whose default a variable gives, SALLYPORT_ and the flag's name.
func fromEnvironment(t terminal, flags *flag.FlagSet) func(to *string, name, standard, help string) {
	return func(to *string, name, standard, help string) {
		variable := "SALLYPORT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if set := t.getenv(variable); set != "" {
			standard = set
		}
		flags.StringVar(to, name, standard, help+" ("+variable+")")
	}
}

// list takes a comma-separated list apart; nil: it is empty.
func list(text string) []string {
	if text == "" {
		return nil
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// writeReady writes the addresses so that a reader finds all of them, or no file.
func writeReady(path string, at controlplane.Addresses) error {
	body, err := json.Marshal(at)
	if err != nil {
		return err
	}
	aside := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.WriteFile(aside, append(body, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(aside, path)
}

func version(_ context.Context, t terminal, args []string) error {
	if err := parse(flag.NewFlagSet("version", flag.ContinueOnError), t, args); err != nil {
		return err
	}
	_, err := fmt.Fprintln(t.out, build())
	return err
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
