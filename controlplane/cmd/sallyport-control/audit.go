package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/sallyport/sallyport/controlplane"
)

func verifyAudit(ctx context.Context, t terminal, args []string) error {
	flags := flag.NewFlagSet("audit verify", flag.ContinueOnError)
	environment := flags.String("environment", "", "`id or name` of an environment, to verify its chain alone")
	from := flags.Uint64("from", 0, "`number` of the event to begin with; what is before is believed")
	file := flags.String("head", "", "`file` of heads that audit head printed, which the record must lead through")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	var heads []byte
	if *file != "" {
		var err error
		if heads, err = os.ReadFile(*file); err != nil {
			return fmt.Errorf("audit verify: -head: %w", err)
		}
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) {
		return c.VerifyAudit(ctx, *environment, *from, string(heads))
	})
}

func auditHead(ctx context.Context, t terminal, args []string) error {
	flags := flag.NewFlagSet("audit head", flag.ContinueOnError)
	environment := flags.String("environment", "", "`id or name` of the environment")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	if *environment == "" {
		return errors.New("audit head needs -environment")
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) { return c.AuditHead(ctx, *environment) })
}
