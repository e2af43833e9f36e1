package configsync

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Config is what a Syncer needs. Durations of zero take their defaults.
type Config struct {
	// Connection to the control plane, as Dial makes it. Its owner closes it. nil: Connect will give it.
	Connection grpc.ClientConnInterface
	// Environment of the node, by id.
	Environment string
	// Trust is what the node believes in.
	Trust Trust
	// SigningKeys are what heads may be signed with, for a node without Trust: it never learns of others.
	SigningKeys []*edgev1.SigningKey
	// Directory that the directory lane fills.
	Directory *directory.Directory
	// Compiler that the configuration lane feeds.
	Compiler Compiler
	// Freshness hears when the control plane vouched for what the directory holds; nil: nobody does.
	Freshness *freshness.Freshness
	// State keeps what is applied; nil: nothing is kept.
	State *state.Store
	// Build of the binary, for people.
	Build string
	// Boot is random per start of the process; empty: made here.
	Boot string
	// Started is when the process started.
	Started time.Time
	// Logger takes what an operator should know.
	Logger *slog.Logger

	// RetryLeast and RetryMost bound the pause before a stream is opened again; default 100 ms, 15 s.
	RetryLeast, RetryMost time.Duration
	// ResyncLeast and ResyncMost bound the pause before a snapshot is demanded; default 50 ms, 1 min.
	ResyncLeast, ResyncMost time.Duration
	// Silence is how long nothing may be heard on a stream; default 5 min: a dead connection is
	// noticed by Dial's pings, and no beat comes while the node refuses the newest state. It is then
	// offered that state once more.
	Silence time.Duration
	// Grace is how long a node that began with what it had kept asks for news before it counts as ready, unless it has them
	// earlier; default 500 ms.
	Grace time.Duration
}

// Syncer keeps both lanes. Make it with New, let it Run.
type Syncer struct {
	config        Config
	configuration *lane
	directory     *lane
	ready         chan struct{}
	whole         chan struct{} // a lane has read a whole state
	returnMemory  func()

	mu    sync.Mutex
	moved chan struct{} // closed at the next move of either lane
}

// New checks the configuration and returns a Syncer that holds nothing yet.
func New(config Config) (*Syncer, error) {
	if config.Directory == nil || config.Compiler == nil || config.Logger == nil || config.Environment == "" {
		return nil, errors.New("configsync: Directory, Compiler, Logger and Environment are needed")
	}
	if config.Trust == nil {
		keys, err := signingKeys(config.SigningKeys)
		if err != nil {
			return nil, fmt.Errorf("configsync: %w", err)
		}
		config.Trust = fixedTrust(keys)
	}
	config.defaults()
	s := &Syncer{config: config, ready: make(chan struct{}), moved: make(chan struct{}), whole: make(chan struct{}, 1), returnMemory: returnMemory}
	configurationHeads := verifier{environment: config.Environment, lane: edgev1.Lane_LANE_CONFIGURATION, trust: config.Trust}
	directoryHeads := verifier{environment: config.Environment, lane: edgev1.Lane_LANE_DIRECTORY, trust: config.Trust}
	s.configuration = newLane("configuration", configurationHeads, newConfiguration(config.Compiler, s.directoryAt, config.Logger), config.Logger, slog.LevelInfo, s.announce)
	s.directory = newLane("directory", directoryHeads, entries{config.Directory}, config.Logger, slog.LevelDebug, s.announce)
	s.directory.freshness, s.directory.witness = config.Freshness, newWitness(config)
	s.configuration.tookWhole, s.directory.tookWhole = s.tookWhole, s.tookWhole
	if config.State != nil {
		s.configuration.disk = disk{lane: config.State.Lane(edgev1.Lane_LANE_CONFIGURATION), first: true}
		s.directory.disk = disk{lane: config.State.Lane(edgev1.Lane_LANE_DIRECTORY)}
	}
	return s, nil
}

