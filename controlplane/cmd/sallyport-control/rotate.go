package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/controlplane"
	"github.com/sallyport/sallyport/proto/identitykey"
)

// rotateKey returns the command that rotates a kind of key.
func rotateKey(kind string) func(ctx context.Context, t terminal, args []string) error {
	return func(ctx context.Context, t terminal, args []string) error {
		if err := parse(flag.NewFlagSet("rotate "+kind, flag.ContinueOnError), t, args); err != nil {
			return err
		}
		return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) { return c.RotateKey(ctx, kind) })
	}
}

func rotatePepper(ctx context.Context, t terminal, args []string) error {
	return rotateOfEnvironment(ctx, t, args, "pepper", (*controlplane.Commands).RotatePepper)
}

func rotateTicketKeys(ctx context.Context, t terminal, args []string) error {
	return rotateOfEnvironment(ctx, t, args, "ticket-keys", (*controlplane.Commands).RotateTicketKeys)
}

// mostLead bounds how long a key may be published before it signs.
const mostLead = 24 * time.Hour

func rotateIdentityKeys(ctx context.Context, t terminal, args []string) error {
	flags := flag.NewFlagSet("rotate identity-keys", flag.ContinueOnError)
	environment := flags.String("environment", "", "`id or name` of the environment")
	after := flags.Duration("after", identitykey.Lead, "how `long` the new key is published before it signs; services may keep the set of keys for "+identitykey.SetAge.String())
	leaked := flags.Bool("leaked", false, "the new key signs at once, and all before it are gone")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	switch {
	case *environment == "":
		return errors.New("rotate identity-keys needs -environment")
	case *after < 0 || *after > mostLead:
		return fmt.Errorf("rotate identity-keys: -after is at least 0s and at most %v", mostLead)
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) {
		return c.RotateIdentityKeys(ctx, *environment, *after, *leaked)
	})
}

// rotateOfEnvironment is the command that rotates what each environment has of its own.
func rotateOfEnvironment(ctx context.Context, t terminal, args []string, what string, rotate func(c *controlplane.Commands, ctx context.Context, environment string) (string, error)) error {
	flags := flag.NewFlagSet("rotate "+what, flag.ContinueOnError)
	environment := flags.String("environment", "", "`id or name` of the environment")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	if *environment == "" {
		return fmt.Errorf("rotate %s needs -environment", what)
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) { return rotate(c, ctx, *environment) })
}

func rotateRoot(ctx context.Context, t terminal, args []string) error {
	if err := parse(flag.NewFlagSet("rotate root", flag.ContinueOnError), t, args); err != nil {
		return err
	}
	text, file := t.getenv("SALLYPORT_NEW_ROOT_KEY"), t.getenv("SALLYPORT_NEW_ROOT_KEY_FILE")
	if text == "" && file == "" {
		return errors.New("rotate root needs SALLYPORT_NEW_ROOT_KEY, or SALLYPORT_NEW_ROOT_KEY_FILE")
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) { return c.RotateRoot(ctx, text, file) })
}

// replaceLostRoot takes the new root key from where all commands take theirs.
func replaceLostRoot(ctx context.Context, t terminal, args []string) error {
	if err := parse(flag.NewFlagSet("root lost", flag.ContinueOnError), t, args); err != nil {
		return err
	}
	cfg, err := base(t)
	if err != nil {
		return err
	}
	said, err := controlplane.ReplaceLostRoot(ctx, cfg)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.out, said)
	return err
}

func rotationStatus(ctx context.Context, t terminal, args []string) error {
	if err := parse(flag.NewFlagSet("rotate status", flag.ContinueOnError), t, args); err != nil {
		return err
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) { return c.RotationStatus(ctx) })
}
