package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err == nil {
		return
	}
	var wrong usageError
	if errors.As(err, &wrong) {
		fmt.Fprintf(os.Stderr, "sallyport: %v\n\n%s", err, usage)
		os.Exit(exitUsage)
	}
	fmt.Fprintf(os.Stderr, "sallyport: %v\n", err)
	os.Exit(exitFailed)
}

// usageError says what is wrong with the arguments.
type usageError string

func (e usageError) Error() string { return string(e) }

// run is the command, with everything that it touches handed in.
func run(ctx context.Context, args []string, env func(string) string, in io.Reader, out, notes io.Writer) error {
	call, err := parse(args, env, in, notes)
	if err != nil {
		return err
	}
	if call == nil {
		_, err := io.WriteString(out, usage)
		return err
	}
	return call.do(ctx, out, notes)
}
