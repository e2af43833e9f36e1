// Command sallyport-control is Sallyport's control plane.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

const usage = `sallyport-control is Sallyport's control plane.

  sallyport-control serve [flags]                       serve the admin API, nodes and the bus
  sallyport-control bus [flags]                         run the bus alone, for several control planes to share
  sallyport-control bus init -dir <folder> [flags]      write what a NATS server needs to be that bus
  sallyport-control migrate                             bring the database to this build's schema
  sallyport-control token create -name <name>           make an owner's access token and print it
  sallyport-control user invite -name <name> [-role <role>] [-forget-second-factor]
                                                        make a user if there is none, and print where in the console they set their
                                                        password, once; with -role owner: the first owner
  sallyport-control environment create -name <name>     make an environment and print its id
  sallyport-control join-token create -environment <id or name> [-uses 1] [-expires 1h]
                                                        make a join token for nodes and print it
  sallyport-control rotate signing|authority|bus        announce a new key; the replicas put it in the old one's place
  sallyport-control rotate pepper -environment <id or name>
                                                        make new API keys with a new pepper
  sallyport-control rotate ticket-keys -environment <id or name>
                                                        seal TLS session tickets with a new key; those of the two before it are still taken
  sallyport-control rotate identity-keys -environment <id or name> [-after 10m] [-leaked]
                                                        sign identity tokens with a new key, once services have had the time to fetch it;
                                                        with -leaked at once, and the keys before are good no more
  sallyport-control rotate root                         seal everything under SALLYPORT_NEW_ROOT_KEY (or _FILE); stop all replicas first
  sallyport-control root lost                           go on under a new root key, without what the lost one sealed (see KEYS.md)
  sallyport-control rotate status                       say how far rotations are, and which nodes they wait for
  sallyport-control export -environment <id or name> -out <file>
                                                        write a sealed, signed snapshot file that edges can start from
                                                        (serve -snapshot), and print the key that opens it
  sallyport-control epoch open -environment <id or name> -reason <words>
                                                        begin a new epoch: the database went back (see BACKUP.md)
  sallyport-control audit verify [-environment E] [-from N] [-head <file>]
                                                        check the record of who did what: fails at the first event that doesn't hold
  sallyport-control audit head -environment <id or name>
                                                        print, signed, how far the record goes, to be kept elsewhere
  sallyport-control version                             print the build

Taken from the environment, by all of them:
  DATABASE_URL              the Postgres database
  SALLYPORT_ROOT_KEY        root key, 32 bytes in hexadecimal or base64; or
  SALLYPORT_ROOT_KEY_FILE   a file that holds it (openssl rand -base64 32)
  NATS_URL                  for serve: the bus that it shares with others, instead of running one itself
  SALLYPORT_LOG_LEVEL       debug, info, warn or error; default info
  SALLYPORT_SNAPSHOT_KEY    for export: seal with this key (32 bytes in base64) and print none

Each command lists its flags with -h.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, terminal{out: os.Stdout, problems: os.Stderr, getenv: os.Getenv}, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sallyport-control:", err)
	}
	if err != nil {
		os.Exit(1)
	}
}

// terminal is what a command reads and writes.
type terminal struct {
	out, problems io.Writer
	getenv        func(string) string
}

// command is one of the words behind the program's name.
type command struct {
	words []string
	run   func(ctx context.Context, t terminal, args []string) error
}

func commands() []command {
	return []command{
		{[]string{"serve"}, serve},
		{[]string{"bus", "init"}, initBus},
		{[]string{"bus"}, runBus},
		{[]string{"migrate"}, migrate},
		{[]string{"token", "create"}, createToken},
		{[]string{"user", "invite"}, inviteUser},
		{[]string{"environment", "create"}, createEnvironment},
		{[]string{"join-token", "create"}, createJoinToken},
		{[]string{"rotate", "signing"}, rotateKey("signing")},
		{[]string{"rotate", "authority"}, rotateKey("authority")},
		{[]string{"rotate", "bus"}, rotateKey("bus")},
		{[]string{"rotate", "pepper"}, rotatePepper},
		{[]string{"rotate", "ticket-keys"}, rotateTicketKeys},
		{[]string{"rotate", "identity-keys"}, rotateIdentityKeys},
		{[]string{"rotate", "root"}, rotateRoot},
		{[]string{"root", "lost"}, replaceLostRoot},
		{[]string{"rotate", "status"}, rotationStatus},
		{[]string{"export"}, export},
		{[]string{"epoch", "open"}, openEpoch},
		{[]string{"audit", "verify"}, verifyAudit},
		{[]string{"audit", "head"}, auditHead},
		{[]string{"version"}, version},
	}
}

func run(ctx context.Context, t terminal, args []string) error {
	for _, c := range commands() {
		if rest, ok := cut(args, c.words); ok {
			return c.run(ctx, t, rest)
		}
	}
	if _, err := fmt.Fprint(t.problems, usage); err != nil {
		return err
	}
	if len(args) == 0 || slices.ContainsFunc(args, isHelp) {
		return flag.ErrHelp
	}
	return fmt.Errorf("unknown command %q", strings.Join(args, " "))
}

// isHelp tells whether a word asks how commands are called: of the first ones of several too.
func isHelp(arg string) bool {
	return arg == "help" || arg == "-h" || arg == "-help" || arg == "--help"
}

// cut returns what is behind the words in front.
func cut(args, words []string) ([]string, bool) {
	if len(args) < len(words) {
		return nil, false
	}
	for i, word := range words {
		if args[i] != word {
			return nil, false
		}
	}
	return args[len(words):], true
}

// parse reads the flags of a command that takes nothing else.
func parse(flags *flag.FlagSet, t terminal, args []string) error {
	flags.SetOutput(t.problems)
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%s: %w", flags.Name(), err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s takes no argument %q", flags.Name(), flags.Arg(0))
	}
	return nil
}
