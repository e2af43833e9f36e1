package configsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// unit is a node over all of its lives, and the line to it.
type unit struct {
	edgev1.UnimplementedEdgeServiceServer
	t      testing.TB
	c      *chronicle
	name   int
	line   *line
	server *grpc.Server
	served sync.WaitGroup

	dir      string            // of the state, in this life
	images   int               // folders made of it
	earlier  map[string][]byte // files of the lanes as they once were; nil: none
	deaths   int               // since it last stopped in good order
	mayLack  map[edgev1.Lane]bool
	amnesia  bool // its marks were damaged: it can't know where it was
	life     *life
	marksCut bool // in this life they were

	mu       sync.Mutex
	alive    string                         // boot of the process that counts: what a dead one still says doesn't
	floor    map[edgev1.Lane]state.Position // below which it must not be
	acked    map[edgev1.Lane]state.Position // by this process, and what it found
	attacks  map[edgev1.Lane][]attack
	dieAtAck chan remains // of the directory
	dieAfter state.Position
}

// remains are what a killed process has left, what of it must last, and where it was at most by then.
type remains struct {
	dir         string
	kept, floor map[edgev1.Lane]state.Position
}

// life is one process of a node.
type life struct {
	*Syncer
	u         *unit
	directory *directory.Directory
	store     *state.Store
	compiler  *incremental
	end       func()
}

func newUnit(t testing.TB, c *chronicle, name int) *unit {
	t.Helper()
	u := &unit{
		t: t, c: c, name: name, dir: t.TempDir(), line: &line{listener: bufconn.Listen(64 << 10), open: map[net.Conn]bool{}}, server: grpc.NewServer(),
		mayLack: map[edgev1.Lane]bool{laneDirectory: true, laneConfiguration: true},
		floor:   map[edgev1.Lane]state.Position{}, attacks: map[edgev1.Lane][]attack{},
	}
	edgev1.RegisterEdgeServiceServer(u.server, u)
	u.served.Go(func() { _ = u.server.Serve(u.line.listener) }) // ends by Stop
	u.begin()
	return u
}

func (u *unit) String() string { return fmt.Sprint("node ", u.name) }

// SyncConfiguration implements edgev1.EdgeServiceServer.
func (u *unit) SyncConfiguration(stream edgev1.EdgeService_SyncConfigurationServer) error {
	send := func(m proto.Message) error {
		own, ok := m.(*edgev1.SyncConfigurationResponse)
		if !ok { // somebody mistook the lane
			own = new(edgev1.SyncConfigurationResponse)
			if err := translate(m, own); err != nil {
				return err
			}
		}
		return stream.Send(own)
	}
	return u.serve(stream.Context(), laneConfiguration, send, stream.Recv)
}

// SyncDirectory implements edgev1.EdgeServiceServer.
func (u *unit) SyncDirectory(stream edgev1.EdgeService_SyncDirectoryServer) error {
	return u.serve(stream.Context(), laneDirectory, saidInDirectory(stream), heardInDirectory(stream, nil, nil))
}

// line is a node's way to the control plane.
type line struct {
	listener *bufconn.Listener
	mu       sync.Mutex
	cut      bool
	open     map[net.Conn]bool
}

func (l *line) dial(ctx context.Context, _ string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, errors.New("connection refused")
	}
	conn, err := l.listener.DialContext(ctx)
	if err == nil {
		l.open[conn] = true
	}
	return conn, err
}

// set breaks what is open, and lets nothing be opened while cut.
func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	for conn := range l.open {
		conn.Close()
	}
	clear(l.open)
}

