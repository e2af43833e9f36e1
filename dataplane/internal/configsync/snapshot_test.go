package configsync

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// oneChunk is a snapshot that came whole.
func oneChunk(compressed []byte, limit int64) *chunks {
	return newChunks(&edgev1.SnapshotChunk{Data: compressed, Last: true}, limit, nil)
}

func readAll(compressed io.Reader, plain int64) (n int, err error) {
	for _, err := range messages(compressed, plain, new(edgev1.ObjectChange), unmarshal) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func TestDecompressionBombIsRefusedAtItsBound(t *testing.T) {
	object := marshal(t, &edgev1.ConfigurationSnapshot{Objects: []*edgev1.ObjectChange{{Collection: "routes", Id: "rt_1", Object: make([]byte, 1<<10)}}})
	bomb := compress(t, bytes.Repeat(object, 64<<10)) // 64 MiB out of a few KiB
	if len(bomb) > maxChunk {
		t.Fatalf("%d bytes are no bomb", len(bomb))
	}
	n, err := readAll(oneChunk(bomb, 1<<30), 1<<20)
	if !errors.Is(err, errTooLarge) || n > 1<<10 {
		t.Errorf("%d objects, %v", n, err)
	}
	if n, err := readAll(oneChunk(bomb, 1<<30), 1<<30); err != nil || n != 64<<10 {
		t.Errorf("%d objects, %v", n, err)
	}
}

func TestWindowThatAsksForTooMuchMemoryIsRefused(t *testing.T) {
	// A frame header (RFC 8878, section 3.1.1.1) whose window descriptor asks for 2 GiB.
	header := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00}
	if _, err := readAll(oneChunk(header, 1<<20), 1<<20); err == nil {
		t.Error("taken")
	}
}

func TestCompressedSnapshotsAreBounded(t *testing.T) {
	left := 0
	endless := func() (*edgev1.SnapshotChunk, error) {
		left++
		return &edgev1.SnapshotChunk{Data: make([]byte, 100)}, nil
	}
	c := newChunks(&edgev1.SnapshotChunk{}, 1000, endless)
	var r *refusal
	if err := c.drain(); !errors.As(err, &r) || r.code != codeTooLarge || r.reaction != reconnect || left != 11 {
		t.Errorf("%v after %d chunks", err, left)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.As(err, &r) {
		t.Errorf("%v", err)
	}
}

func TestEmptySnapshotHoldsNothing(t *testing.T) {
	for name, compressed := range map[string][]byte{"no frame": nil, "an empty frame": compress(t, nil)} {
		if n, err := readAll(oneChunk(compressed, 1<<20), 1<<20); n != 0 || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// Whatever the form of an entry's change in a snapshot, it is read as any message is, or refused as one.
func TestLentEntriesAreReadAsMessagesAre(t *testing.T) {
	change := marshal(t, &edgev1.EntryChange{Key: []byte("key"), Entry: []byte("entry")})
	key, entry := change[:5], change[5:]
	unknown := []byte{15 << 3, 1}
	for name, data := range map[string][]byte{
		"plain":             change,
		"nothing":           nil,
		"without entry":     key,
		"without key":       entry,
		"other order":       slices.Concat(entry, key),
		"entry twice":       slices.Concat(change, []byte{2<<3 | 2, 1, 'x'}),
		"empty key":         slices.Concat([]byte{1<<3 | 2, 0}, entry),
		"unknown behind":    slices.Concat(change, unknown),
		"unknown before":    slices.Concat(unknown, change),
		"unknown between":   slices.Concat(key, unknown, entry),
		"key as number":     slices.Concat([]byte{1 << 3, 1}, entry),
		"cut":               change[:len(change)-1],
		"cut behind a tag":  change[:len(key)+1],
		"longer than it is": {1<<3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
	} {
		t.Run(name, func(t *testing.T) {
			lent, whole := &edgev1.EntryChange{Key: []byte("before"), Entry: []byte("before")}, new(edgev1.EntryChange)
			got, want := lendEntry(data, lent), unmarshal(data, whole)
			if (got == nil) != (want == nil) || want == nil && !proto.Equal(lent, whole) {
				t.Errorf("%v, %v; as a message %v, %v", lent, got, whole, want)
			}
		})
	}
}
