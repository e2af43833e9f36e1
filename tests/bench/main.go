// Command bench measures what the product promises, and prints Markdown tables of what is expected and what was measured.
//
// Its suites are the gateway beside its peers, inspecting or not (package scenarios), what the product promises of itself (package product), and what a flood of dear
// bodies does to everybody else (package flood). It judges nothing: a machine that others use too measures them as well, and says so by its load. README.md says how it measures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/tests/bench/flood"
	"github.com/sallyport/sallyport/tests/bench/machine"
	"github.com/sallyport/sallyport/tests/bench/peers"
	"github.com/sallyport/sallyport/tests/bench/product"
	"github.com/sallyport/sallyport/tests/bench/relay"
	"github.com/sallyport/sallyport/tests/bench/scenarios"
)

// Suites.
const (
	gatewaySuite = "gateway"
	productSuite = "product"
	floodSuite   = "flood"
	wafSuite     = "waf"
	everySuite   = "all"
)

const (
	// bound is how long the gateways are measured at most, and quickBound with -quick. What is left out then is named.
	bound      = 15 * time.Minute
	quickBound = 2 * time.Minute
	rounds     = 7
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// command is a suite, or what suites start gateways by.
func command(ctx context.Context, args []string) error {
	if len(args) > 2 && args[0] == scenarios.PinCommand {
		processors, err := numbers(args[1])
		if err != nil {
			return err
		}
		return machine.Become(processors, args[2], args[3:]) //nolint:wrapcheck // says what
	}
	if len(args) == 3 && args[0] == scenarios.RelayCommand {
		return relay.Run(ctx, args[1], args[2]) //nolint:wrapcheck // says what
	}
	return suites(ctx, args)
}

// options are what the command line says.
type options struct {
	suite, out, only, profile string
	rounds                    int
	quick, install            bool
	bound                     time.Duration
}

func parse(args []string) (o options, _ error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.suite, "suite", everySuite, "what to measure: gateway (beside its peers), waf (what inspecting costs, beside ModSecurity), product, flood (what dear bodies do to everybody else), or all (but waf)")
	flags.StringVar(&o.out, "out", "bench-results", "`folder` for the gateways' table and chart")
	flags.StringVar(&o.only, "only", "", "`names` of the gateways' scenarios, with commas between; none: all")
	flags.StringVar(&o.profile, "profile", "", "write a CPU profile of the edge under load to a `file`, and measure nothing")
	flags.IntVar(&o.rounds, "rounds", rounds, "rounds in which the gateways take turns")
	flags.BoolVar(&o.quick, "quick", false, "one short round of little, to see that everything works: its figures mean nothing")
	flags.DurationVar(&o.bound, "bound", bound, "how long the gateways are measured at most; what is left out then is named")
	flags.BoolVar(&o.install, "install", false, "install the peers' Debian packages first, as root, and build those that have none")
	if err := flags.Parse(args); err != nil {
		return o, err //nolint:wrapcheck // flag has said it
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("no argument %q is taken", flags.Arg(0))
	}
	if known := []string{gatewaySuite, wafSuite, productSuite, floodSuite, everySuite}; !slices.Contains(known, o.suite) {
		return o, fmt.Errorf("-suite %q: one of %s", o.suite, strings.Join(known, ", "))
	}
	if o.rounds < 1 {
		return o, fmt.Errorf("-rounds %d: at least 1", o.rounds)
	}
	if o.quick {
		o.rounds, o.bound = 1, min(o.bound, quickBound)
	}
	return o, nil
}

func suites(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.install {
		if err := peers.Install(ctx, os.Stderr); err != nil {
			return err //nolint:wrapcheck // says what
		}
	}
	if o.profile != "" {
		cfg, err := o.scenarios()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, o.bound)
		defer cancel()
		return scenarios.Profile(ctx, cfg, o.profile) //nolint:wrapcheck // says what
	}
	if o.suite == floodSuite || o.suite == everySuite {
		fmt.Printf("\n%s\n\n", where())
		if err := flood.Run(ctx, o.flood(), os.Stdout); err != nil {
			return err //nolint:wrapcheck // says what
		}
	}
	if o.suite == productSuite || o.suite == everySuite { // it is the other that keeps this process on some of the processors
		fmt.Printf("\n%s\n\n", where())
		if err := product.Run(ctx, os.Stdout); err != nil {
			return err //nolint:wrapcheck // says what
		}
	}
	if o.suite == gatewaySuite || o.suite == wafSuite || o.suite == everySuite {
		return gateways(ctx, o)
	}
	return nil
}

// floodEach is how long each load of a round is, and quickEach with -quick.
const (
	floodEach = 10 * time.Second
	quickEach = 2 * time.Second
)

func (o options) flood() flood.Config {
	cfg := flood.Config{Rounds: o.rounds, Each: floodEach}
	if o.quick {
		cfg.Each = quickEach
	}
	return cfg
}

func (o options) scenarios() (scenarios.Config, error) {
	self, err := os.Executable()
	if err != nil {
		return scenarios.Config{}, fmt.Errorf("find this program: %w", err)
	}
	cfg := scenarios.Config{Rounds: o.rounds, Quick: o.quick, Self: self, Inspection: o.suite == wafSuite, Say: func(what string) { fmt.Fprintf(os.Stderr, "==> %s\n", what) }}
	if o.only != "" {
		cfg.Only = strings.Split(o.only, ",")
	}
	return cfg, nil
}

// written is what the page and the chart of a suite are called.
func (o options) written() (page, chart string) {
	name := "gateways"
	if o.suite == wafSuite {
		name = "waf"
	}
	return name + ".md", name + ".svg"
}

// gateways measures the gateway beside its peers.
func gateways(ctx context.Context, o options) error {
	cfg, err := o.scenarios()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.bound)
	defer cancel()
	on, before, began := where(), machine.StolenNow(), time.Now()
	made, err := scenarios.Run(ctx, cfg)
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	made.Machine = fmt.Sprintf("%s; medians of %d rounds; %s in all, %.1f %% of the processors taken by other machines meanwhile",
		on, o.rounds, time.Since(began).Round(time.Second), 100*machine.StolenNow().Since(before))
	if o.quick {
		made.Notes = append([]string{"**Measured quickly, to see that everything works: the figures mean nothing.**"}, made.Notes...)
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return fmt.Errorf("write what was measured: %w", err)
	}
	pageName, chartName := o.written()
	page := made.Markdown(chartName)
	for name, text := range map[string]string{pageName: page, chartName: made.Chart()} {
		if err := os.WriteFile(filepath.Join(o.out, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write what was measured: %w", err)
		}
	}
	fmt.Printf("\n%s\n", page)
	return nil
}

// numbers reads "0,3".
func numbers(text string) (all []int, _ error) {
	for part := range strings.SplitSeq(text, ",") {
		number, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("a processor's number: %w", err)
		}
		all = append(all, number)
	}
	return all, nil
}

// where says what is measured on.
func where() string {
	return fmt.Sprintf("%s, %d processors, %s, load before %s", runtime.Version(), runtime.NumCPU(), processor(), load())
}

// load returns how busy the machine is, where the system tells.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// processor names the processor, where the system tells.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
