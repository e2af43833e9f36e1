// Command judge has the engine that it is built with judge the corpus, and writes a verdict per request as a line of JSON.
//
// It is for engines that are built in another way, by tags or against other versions, which can't be in one program: build it once for each, and compare
// what they write (see package differential).
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/waf"
	"github.com/sallyport/sallyport/dataplane/internal/waf/differential"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func run(args []string, out, said io.Writer) error {
	flags := flag.NewFlagSet("judge", flag.ContinueOnError)
	flags.SetOutput(said)
	paranoia := flags.Uint("paranoia", 1, "paranoia level, 1 to 4")
	kinds := flags.String("kinds", strings.Join(differential.Kinds(), ","), "kinds of requests")
	var share differential.Share
	flags.IntVar(&share.OneOf, "one-of", 1, "one regression test and one benign request of so many")
	flags.IntVar(&share.Mutants, "mutants", 20_000, "disguised attacks")
	flags.IntVar(&share.Samples, "samples", 20, "samples of each pattern")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("flags: %w", err)
	}
	if share.OneOf < 1 || *paranoia < 1 || *paranoia > 4 {
		return errors.New("-one-of must be 1 or more, -paranoia 1 to 4")
	}
	rules, err := differential.RulesAt(uint32(*paranoia))
	if err != nil {
		return err //nolint:wrapcheck // it says what it is about
	}
	engine, err := waf.Compile(rules)
	if err != nil {
		return fmt.Errorf("make the engine: %w", err)
	}
	for kind := range strings.SplitSeq(*kinds, ",") {
		requests, err := differential.Requests(kind, share)
		if err != nil {
			return fmt.Errorf("-kinds: %w", err)
		}
		if err := differential.Write(out, differential.Verdicts(engine, requests)); err != nil {
			return err //nolint:wrapcheck // it says what it is about
		}
	}
	return nil
}
