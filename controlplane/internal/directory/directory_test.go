package directory

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// plainSealer marks what it seals with its purpose.
type plainSealer struct{}

func (plainSealer) Seal(purpose string, plain []byte) ([]byte, error) {
	return append([]byte(purpose+"|"), plain...), nil
}

func (plainSealer) Open(purpose string, sealed []byte) ([]byte, error) {
	return []byte(strings.TrimPrefix(string(sealed), purpose+"|")), nil
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestSecretIsHashedAsItIsSentSoThatSealingAnewChangesNothing(t *testing.T) {
	secret := id.Text("sec", id.New(at))
	entry, err := Secret(plainSealer{}, "env_a", secret, []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Unseal(plainSealer{}, "env_a", entry)
	if err != nil || digest.HashOf(plain) != entry.Hash || !entry.Sealed {
		t.Errorf("hash %x of %q, %v", entry.Hash, plain, err)
	}
	other, err := Secret(plainSealer{}, "env_b", secret, []byte("value"))
	if err != nil || other.Hash != entry.Hash || bytes.Equal(other.Bytes, entry.Bytes) {
		t.Errorf("in another environment: %v", err)
	}
}

func TestAPIKeyEntryIsKeyedByItsDigestAndNeverReadsAsWithoutExpiry(t *testing.T) {
	m := &adminv1.ApiKey{Id: id.Text("key", id.New(at)), Consumer: id.Text("con", id.New(at)), ExpiresAt: timestamppb.New(time.UnixMilli(0))}
	entry, err := APIKey(m, digest.Key{1})
	if err != nil {
		t.Fatal(err)
	}
	var e directoryv1.Entry
	if err := proto.Unmarshal(entry.Bytes, &e); err != nil {
		t.Fatal(err)
	}
	if entry.Key != (digest.Key{1}) || e.GetApiKey().GetExpiresAtMs() != 1 || e.GetApiKey().GetDigest()[0] != 1 {
		t.Errorf("got %v", &e)
	}
	for _, bad := range []*adminv1.ApiKey{{Id: "key_x"}, {Id: m.GetId(), Consumer: "con_x"}} {
		if _, err := APIKey(bad, digest.Key{}); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

func TestETagOfASecretFollowsItsSequenceAndOthersWhatIsShown(t *testing.T) {
	tag := func(r Row) string {
		t.Helper()
		etag, err := ETag(r)
		if err != nil {
			t.Fatal(err)
		}
		return etag
	}
	secret := Row{Message: &adminv1.Secret{Id: "a"}, Sequence: 1}
	changed := secret
	changed.Sequence = 2
	rehashed := secret
	rehashed.Hash = digest.Hash{1}
	if tag(secret) == tag(changed) || tag(secret) != tag(rehashed) {
		t.Error("a secret's tag follows from something else than its sequence")
	}
	consumer := Row{Message: &adminv1.Consumer{Id: "a", UpdatedAt: timestamppb.New(at)}, Sequence: 1}
	later := Row{Message: &adminv1.Consumer{Id: "a"}, Sequence: 2}
	if tag(consumer) != tag(later) {
		t.Error("a consumer's tag follows from its times or sequence")
	}
}

// history is a Source with one entry per sequence.
type history []Entry

func (h history) EntryHashes(_ context.Context, _ string, after uint64) ([]Entry, error) {
	return h[after:], nil
}

func TestDigestsCatchUpAndFindContradictions(t *testing.T) {
	entries := make(history, 20)
	var set digest.Set
	sums := []digest.Sum{set.Head()}
	for i := range entries {
		entries[i] = Entry{Key: digest.KeyOf("k", string(rune('a'+i%7))), Hash: digest.Hash{byte(i)}, Gone: i%5 == 4}
		apply(&set, entries[i:i+1])
		sums = append(sums, set.Head())
	}
	d := NewDigests()
	for _, from := range []int{0, 1, 5, 5, 19} { // with gaps, as when other replicas wrote, and once not committed
		step, err := d.Prepare(t.Context(), entries[:from], "env", Head{Sequence: uint64(from), Digest: sums[from]}, entries[from:from+1])
		if err != nil {
			t.Fatal(err)
		}
		if step.Head.Digest != sums[from+1] || step.Head.Sequence != uint64(from+1) {
			t.Errorf("after %d: %+v", from, step.Head)
		}
		d.Commit(step)
	}
	if _, err := d.Prepare(t.Context(), entries, "env", Head{Sequence: 20, Digest: digest.Sum{9}}, nil); err == nil {
		t.Error("a digest that is not the database's was taken")
	}
	if step, err := d.Prepare(t.Context(), entries, "env", Head{Sequence: 20, Digest: sums[20]}, nil); err != nil || step.Head.Digest != sums[20] {
		t.Errorf("after that: %v", err)
	}
}
