package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const pollInterval = 10 * time.Millisecond

// shortFolder begins the path of a folder for a Unix socket whose cluster's own path is too long.
const shortFolder = "/tmp/sallyport-socket-"

var errStillRunning = errors.New("the server is still running")

// process is the server's first process. It is polled rather than waited for by a goroutine: a test binary
// keeps its server to the end, and its check for leaked goroutines shall see none of ours.
type process struct {
	pid      int
	sockets  string // folder of the Unix socket; outside the cluster's it goes with the process
	watchdog *watchdog

	mu     sync.Mutex
	exited bool
}

// launch starts the server and returns when it answers. A failure of the server itself is a [startError].
func (c *cluster) launch(ctx context.Context, binaries Binaries, port int, password string, throwaway bool) (*process, error) {
	sockets, err := c.socketFolder()
	if err != nil {
		return nil, err
	}
	p, err := c.spawn(binaries, port, sockets, throwaway)
	if err != nil {
		return nil, err
	}
	if err := p.ready(ctx, port, password); err != nil {
		return nil, errors.Join(&startError{cause: err, log: logTail(c.logPath())}, p.abandon())
	}
	return p, nil
}

// socketFolder is where the Unix socket lies: the cluster's own folder when the path isn't too long for the
// system (103 bytes on the strictest), else one in /tmp that later starts use again.
func (c *cluster) socketFolder() (string, error) {
	const longestSocket = "/.s.PGSQL.65535.lock"
	if len(c.dir)+len(longestSocket) <= 103 {
		return c.dir, nil
	}
	sum := sha256.Sum256([]byte(c.dir))
	folder := shortFolder + hex.EncodeToString(sum[:8])
	err := os.Mkdir(folder, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return folder, c.owner.owns(folder)
	}
	if err != nil {
		return "", fmt.Errorf("a folder for the socket: %w", err)
	}
	return folder, c.owner.give(folder)
}

// spawn starts the server with its output in the log file, the last start's log kept beside it.
func (c *cluster) spawn(binaries Binaries, port int, sockets string, throwaway bool) (*process, error) {
	_ = os.Rename(c.logPath(), c.logPath()+".1") // there is none at the first start
	log, err := os.OpenFile(c.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	arguments := []string{"-D", c.data()}
	for _, setting := range settings(port, sockets, throwaway) {
		arguments = append(arguments, "-c", setting)
	}
	command := c.command(context.Background(), binaries, "postgres", arguments...)
	command.Stdout, command.Stderr = log, log
	dieWithParent(command.SysProcAttr)
	if err := startOnSharedThread(command); err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Path, err)
	}
	p := &process{pid: command.Process.Pid, sockets: sockets}
	_ = command.Process.Release() // reap collects it
	if needsWatchdog {
		if p.watchdog, err = startWatchdog(p.pid); err != nil {
			return nil, errors.Join(err, p.abandon())
		}
	}
	return p, nil
}

// settings are given on the command line, so that an old cluster follows a new version of this package.
func settings(port int, sockets string, throwaway bool) []string {
	common := []string{
		"listen_addresses=127.0.0.1", portArgument(port),
		"unix_socket_directories=" + sockets, "unix_socket_permissions=0700",
		"password_encryption=scram-sha-256", "timezone=UTC", "log_timezone=UTC", "max_connections=200",
	}
	if !throwaway {
		return common
	}
	// Commits still reach the system: a server that tests kill comes back with them, as only a power loss would not let it.
	return append(common, "fsync=off", "full_page_writes=off",
		"shared_buffers=64MB", "max_wal_size=256MB")
}

// startOnSharedThread starts the command on a thread that lives as long as the process: the parent-death signal
// fires when the *thread* ends, and the caller's may be locked to a goroutine that ends before.
func startOnSharedThread(command *exec.Cmd) error {
	started := make(chan error, 1)
	go func() { started <- command.Start() }()
	return <-started
}

// ready returns when the server answers on its own socket (whoever else listens on the port wouldn't be there).
func (p *process) ready(ctx context.Context, port int, password string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	config, err := pgx.ParseConfig(localDSN(port, password, ""))
	if err != nil {
		return err
	}
	config.Host = p.sockets
	for {
		if p.reap() {
			return errors.New("it ended")
		}
		conn, connectErr := pgx.ConnectConfig(ctx, config)
		if connectErr == nil {
			return conn.Close(ctx)
		}
		if err := pause(ctx, pollInterval); err != nil {
			return fmt.Errorf("%w: %w", err, connectErr)
		}
	}
}

// reap collects the process if it has ended, and reports whether it has, now or earlier.
func (p *process) reap() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exited {
		return true
	}
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(p.pid, &status, syscall.WNOHANG, nil)
	p.exited = pid == p.pid || errors.Is(err, syscall.ECHILD)
	if p.exited && strings.HasPrefix(p.sockets, shortFolder) {
		_ = os.Remove(p.sockets) // stays when a killed server left its socket in it; the next start uses it again
	}
	return p.exited
}

// signal is sent only while the process id is certainly still ours: before it has been reaped.
func (p *process) signal(signal syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exited {
		return nil
	}
	if err := syscall.Kill(p.pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %s to %d: %w", signal, p.pid, err)
	}
	return nil
}

func (p *process) wait(ctx context.Context) error {
	for !p.reap() {
		if err := pause(ctx, pollInterval); err != nil {
			return err
		}
	}
	return nil
}

// stop asks for a fast shutdown, then for an immediate one, then the kernel to end it.
func (p *process) stop(ctx context.Context) error {
	if err := p.signal(syscall.SIGINT); err != nil {
		return err
	}
	if p.wait(ctx) == nil {
		p.dismissWatchdog()
		return nil
	}
	for _, signal := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL} {
		if err := p.signal(signal); err != nil {
			return err
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		err := p.wait(last)
		cancel()
		if err == nil {
			p.dismissWatchdog()
			return fmt.Errorf("the server didn't stop in time (%w) and was ended by %s", ctx.Err(), signal)
		}
	}
	return errStillRunning
}

// abandon stops a server whose start failed.
func (p *process) abandon() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return p.stop(ctx)
}

func (p *process) dismissWatchdog() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watchdog != nil {
		p.watchdog.dismiss()
		p.watchdog = nil
	}
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