func (l *line) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// begin starts a process on what the one before has left.
func (u *unit) begin() {
	u.t.Helper()
	store, err := state.Open(state.Config{Dir: u.dir, Environment: environment, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		u.t.Fatal(err)
	}
	quick := backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1, MaxDelay: time.Millisecond}
	connection, err := grpc.NewClient("passthrough:plane", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(u.line.dial), grpc.WithConnectParams(grpc.ConnectParams{Backoff: quick, MinConnectTimeout: patience}))
	if err != nil {
		u.t.Fatal(err)
	}
	l := &life{u: u, directory: directory.New(), store: store}
	l.compiler = &incremental{life: l}
	l.Syncer, err = New(Config{
		Connection: connection, Environment: environment, Directory: l.directory, Compiler: l.compiler, State: store,
		SigningKeys: []*edgev1.SigningKey{{Id: keyID, PublicKey: u.c.signing.public}}, Logger: slog.New(slog.DiscardHandler),
		RetryLeast: time.Millisecond, RetryMost: time.Millisecond, ResyncLeast: time.Millisecond, ResyncMost: time.Millisecond,
	})
	if err != nil {
		u.t.Fatal(err)
	}
	u.life = l
	l.Restore()
	u.mu.Lock()
	u.alive, u.acked = l.config.Boot, l.keptAt()
	u.mu.Unlock()
	l.checkRestored()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = l.Run(ctx) }) // returns nil
	running.Go(func() { l.watch(ctx) })
	l.end = func() {
		cancel()
		_ = connection.Close()
		running.Wait()
	}
}

// stop ends the process in good order.
func (u *unit) stop() {
	u.life.end()
	u.life.check()
	u.rest(u.life.keptAt())
	u.deaths = 0
	if err := u.life.store.Close(); err != nil {
		u.t.Error(err)
	}
	u.marksCut = false
}

// rest takes note of what the disk must give back.
func (u *unit) rest(kept map[edgev1.Lane]state.Position) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, lane := range bothLanes {
		u.mayLack[lane] = kept[lane].Epoch == 0
		u.floor[lane] = kept[lane]
	}
}

// keptAt is where a process is with what lasts. Of the directory more may be in force: what was revoked is dead at once, and lasts a
// little later.
func (l *life) keptAt() map[edgev1.Lane]state.Position {
	return map[edgev1.Lane]state.Position{laneDirectory: l.Syncer.directory.kept.Load().position(), laneConfiguration: l.configuration.kept.Load().position()}
}

func (h *held) position() state.Position { return state.Position{Epoch: h.epoch, Number: h.number} }

// crash kills the process at any moment: what goes on is the disk as it was then.
func (u *unit) crash() {
	u.t.Helper()
	u.mu.Lock()
	left := remains{kept: u.life.keptAt(), floor: maps.Clone(u.floor)}
	u.alive = ""
	u.mu.Unlock()
	left.dir = u.image()
	u.dieAs(left)
}

func (u *unit) dieAs(left remains) {
	u.life.end() // what it does until then is lost
	u.floor = left.floor
	u.rest(left.kept)
	u.dir = left.dir
	u.deaths++
}

// crashAtAck kills the process at the moment in which the control plane hears that something was applied in the directory.
func (u *unit) crashAtAck(happen func()) {
	if u.line.isCut() {
		return
	}
	died := make(chan remains, 1)
	u.mu.Lock()
	u.dieAtAck, u.dieAfter = died, u.c.head(laneDirectory).position()
	u.mu.Unlock()
	happen()
	select {
	case left := <-died:
		u.dieAs(left)
		u.begin()
	case <-time.After(patience):
		u.c.broke("%v acks nothing", u)
	}
}

var errDead = errors.New("the node has died")

// hasAcked takes note of what a process says that it holds for good, be it in its hello: an ack may get lost.
func (u *unit) hasAcked(boot string, lane edgev1.Lane, at state.Position) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if boot != u.alive {
		return errDead
	}
	u.acked[lane] = at
	if lane != laneDirectory || u.dieAtAck == nil || !u.dieAfter.Before(at) {
		return nil
	}
	u.alive = ""
	floor := maps.Clone(u.floor)
	u.dieAtAck <- remains{dir: u.image(), kept: maps.Clone(u.acked), floor: floor}
	u.dieAtAck = nil
	return errDead
}

