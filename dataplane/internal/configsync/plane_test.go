package configsync

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const (
	environment = "env_test"
	keyID       = "k1"
	// patience is how long a test waits for what must come before it fails.
	patience = 20 * time.Second
)

// plane plays the control plane: the test scripts each stream.
type plane struct {
	edgev1.UnimplementedEdgeServiceServer
	t       testing.TB
	key     ed25519.PrivateKey
	public  ed25519.PublicKey
	streams map[edgev1.Lane]chan *conversation
	shown   chan *edgev1.Holdings
	seconds int64       // signed heads are a second apart
	trusted chan uint64 // versions that the node says it believes in
}

// conversation is one stream, seen from the control plane.
type conversation struct {
	t       testing.TB
	hello   *edgev1.Hello
	answers chan proto.Message // Ack or Nack
	send    func(proto.Message) error
	hangUp  func()
	gone    chan struct{}
}

func newPlane(t testing.TB) *plane {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &plane{t: t, key: private, public: public, trusted: make(chan uint64, 16), shown: make(chan *edgev1.Holdings, 16), streams: map[edgev1.Lane]chan *conversation{
		edgev1.Lane_LANE_CONFIGURATION: make(chan *conversation),
		edgev1.Lane_LANE_DIRECTORY:     make(chan *conversation),
	}}
}

func (p *plane) SyncConfiguration(stream edgev1.EdgeService_SyncConfigurationServer) error {
	send := func(m proto.Message) error { return stream.Send(m.(*edgev1.SyncConfigurationResponse)) }
	return p.serve(stream.Context(), edgev1.Lane_LANE_CONFIGURATION, send, stream.Recv)
}

// SyncDirectory speaks as SyncConfiguration does: all but the deltas' changes is the same on the wire.
func (p *plane) SyncDirectory(stream edgev1.EdgeService_SyncDirectoryServer) error {
	return p.serve(stream.Context(), edgev1.Lane_LANE_DIRECTORY, saidInDirectory(stream), heardInDirectory(stream, p.trusted, p.shown))
}

func saidInDirectory(stream edgev1.EdgeService_SyncDirectoryServer) func(proto.Message) error {
	return func(m proto.Message) error {
		own, ok := m.(*edgev1.SyncDirectoryResponse)
		if !ok {
			own = new(edgev1.SyncDirectoryResponse)
			if err := translate(m, own); err != nil {
				return err
			}
		}
		return stream.Send(own)
	}
}

func heardInDirectory(stream edgev1.EdgeService_SyncDirectoryServer, trusted chan<- uint64, shown chan<- *edgev1.Holdings) func() (*edgev1.SyncConfigurationRequest, error) {
	return func() (*edgev1.SyncConfigurationRequest, error) {
		m, err := stream.Recv()
		for ; err == nil && (m.GetTrusted() != nil || m.GetHoldings() != nil); m, err = stream.Recv() {
			if held := m.GetHoldings(); held != nil {
				shown <- held
			} else {
				trusted <- m.GetTrusted().GetVersion()
			}
		}
		if err != nil {
			return nil, err
		}
		translated := new(edgev1.SyncConfigurationRequest)
		return translated, translate(m, translated)
	}
}

func translate(from, to proto.Message) error {
	wire, err := proto.Marshal(from)
	if err != nil {
		return err
	}
	return proto.Unmarshal(wire, to)
}

func (p *plane) serve(ctx context.Context, lane edgev1.Lane, send func(proto.Message) error, receive func() (*edgev1.SyncConfigurationRequest, error)) error {
	first, err := receive()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &conversation{t: p.t, hello: first.GetHello(), answers: make(chan proto.Message, 16), send: send, hangUp: cancel, gone: make(chan struct{})}
	defer close(c.gone)
	select {
	case p.streams[lane] <- c:
	case <-ctx.Done():
		return ctx.Err()
	}
	go c.listen(receive) // ends with the stream, which ends when this handler returns
	<-ctx.Done()
	return errors.New("hung up")
}

func (c *conversation) listen(receive func() (*edgev1.SyncConfigurationRequest, error)) {
	for {
		m, err := receive()
		switch {
		case err != nil:
			c.hangUp()
			return
		case m.GetAck() != nil:
			c.answers <- m.GetAck()
		case m.GetNack() != nil:
			c.answers <- m.GetNack()
		default:
			c.t.Errorf("the node says %v", m)
		}
	}
}

// next returns the stream that the node opens on a lane.
func (p *plane) next(lane edgev1.Lane) *conversation {
	p.t.Helper()
	select {
	case c := <-p.streams[lane]:
		return c
	case <-time.After(patience):
		p.t.Fatal("the node opens no stream")
		return nil
	}
}