func (c *Config) defaults() {
	orElse := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	orElse(&c.RetryLeast, 100*time.Millisecond)
	orElse(&c.RetryMost, 15*time.Second)
	orElse(&c.ResyncLeast, 50*time.Millisecond)
	orElse(&c.ResyncMost, time.Minute)
	orElse(&c.Silence, 5*time.Minute)
	orElse(&c.Grace, 500*time.Millisecond)
	if c.Boot == "" {
		var boot [16]byte
		rand.Read(boot[:]) // never fails: the runtime ends the process instead
		c.Boot = hex.EncodeToString(boot[:])
	}
}

// Run keeps both lanes until ctx ends, and returns nil then.
func (s *Syncer) Run(ctx context.Context) error {
	client := edgev1.NewEdgeServiceClient(s.config.Connection)
	grace := time.AfterFunc(s.config.Grace, func() {
		s.configuration.wasAsked()
		s.directory.wasAsked()
	})
	defer grace.Stop()
	var lanes sync.WaitGroup
	lanes.Go(func() { s.keep(ctx, s.directory, openDirectory(client)) })
	lanes.Go(func() { s.keep(ctx, s.configuration, openConfiguration(client)) })
	lanes.Go(func() { s.giveBack(ctx) })
	lanes.Wait()
	return nil
}

// keep opens a lane's stream again and again.
func (s *Syncer) keep(ctx context.Context, l *lane, open open) {
	retries := &pause{least: s.config.RetryLeast, most: s.config.RetryMost}
	resyncs := &pause{least: s.config.ResyncLeast, most: s.config.ResyncMost}
	// A node whose disk is full hears of revocations only by opening its stream again and again.
	mends := &pause{least: s.config.RetryLeast, most: min(s.config.RetryMost, mostMend)}
	for {
		err := s.stream(ctx, l, open, retries, resyncs)
		l.stats.connected.Store(false)
		if ctx.Err() != nil {
			return
		}
		l.log.Warn("no stream to the control plane; the node serves what it holds", "number", l.held.Load().number, "error", err)
		wait := retries
		if r := (*refusal)(nil); errors.As(err, &r) && r.code == codeNotDurable && l.kept.Load().epoch > 0 {
			wait = mends // a delta will do, no snapshot is made for it
		} else {
			mends.reset()
		}
		if wait.wait(ctx) != nil {
			return
		}
	}
}

// mostMend bounds the pause before a state is taken again that the disk didn't take.
const mostMend = time.Second

// stream is one stream from its opening to its end.
func (s *Syncer) stream(ctx context.Context, l *lane, open open, retries, resyncs *pause) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Opening doesn't wait for the other side; the watch over the first receive covers both.
	link, err := open(ctx)
	if err != nil {
		return fmt.Errorf("open the stream: %w", err)
	}
	l.stats.streams.Add(1)
	if l.freshness != nil {
		l.freshness.Begin()
	}
	session := &session{
		lane: l, link: link, silence: s.config.Silence, cancel: cancel,
		resyncs: resyncs, healthy: retries.reset, now: time.Now,
	}
	err = session.run(ctx, s.config)
	if cause := context.Cause(ctx); errors.Is(cause, errSilent) {
		return cause
	}
	return err
}

// announce wakes whoever waits for a lane to move, or for the node to be ready.
func (s *Syncer) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.moved)
	s.moved = make(chan struct{})
	for _, l := range []*lane{s.configuration, s.directory} {
		if l.held.Load().epoch == 0 || !l.asked.Load() {
			return
		}
	}
	select {
	case <-s.ready:
	default:
		close(s.ready)
	}
}

// directoryAt waits until the directory is at a sequence of an epoch, or beyond, for good: a configuration that outlived
// what it needs would be of no use to the node's next process.
func (s *Syncer) directoryAt(ctx context.Context, epoch, sequence uint64) error {
	for logged := false; ; logged = true {
		s.mu.Lock()
		moved := s.moved
		s.mu.Unlock()
		at := s.directory.kept.Load()
		if sequence == 0 || at.epoch > epoch || at.epoch == epoch && at.number >= sequence {
			return nil
		}
		if !logged {
			s.config.Logger.Info("a configuration waits for the directory", "needs", sequence, "at", at.number)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