// image copies what lies on the disk.
func (u *unit) image() string {
	u.images++
	to := fmt.Sprint(u.dir, ".", u.images)
	for {
		before := u.files(u.dir)
		// The marks first: what a lane holds may be beyond them, as after a crash between the two, but not the other way round.
		names := slices.Sorted(func(yield func(string) bool) {
			for name := range before {
				if !yield(name) {
					return
				}
			}
		})
		slices.SortStableFunc(names, func(a, b string) int {
			return strings.Compare(strings.TrimPrefix(a, "marks"), strings.TrimPrefix(b, "marks"))
		})
		if err := errors.Join(os.RemoveAll(to), os.Mkdir(to, 0o700)); err != nil {
			u.c.broke("%v", err)
			return to
		}
		whole := true
		for _, name := range names {
			body, err := os.ReadFile(filepath.Join(u.dir, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(to, name), body, 0o600)
			}
			whole = whole && err == nil
		}
		if after := u.files(u.dir); whole && len(after) == len(before) {
			return to // nothing came or went meanwhile
		}
	}
}

// files lists a folder.
func (u *unit) files(dir string) map[string]bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		u.c.broke("%v", err)
	}
	names := map[string]bool{}
	for _, entry := range entries {
		names[entry.Name()] = true
	}
	return names
}

// laneFiles are the files of the lanes and their marks, in order.
func (u *unit) laneFiles() []string {
	var names []string
	for name := range u.files(u.dir) {
		if strings.HasPrefix(name, "configuration.") || strings.HasPrefix(name, "directory.") || name == "marks" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// spoil changes a byte of a file of a stopped process, or cuts the file.
func (u *unit) spoil(pick uint64) {
	names := u.laneFiles()
	if len(names) == 0 {
		return
	}
	name := names[pick%uint64(len(names))]
	path := filepath.Join(u.dir, name)
	body, err := os.ReadFile(path)
	if err != nil || len(body) == 0 {
		return
	}
	at := pick / 16 % uint64(len(body))
	if body[at] ^= 1 << (pick % 8); pick%3 == 0 {
		body = body[:at]
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		u.t.Error(err)
	}
	if name == "marks" {
		u.amnesia, u.marksCut = true, true
	}
	u.lacks()
}

// lacks allows both lanes to begin with nothing: a configuration goes with the directory that it needs.
func (u *unit) lacks() { u.mayLack[laneDirectory], u.mayLack[laneConfiguration] = true, true }

// remember keeps the lanes' files as they are now.
func (u *unit) remember() {
	u.earlier = map[string][]byte{}
	for _, name := range u.laneFiles() {
		if body, err := os.ReadFile(filepath.Join(u.dir, name)); err == nil && name != "marks" {
			u.earlier[name] = body
		}
	}
}

// putBack puts the files in the place of later ones. The marks stay: without them nothing could tell.
func (u *unit) putBack() {
	if u.earlier == nil {
		return
	}
	for _, name := range u.laneFiles() {
		if name != "marks" {
			_ = os.Remove(filepath.Join(u.dir, name)) // it is put back, or it isn't
		}
	}
	for name, body := range u.earlier {
		if err := os.WriteFile(filepath.Join(u.dir, name), body, 0o600); err != nil {
			u.t.Error(err)
		}
	}
	u.lacks()
}

func (u *unit) attack(lane edgev1.Lane, a attack) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.attacks[lane] = append(u.attacks[lane], a)
}

// nextAttack returns what to say instead of the truth. Who spoils a node's marks and sits on its wire too can show it the past: that
// takes the control plane's certificate, and isn't asked for here.
func (u *unit) nextAttack(lane edgev1.Lane, at state.Position) (attack, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	waiting := u.attacks[lane]
	if len(waiting) == 0 || u.amnesia && at.Epoch == 0 {
		return attack{}, false
	}
	u.attacks[lane] = waiting[1:]
	return waiting[0], true
}

// close ends the node for good.
func (u *unit) close() {
	u.line.set(true)
	u.life.end()
	u.server.Stop()
	u.served.Wait()
}