func (c *conversation) say(m proto.Message) {
	c.t.Helper()
	if err := c.send(m); err != nil {
		c.t.Fatal(err)
	}
}

func (c *conversation) answer() proto.Message {
	c.t.Helper()
	select {
	case m := <-c.answers:
		return m
	case <-time.After(patience):
		c.t.Fatal("the node doesn't answer")
		return nil
	}
}

func (c *conversation) acked(number uint64) {
	c.t.Helper()
	if ack, ok := c.answer().(*edgev1.Ack); !ok || ack.GetNumber() != number || len(ack.GetDigest()) != 32 || ack.GetTook().AsDuration() < 0 {
		c.t.Fatalf("no ack of %d: %v", number, ack)
	}
}

func (c *conversation) nacked(number uint64, code string) *edgev1.Nack {
	c.t.Helper()
	answer := c.answer()
	nack, ok := answer.(*edgev1.Nack)
	if !ok || nack.GetNumber() != number || len(nack.GetErrors()) == 0 || nack.GetErrors()[0].GetCode() != code {
		c.t.Fatalf("no nack of %d for %s: %v", number, code, answer)
	}
	return nack
}

// ended waits until the node has ended the stream.
func (c *conversation) ended() {
	c.t.Helper()
	select {
	case <-c.gone:
	case <-time.After(patience):
		c.t.Fatal("the node keeps the stream")
	}
}

// laneState is what the control plane holds of a lane.
type laneState struct {
	lane    edgev1.Lane
	epoch   uint64
	number  uint64
	needs   uint64
	content map[Ref][]byte // of the directory: collection "", the key as id
}

func newState(lane edgev1.Lane) *laneState {
	return &laneState{lane: lane, epoch: 1, content: map[Ref][]byte{}}
}

func (s *laneState) set(collection, id, object string) *edgev1.ObjectChange {
	ref := Ref{Collection: collection, ID: id}
	if object == "" {
		delete(s.content, ref)
	} else {
		s.content[ref] = []byte(object)
	}
	return &edgev1.ObjectChange{Collection: collection, Id: id, Object: []byte(object)}
}

func (s *laneState) setEntry(change *edgev1.EntryChange) *edgev1.EntryChange {
	s.set("", string(change.GetKey()), string(change.GetEntry()))
	return change
}

func (s *laneState) digest() []byte {
	var set digest.Set
	for ref, object := range s.content {
		key := digest.KeyOf(ref.Collection, ref.ID)
		if ref.Collection == "" {
			key = digest.Key([]byte(ref.ID))
		}
		set.Put(key, digest.HashOf(object))
	}
	sum := set.Head()
	return sum[:]
}

func (s *laneState) head(p *plane) *edgev1.Head {
	p.seconds++
	return &edgev1.Head{
		Environment: environment, Epoch: s.epoch, Lane: s.lane, Number: s.number, Digest: s.digest(),
		SequenceNeeded: s.needs, Time: timestamppb.New(time.Unix(1_700_000_000+p.seconds, 0)),
	}
}

func (p *plane) sign(head *edgev1.Head) *edgev1.SignedHead {
	p.t.Helper()
	body, err := proto.Marshal(head)
	if err != nil {
		p.t.Fatal(err)
	}
	return &edgev1.SignedHead{Head: body, KeyId: keyID, Signature: ed25519.Sign(p.key, append([]byte("sallyport head v1\x00"), body...))}
}

func (p *plane) beat(s *laneState) *edgev1.SyncConfigurationResponse {
	return beatOf(p.sign(s.head(p)))
}

func beatOf(head *edgev1.SignedHead) *edgev1.SyncConfigurationResponse {
	return &edgev1.SyncConfigurationResponse{Message: &edgev1.SyncConfigurationResponse_Beat{Beat: head}}
}

func deltaOf(head *edgev1.SignedHead, from uint64, changes ...*edgev1.ObjectChange) *edgev1.SyncConfigurationResponse {
	return &edgev1.SyncConfigurationResponse{Message: &edgev1.SyncConfigurationResponse_Delta{Delta: &edgev1.ConfigurationDelta{Head: head, From: from, Changes: changes}}}
}

// delta is the delta to the state as it is.
func (p *plane) delta(s *laneState, from uint64, changes ...*edgev1.ObjectChange) *edgev1.SyncConfigurationResponse {
	return deltaOf(p.sign(s.head(p)), from, changes...)
}

// entryDelta is delta for the directory.
func (p *plane) entryDelta(s *laneState, from uint64, changes ...*edgev1.EntryChange) *edgev1.SyncDirectoryResponse {
	d := &edgev1.DirectoryDelta{Head: p.sign(s.head(p)), From: from, Changes: changes}
	return &edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Delta{Delta: d}}
}

