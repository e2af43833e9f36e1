package dataplane

import (
	"bytes"
	"crypto/ed25519"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/dataplane/internal/configsync"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/snapshotfile"
)

const fileEnvironment = "env_test"

// signer signs heads under a name.
type signer struct {
	id  string
	key ed25519.PrivateKey
}

func newSigner(t *testing.T, id string) signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return signer{id, key}
}

func (s signer) public() *edgev1.SigningKey {
	return &edgev1.SigningKey{Id: s.id, PublicKey: s.key.Public().(ed25519.PublicKey)} //nolint:forcetypeassert // of its kind
}

// empty is the head of a lane without content.
func (s signer) empty(t *testing.T, lane edgev1.Lane, number uint64) *edgev1.SignedHead {
	t.Helper()
	sum := new(digest.Set).Head()
	body, err := proto.Marshal(&edgev1.Head{
		Environment: fileEnvironment, Lane: lane, Epoch: 1, Number: number, Digest: sum[:], Time: timestamppb.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &edgev1.SignedHead{Head: body, KeyId: s.id, Signature: ed25519.Sign(s.key, append([]byte("sallyport head v1\x00"), body...))}
}

// fileBy is a file of empty lanes.
func fileBy(t *testing.T, by signer, number uint64) *snapshotFile {
	t.Helper()
	var content bytes.Buffer
	encoder, err := zstd.NewWriter(&content)
	if err != nil {
		t.Fatal(err)
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	key := snapshotfile.NewKey()
	w, err := snapshotfile.NewWriter(&file, key, &edgev1.SnapshotManifest{
		Environment: fileEnvironment, MadeAt: timestamppb.Now(), SigningKeys: []*edgev1.SigningKey{by.public()},
		Directory: by.empty(t, edgev1.Lane_LANE_DIRECTORY, number), Configuration: by.empty(t, edgev1.Lane_LANE_CONFIGURATION, number),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.Directory(content.Bytes()), w.Configuration(content.Bytes()), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	reader, err := snapshotfile.Open(&file, key)
	if err != nil {
		t.Fatal(err)
	}
	return &snapshotFile{reader: reader}
}

// nodeThatTrusts holds nothing yet.
func nodeThatTrusts(t *testing.T, who signer) *node {
	t.Helper()
	n := &node{directory: directory.New(), freshness: freshness.New(time.Now())}
	n.cfg.Logger = slog.New(slog.DiscardHandler)
	n.env = snapshot.NewEnv(snapshot.Config{Directory: n.directory, Kinds: policies.All(), Logger: n.cfg.Logger})
	var err error
	n.syncer, err = configsync.New(configsync.Config{
		Environment: fileEnvironment, SigningKeys: []*edgev1.SigningKey{who.public()}, Directory: n.directory,
		Freshness: n.freshness, Compiler: compiler{env: n.env, holder: &n.snapshots}, Logger: n.cfg.Logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A unit file that names a snapshot file names it for good: a node must not fail to start once its signing key is retired.
func TestAFileOfARetiredKeyKeepsNoNodeFromStartingThatCanDoWithout(t *testing.T) {
	now, retired := newSigner(t, "now"), newSigner(t, "retired")

	fresh := nodeThatTrusts(t, now)
	if err := fresh.take(fileBy(t, retired, 7)); err == nil || !strings.Contains(err.Error(), "unknown_signing_key") {
		t.Errorf("a node with nothing to serve and nobody to ask begins: %v", err)
	}

	holding := nodeThatTrusts(t, now)
	for _, file := range []*snapshotFile{fileBy(t, now, 5), fileBy(t, retired, 7)} {
		if err := holding.take(file); err != nil {
			t.Errorf("a node that holds both lanes: %v", err)
		}
		if at := holding.syncer.Position(); at.Revision != 5 || at.Sequence != 5 {
			t.Errorf("it holds %+v", at)
		}
	}

	joined := nodeThatTrusts(t, now)
	joined.joined.Store(true)
	if err := joined.take(fileBy(t, retired, 7)); err != nil {
		t.Errorf("a node that can ask its control plane: %v", err)
	}
	if at := joined.syncer.Position(); at.Epoch != 0 {
		t.Errorf("it took what it doesn't believe: %+v", at)
	}
	if age := joined.freshness.Age(time.Now()); age != freshness.Never {
		t.Errorf("what it doesn't believe made it %s fresh", age)
	}
}
