package configsync

import (
	"crypto/ed25519"
	"log/slog"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const witnessed = "env_w"

// notary signs heads of the audit record.
type notary struct {
	t   *testing.T
	key ed25519.PrivateKey
	dir string
}

func newNotary(t *testing.T) *notary {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &notary{t: t, key: key, dir: t.TempDir()}
}

func (n *notary) sign(environment string, epoch, number uint64, hash byte, global uint64) *edgev1.SignedAuditHead {
	n.t.Helper()
	body, err := proto.Marshal(&edgev1.AuditHead{
		Environment: environment, Epoch: epoch, Number: number, Hash: []byte{hash}, GlobalNumber: global, GlobalHash: []byte{byte(global)},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return &edgev1.SignedAuditHead{Head: body, Signature: ed25519.Sign(n.key, append([]byte("sallyport audit head v1\x00"), body...)), KeyId: "k"}
}

// start is a witness with what lies on the disk.
func (n *notary) start() (w *witness, stop func()) {
	n.t.Helper()
	kept, err := state.Open(state.Config{Dir: n.dir, Environment: witnessed, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		n.t.Fatal(err)
	}
	trust := fixedTrust{"k": n.key.Public().(ed25519.PublicKey)}
	stop = func() {
		if err := kept.Close(); err != nil {
			n.t.Error(err)
		}
	}
	return newWitness(Config{Environment: witnessed, Trust: trust, State: kept, Logger: slog.New(slog.DiscardHandler)}), stop
}

func TestAWitnessRefusesAHeadThatGoesBackOrSaysOtherwise(t *testing.T) {
	n := newNotary(t)
	forged := n.sign(witnessed, 1, 9, 9, 9)
	forged.Signature[0] ^= 1
	stranger := n.sign(witnessed, 1, 9, 9, 9)
	stranger.KeyId = "another"
	for name, tt := range map[string]struct {
		next  *edgev1.SignedAuditHead
		taken bool
	}{
		"newer":                      {n.sign(witnessed, 1, 6, 6, 5), true},
		"the same":                   {n.sign(witnessed, 1, 5, 5, 5), true},
		"newer in the global chain":  {n.sign(witnessed, 1, 5, 5, 6), true},
		"of a later epoch, shorter":  {n.sign(witnessed, 2, 1, 1, 1), true},
		"of an earlier epoch":        {n.sign(witnessed, 0, 9, 9, 9), false},
		"older":                      {n.sign(witnessed, 1, 4, 4, 5), false},
		"older in the global chain":  {n.sign(witnessed, 1, 6, 6, 4), false},
		"another hash":               {n.sign(witnessed, 1, 5, 7, 5), false},
		"of another environment":     {n.sign("env_x", 1, 9, 9, 9), false},
		"with a wrong signature":     {forged, false},
		"with a key nobody believes": {stranger, false},
		"no head":                    {&edgev1.SignedAuditHead{Head: []byte{0xff}, KeyId: "k"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, stop := (&notary{t: t, key: n.key, dir: t.TempDir()}).start()
			defer stop()
			first := n.sign(witnessed, 1, 5, 5, 5)
			w.take(first)
			w.take(tt.next)
			if taken := proto.Equal(w.kept(), tt.next); taken != tt.taken {
				t.Errorf("taken: %v", taken)
			}
			if !tt.taken && !proto.Equal(w.kept(), first) {
				t.Error("what was kept is gone")
			}
		})
	}
}

func TestAWitnessRemembersAcrossStarts(t *testing.T) {
	n := newNotary(t)
	w, stop := n.start()
	if w.kept() != nil {
		t.Fatal("a new node shows a head")
	}
	seen := n.sign(witnessed, 1, 5, 5, 5)
	w.take(seen)
	stop()
	w, stop = n.start()
	defer stop()
	if !proto.Equal(w.kept(), seen) {
		t.Fatalf("it shows %v", w.kept())
	}
	w.take(n.sign(witnessed, 1, 4, 4, 4))
	if !proto.Equal(w.kept(), seen) {
		t.Error("after a start it takes a head that goes back")
	}
}

func TestTheHelloOfTheDirectoryShowsTheHeadThatTheNodeKeeps(t *testing.T) {
	n := newNotary(t)
	kept, err := state.Open(state.Config{Dir: n.dir, Environment: witnessed, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	}()
	seen := n.sign(witnessed, 1, 5, 5, 5)
	body, err := proto.Marshal(seen)
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.KeepAuditHead(body); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Environment: witnessed, Trust: fixedTrust{"k": n.key.Public().(ed25519.PublicKey)}, State: kept, Logger: slog.New(slog.DiscardHandler),
		Directory: directory.New(), Compiler: &compiler{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if hello := s.directory.hello(s.config); !proto.Equal(hello.GetAuditHead(), seen) || hello.GetCapability() < 3 {
		t.Errorf("the directory's Hello is %v", hello)
	}
	if hello := s.configuration.hello(s.config); hello.GetAuditHead() != nil {
		t.Error("the configuration's Hello shows it too")
	}
}
