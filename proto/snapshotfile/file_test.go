package snapshotfile

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

func manifest() *edgev1.SnapshotManifest {
	return &edgev1.SnapshotManifest{Environment: "env_1", EnvironmentName: "production", SigningKeys: []*edgev1.SigningKey{{Id: "k", PublicKey: []byte("public")}}}
}

// written returns a file with these states, in pieces.
func written(t testing.TB, key Key, directory, configuration [][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, key, manifest())
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range directory {
		err = errors.Join(err, w.Directory(piece))
	}
	for _, piece := range configuration {
		err = errors.Join(err, w.Configuration(piece))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read returns all of a file.
func read(file []byte, key Key) (m *edgev1.SnapshotManifest, directory, configuration []byte, err error) {
	r, err := Open(bytes.NewReader(file), key)
	if err != nil {
		return nil, nil, nil, err
	}
	if directory, err = io.ReadAll(r.Directory()); err != nil {
		return nil, nil, nil, err
	}
	if configuration, err = io.ReadAll(r.Configuration()); err != nil {
		return nil, nil, nil, err
	}
	return r.Manifest(), directory, configuration, nil
}

func TestAFileHoldsWhatWasWritten(t *testing.T) {
	key := NewKey()
	for name, pieces := range map[string][2][][]byte{
		"small":  {{[]byte("dir")}, {[]byte("con"), []byte("fig")}},
		"empty":  {{nil}, {nil}},
		"frames": {{bytes.Repeat([]byte("d"), frameData), bytes.Repeat([]byte("e"), 3*frameData+1)}, {bytes.Repeat([]byte("c"), 2*frameData)}},
	} {
		t.Run(name, func(t *testing.T) {
			m, directory, configuration, err := read(written(t, key, pieces[0], pieces[1]), key)
			if err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(m, manifest()) || !bytes.Equal(directory, bytes.Join(pieces[0], nil)) || !bytes.Equal(configuration, bytes.Join(pieces[1], nil)) {
				t.Errorf("read %v, %d and %d bytes", m, len(directory), len(configuration))
			}
		})
	}
}

func TestAFileThatIsNotWhatWasWrittenIsRefused(t *testing.T) {
	key := NewKey()
	file := written(t, key, [][]byte{[]byte("directory")}, [][]byte{[]byte("configuration")})
	for at := range file {
		changed := bytes.Clone(file)
		changed[at] ^= 1
		if _, _, _, err := read(changed, key); err == nil {
			t.Errorf("a file changed at byte %d was read", at)
		}
		if _, _, _, err := read(file[:at], key); !errors.Is(err, ErrTorn) && !errors.Is(err, ErrNone) {
			t.Errorf("a file cut at byte %d: %v", at, err)
		}
	}
	if _, _, _, err := read(append(bytes.Clone(file), 0), key); !errors.Is(err, ErrSealed) {
		t.Errorf("a file with more behind its end: %v", err)
	}
	if _, _, _, err := read(file, NewKey()); !errors.Is(err, ErrSealed) {
		t.Errorf("another key: %v", err)
	}
	if bytes.Contains(file, []byte("production")) {
		t.Error("the file can be read without its key")
	}
	if bytes.Equal(file, written(t, key, [][]byte{[]byte("directory")}, [][]byte{[]byte("configuration")})) {
		t.Error("two files are sealed alike")
	}
}

func TestAFileIsWrittenInOrderAndWhole(t *testing.T) {
	for name, write := range map[string]func(*Writer) error{
		"nothing":                   func(*Writer) error { return nil },
		"no configuration":          func(w *Writer) error { return w.Directory(nil) },
		"no directory":              func(w *Writer) error { return w.Configuration(nil) },
		"the other way round":       func(w *Writer) error { return errors.Join(w.Configuration(nil), w.Directory(nil)) },
		"back to the directory":     func(w *Writer) error { return errors.Join(w.Directory(nil), w.Configuration(nil), w.Directory(nil)) },
		"a disk that takes nothing": func(w *Writer) error { w.out = refusing{}; return errors.Join(w.Directory(nil), w.Configuration(nil)) },
	} {
		w, err := NewWriter(io.Discard, NewKey(), manifest())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(write(w), w.Close()); err == nil {
			t.Errorf("%s: a file was made", name)
		}
	}
}

type refusing struct{}

func (refusing) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestTheConfigurationIsReadBehindTheDirectory(t *testing.T) {
	key := NewKey()
	r, err := Open(bytes.NewReader(written(t, key, [][]byte{[]byte("d")}, [][]byte{[]byte("c")})), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r.Configuration()); err == nil {
		t.Error("the configuration was read before the directory")
	}
}

func TestAKeysTextIsStrictAndNeverPrinted(t *testing.T) {
	key := NewKey()
	if again, err := ParseKey(key.Reveal() + "\n"); err != nil || again != key {
		t.Errorf("a key's text doesn't lead back: %v", err)
	}
	for _, text := range []string{"", "x", strings.Repeat("A", 44), key.Reveal() + "A"} {
		if _, err := ParseKey(text); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if strings.Contains(key.String(), key.Reveal()) {
		t.Error("a key prints itself")
	}
}

func FuzzAFileIsReadOrRefused(f *testing.F) {
	var key Key
	f.Add(written(f, key, [][]byte{[]byte("d")}, [][]byte{[]byte("c")}))
	f.Add([]byte(magic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		m, _, _, err := read(file, key)
		if err == nil && m.GetEnvironment() != "env_1" {
			t.Errorf("a file that nobody sealed was read: %v", m)
		}
	})
}