func (s *laneState) snapshot(t testing.TB) []byte {
	t.Helper()
	objects, entries := new(edgev1.ConfigurationSnapshot), new(edgev1.DirectorySnapshot)
	for ref, object := range s.content {
		objects.Objects = append(objects.Objects, &edgev1.ObjectChange{Collection: ref.Collection, Id: ref.ID, Object: object})
		entries.Entries = append(entries.Entries, &edgev1.EntryChange{Key: []byte(ref.ID), Entry: object})
	}
	var m proto.Message = objects
	if s.lane == edgev1.Lane_LANE_DIRECTORY {
		m = entries
	}
	return marshal(t, m)
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func compress(t testing.TB, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	encoder, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	_, writeErr := encoder.Write(plain)
	if err := errors.Join(writeErr, encoder.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sendSnapshot sends compressed bytes in chunks of a size.
func (c *conversation) sendSnapshot(head *edgev1.SignedHead, compressed []byte, size int) {
	c.t.Helper()
	for first := true; first || len(compressed) > 0; first = false {
		n := min(size, len(compressed))
		chunk := &edgev1.SnapshotChunk{Data: compressed[:n], Last: n == len(compressed)}
		if first {
			chunk.Head = head
		}
		c.say(chunkOf(chunk))
		compressed = compressed[n:]
	}
}

func chunkOf(chunk *edgev1.SnapshotChunk) *edgev1.SyncConfigurationResponse {
	return &edgev1.SyncConfigurationResponse{Message: &edgev1.SyncConfigurationResponse_Chunk{Chunk: chunk}}
}

// compiler takes every object but those that say that they are bad.
type compiler struct {
	mu        sync.Mutex
	inForce   map[Ref]string
	revision  uint64
	proposals []Proposal
}

func (c *compiler) Compile(p Proposal) (func(), []*edgev1.ObjectError) {
	var errs []*edgev1.ObjectError
	objects := map[Ref]string{}
	for ref, object := range p.Objects.All() {
		switch got, found := p.Objects.Get(ref); {
		case !found || !bytes.Equal(got, object):
			panic("Get and All differ")
		case strings.HasPrefix(string(object), "panic"):
			panic(string(object))
		case strings.HasPrefix(string(object), "bad"):
			errs = append(errs, &edgev1.ObjectError{Collection: ref.Collection, Id: ref.ID, Pointer: "/x", Code: "bad", Message: "it is bad"})
		}
		objects[ref] = string(object)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proposals = append(c.proposals, p)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.inForce, c.revision = objects, p.Revision
	}, errs
}

func (c *compiler) last() Proposal {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proposals[len(c.proposals)-1]
}

// holds tells whether the state is in force.
func (c *compiler) holds(s *laneState) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.inForce) != len(s.content) || c.revision != s.number {
		return fmt.Errorf("%d objects of revision %d in force, want %d of %d", len(c.inForce), c.revision, len(s.content), s.number)
	}
	for ref, object := range s.content {
		if c.inForce[ref] != string(object) {
			return fmt.Errorf("%v is %q, want %q", ref, c.inForce[ref], object)
		}
	}
	return nil
}

// preparing, as a Config's Compiler, is what to do with the Syncer before it runs.
type preparing struct {
	Compiler

	prepare func(*Syncer)
}

// node is a Syncer at work, connected to the plane.
type node struct {
	*Syncer
	compiler  *compiler
	directory *directory.Directory
	stop      func()
	prepare   func(*Syncer) // before it runs
}

// start lets a node run until the test ends.
func start(t testing.TB, p *plane, change ...func(*Config)) *node {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	edgev1.RegisterEdgeServiceServer(server, p)
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) }) // ends by Stop
	connection, err := grpc.NewClient("passthrough:plane",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{compiler: new(compiler), directory: directory.New()}
	config := Config{
		Connection: connection, Environment: environment, Directory: n.directory, Compiler: n.compiler,
		SigningKeys: []*edgev1.SigningKey{{Id: keyID, PublicKey: p.public}},
		Build:       "test", Logger: slog.New(slog.DiscardHandler),
		RetryLeast: time.Millisecond, RetryMost: time.Millisecond, ResyncLeast: time.Millisecond, ResyncMost: time.Millisecond,
	}
	for _, f := range change {
		f(&config)
	}
	if prepared, ok := config.Compiler.(preparing); ok {
		config.Compiler, n.prepare = n.compiler, prepared.prepare
	}
	if n.Syncer, err = New(config); err != nil {
		t.Fatal(err)
	}
	n.Restore()
	if n.prepare != nil {
		n.prepare(n.Syncer)
	}
	ctx, cancel := context.WithCancel(t.Context())
	running.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	n.stop = sync.OnceFunc(func() {
		cancel()
		_ = connection.Close()
		server.Stop()
		running.Wait()
	})
	t.Cleanup(n.stop)
	return n
}
