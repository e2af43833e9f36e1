package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sallyport/sallyport/controlplane"
	"github.com/sallyport/sallyport/controlplane/internal/telemetry"
)

// base is what every command takes from the environment.
func base(t terminal) (controlplane.Config, error) {
	level := t.getenv("SALLYPORT_LOG_LEVEL")
	if level == "" {
		level = "info"
	}
	log, err := telemetry.NewLogger(t.problems, level)
	if err != nil {
		return controlplane.Config{}, fmt.Errorf("SALLYPORT_LOG_LEVEL: %w", err)
	}
	return controlplane.Config{
		DatabaseURL: t.getenv("DATABASE_URL"),
		RootKey:     t.getenv("SALLYPORT_ROOT_KEY"),
		RootKeyFile: t.getenv("SALLYPORT_ROOT_KEY_FILE"),
		Logger:      log,
	}, nil
}

func migrate(ctx context.Context, t terminal, args []string) error {
	if err := parse(flag.NewFlagSet("migrate", flag.ContinueOnError), t, args); err != nil {
		return err
	}
	cfg, err := base(t)
	if err != nil {
		return err
	}
	return controlplane.Migrate(ctx, cfg)
}

func createToken(ctx context.Context, t terminal, args []string) error {
	flags := flag.NewFlagSet("token create", flag.ContinueOnError)
	name := flags.String("name", "", "`name` of the token, unique")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	if *name == "" {
		return errors.New("token create needs -name")
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) {
		return c.CreateToken(ctx, *name)
	})
}

func inviteUser(ctx context.Context, t terminal, args []string) error {
	flags := flag.NewFlagSet("user invite", flag.ContinueOnError)
	name := flags.String("name", "", "`name` of the user, made if there is none; lower-case letters, digits and dashes")
	role := flags.String("role", "", "`role` to bind to them, everywhere")
	forget := flags.Bool("forget-second-factor", false, "remove their second factor, and sign them out")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	if *name == "" {
		return errors.New("user invite needs -name")
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) {
		return c.InviteUser(ctx, *name, *role, *forget)
	})
}

func createEnvironment(ctx context.Context, t terminal, args []string) error {
	flags := flag.NewFlagSet("environment create", flag.ContinueOnError)
	name := flags.String("name", "", "`name` of the environment, unique; lower-case letters, digits and dashes")
	description := flags.String("description", "", "what it is for, in `words`")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	if *name == "" {
		return errors.New("environment create needs -name")
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) {
		return c.CreateEnvironment(ctx, *name, *description)
	})
}

func createJoinToken(ctx context.Context, t terminal, args []string) error {
	flags := flag.NewFlagSet("join-token create", flag.ContinueOnError)
	environment := flags.String("environment", "", "`id or name` of the environment that nodes join")
	name := flags.String("name", "", "`name` of the token; made up when absent")
	uses := flags.Uint("uses", 1, "how many nodes may enrol with it")
	expires := flags.Duration("expires", time.Hour, "how long it can be used")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	if *environment == "" {
		return errors.New("join-token create needs -environment")
	}
	if *uses > math.MaxUint32 {
		return errors.New("join-token create: -uses is too big")
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) {
		return c.CreateJoinToken(ctx, *environment, *name, uint32(*uses), *expires)
	})
}

func export(ctx context.Context, t terminal, args []string) error {
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	environment := flags.String("environment", "", "`id or name` of the environment")
	out := flags.String("out", "", "`file` to write; what is there is replaced")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	if *environment == "" || *out == "" {
		return errors.New("export needs -environment and -out")
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) {
		return c.Export(ctx, *environment, *out, t.getenv("SALLYPORT_SNAPSHOT_KEY"))
	})
}

func openEpoch(ctx context.Context, t terminal, args []string) error {
	flags := flag.NewFlagSet("epoch open", flag.ContinueOnError)
	environment := flags.String("environment", "", "`id or name` of the environment whose database went back")
	reason := flags.String("reason", "", "why, in `words`; kept for good")
	if err := parse(flags, t, args); err != nil {
		return err
	}
	switch {
	case *environment == "":
		return errors.New("epoch open needs -environment")
	case strings.TrimSpace(*reason) == "":
		return errors.New("epoch open needs -reason")
	}
	return withCommands(ctx, t, func(c *controlplane.Commands) (string, error) {
		return c.OpenEpoch(ctx, *environment, *reason)
	})
}

// withCommands opens the database, and prints what do returns: the one place where a secret leaves
// the program.
func withCommands(ctx context.Context, t terminal, do func(*controlplane.Commands) (string, error)) error {
	cfg, err := base(t)
	if err != nil {
		return err
	}
	c, err := controlplane.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	made, err := do(c)
	if err != nil || made == "" {
		return err
	}
	_, err = fmt.Fprintln(t.out, made)
	return err
}
