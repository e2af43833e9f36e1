package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const (
	configuration = edgev1.Lane_LANE_CONFIGURATION
	directory     = edgev1.Lane_LANE_DIRECTORY
)

var testKey = bytes.Repeat([]byte{7}, keySize)

// opened opens the state in a folder.
func opened(t testing.TB, at folder) *Store {
	t.Helper()
	s, err := open(at, testKey, "env_test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func head(t testing.TB, number uint64) *edgev1.SignedHead {
	t.Helper()
	return &edgev1.SignedHead{Head: marshal(t, &edgev1.Head{Epoch: 1, Number: number}), KeyId: "k", Signature: make([]byte, 64)}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// content is a lane's state: of the directory by key, of the configuration by id.
type content map[string]string

// delta leads from one state to another one.
func delta(t testing.TB, lane edgev1.Lane, from, to uint64, before, after content) *Delta {
	t.Helper()
	d := &Delta{Head: head(t, to), From: from}
	change := func(key, value string) {
		if lane == directory {
			sum := sha256.Sum256([]byte(key))
			entry := []byte(nil)
			if value != "" {
				entry = []byte(key + "=" + value)
			}
			d.Entries = append(d.Entries, &edgev1.EntryChange{Key: sum[:], Entry: entry})
			return
		}
		d.Objects = append(d.Objects, &edgev1.ObjectChange{Collection: "routes", Id: key, Object: []byte(value)})
	}
	for key, value := range after {
		if before[key] != value {
			change(key, value)
		}
	}
	for key := range before {
		if _, there := after[key]; !there {
			change(key, "")
		}
	}
	return d
}

// snapshot is a state as it comes over the wire.
func snapshot(t testing.TB, lane edgev1.Lane, c content) []byte {
	t.Helper()
	d := delta(t, lane, 0, 1, nil, c)
	plain := marshal(t, &edgev1.DirectorySnapshot{Entries: d.Entries})
	if lane == configuration {
		plain = marshal(t, &edgev1.ConfigurationSnapshot{Objects: d.Objects})
	}
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(plain)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// checkpoint keeps a whole state.
func checkpoint(t testing.TB, l *Lane, number uint64, c content) error {
	t.Helper()
	kept := l.Begin(head(t, number))
	if _, err := kept.Write(snapshot(t, l.kind, c)); err != nil {
		t.Fatal(err)
	}
	return kept.Commit()
}

// reader takes a lane as configsync does, signatures and digests aside.
type reader struct {
	lane    edgev1.Lane
	at      Position
	content content
	done    int
}

func (r *reader) Snapshot(signed *edgev1.SignedHead, compressed io.Reader) (err error) {
	if r.content != nil {
		return errors.New("a second snapshot")
	}
	r.content = content{}
	if r.at, err = positionOf(signed); err != nil {
		return err
	}
	w, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer w.Close()
	plain, err := io.ReadAll(w)
	if err != nil {
		return err
	}
	var entries edgev1.DirectorySnapshot
	var objects edgev1.ConfigurationSnapshot
	if r.lane == directory {
		err = proto.Unmarshal(plain, &entries)
	} else {
		err = proto.Unmarshal(plain, &objects)
	}
	r.take(&Delta{Objects: objects.GetObjects(), Entries: entries.GetEntries()})
	return err
}

func (r *reader) Delta(d *Delta) (err error) {
	if d.From != r.at.Number {
		return fmt.Errorf("from %d, at %d", d.From, r.at.Number)
	}
	r.at, err = positionOf(d.Head)
	r.take(d)
	return err
}

func (r *reader) take(d *Delta) {
	if r.content == nil {
		r.content = content{}
	}
	for _, change := range d.Objects {
		r.content[change.GetId()] = string(change.GetObject())
	}
	for _, change := range d.Entries {
		key := string(change.GetKey())
		for known := range r.content { // an entry names itself, its removal only its digest
			if sum := sha256.Sum256([]byte(known)); string(sum[:]) == key {
				delete(r.content, known)
			}
		}
		if name, value, ok := bytes.Cut(change.GetEntry(), []byte("=")); ok {
			r.content[string(name)] = string(value)
		}
	}
	maps.DeleteFunc(r.content, func(_, value string) bool { return value == "" })
}

func (r *reader) Done() error {
	r.done++
	return nil
}

// loaded reads a lane.
func loaded(s *Store, lane edgev1.Lane) (*reader, error) {
	r := &reader{lane: lane}
	return r, s.Lane(lane).Load(r)
}

// mustLoad is loaded, to a number.
func mustLoad(t testing.TB, s *Store, lane edgev1.Lane, number uint64) *reader {
	t.Helper()
	r, err := loaded(s, lane)
	if err != nil {
		t.Fatal(err)
	}
	if r.at.Number != number {
		t.Fatalf("loaded %d, want %d", r.at.Number, number)
	}
	return r
}

// counted is a state that tells its number.
func counted(number uint64) content {
	c := content{"last": fmt.Sprint(number)}
	for n := range min(number, 5) {
		c[fmt.Sprint("key ", number-n)] = "there"
	}
	return c
}

// history appends the states of the numbers after from, up to to.
func history(t testing.TB, l *Lane, from, to uint64) {
	t.Helper()
	for n := from + 1; n <= to; n++ {
		before := content{}
		if n > 1 {
			before = counted(n - 1)
		}
		if err := l.Append(delta(t, l.kind, n-1, n, before, counted(n))); err != nil {
			t.Fatal(err)
		}
	}
}
