package payload_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
)

// coded returns text in a content coding.
func coded(t testing.TB, coding string, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "raw deflate":
		w, _ = flate.NewWriter(&out, 9)
	case "br":
		w = brotli.NewWriterLevel(&out, 5)
	default:
		return text
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// bodyOf returns a body that is read whole.
func bodyOf(t testing.TB, memory *payload.Memory, raw []byte) *payload.Body {
	t.Helper()
	b := payload.New(memory, bytes.NewReader(raw), int64(len(raw)))
	if err := b.Read(int64(len(raw))); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContentCodingsAreUndone(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("a text that repeats itself, but not too often: 0123456789\n", 50))
	for header, raw := range map[string][]byte{
		"": text, "identity": text, "gzip": coded(t, "gzip", text), "GZip": coded(t, "gzip", text), "x-gzip": coded(t, "gzip", text), "deflate": coded(t, "deflate", text),
		"br": coded(t, "br", text), "identity, gzip": coded(t, "gzip", text), "gzip, br": coded(t, "br", coded(t, "gzip", text)), "br,gzip": coded(t, "gzip", coded(t, "br", text)),
	} {
		memory := payload.NewMemory(64 << 20)
		b := bodyOf(t, memory, raw)
		for range 2 { // the second one is remembered
			got, err := b.Decoded(header, int64(len(text)), 1000)
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("%q: %d bytes, %v", header, len(got), err)
			}
		}
		if _, err := b.Decoded(header, int64(len(text))-1, 1000); !errors.Is(err, payload.ErrTooLarge) {
			t.Errorf("%q: one byte too many says %v", header, err)
		}
		if got, err := io.ReadAll(b.Forward()); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%q: what is forwarded isn't what came", header)
		}
		b.Release()
		if memory.Used() != 0 {
			t.Errorf("%q: %d bytes are still taken", header, memory.Used())
		}
	}
}

func TestWhatIsNotCodedAsItSaysIsRefused(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("text", 100))
	gz, br := coded(t, "gzip", text), coded(t, "br", text)
	broken := bytes.Clone(gz)
	broken[len(broken)-6] ^= 1 // of the checksum
	for name, tt := range map[string]struct {
		header string
		raw    []byte
	}{
		"an unknown coding":             {"zstd", text},
		"an empty entry":                {"gzip,", gz},
		"a wildcard":                    {"*", text},
		"too many codings":              {"gzip, gzip, gzip", coded(t, "gzip", coded(t, "gzip", gz))},
		"too many that say nothing":     {"identity, identity, identity", text},
		"no gzip at all":                {"gzip", text},
		"gzip that breaks off":          {"gzip", gz[:len(gz)-9]},
		"gzip without its end":          {"gzip", gz[:len(gz)-1]},
		"gzip with a broken checksum":   {"gzip", broken},
		"a second member of gzip":       {"gzip", append(bytes.Clone(gz), gz...)},
		"something behind gzip":         {"gzip", append(bytes.Clone(gz), 0)},
		"gzip called br":                {"br", gz},
		"br that breaks off":            {"br", br[:len(br)-1]},
		"something behind br":           {"br", append(bytes.Clone(br), "text"...)},
		"deflate without zlib's format": {"deflate", coded(t, "raw deflate", text)},
		"something behind deflate":      {"deflate", append(coded(t, "deflate", text), 'x')},
		"br with a window beyond all":   {"br", []byte{0x11, 0x3f, 0, 0}},
	} {
		memory := payload.NewMemory(64 << 20)
		b := bodyOf(t, memory, tt.raw)
		if _, err := b.Decoded(tt.header, 1<<20, 1000); faultOf(t, err) != "content_coding" {
			t.Errorf("%s: %v", name, err)
		}
		if b.Release(); memory.Used() != 0 {
			t.Errorf("%s: %d bytes are still taken", name, memory.Used())
		}
	}
}

// bomb is 10 MiB of nothing, packed once or twice.
func bomb(t testing.TB, coding string) []byte {
	t.Helper()
	return coded(t, coding, make([]byte, 10<<20))
}

func TestABombIsNeverInflatedBeyondItsBounds(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"gzip", "deflate", "br"} {
		raw := bomb(t, coding)
		for name, tt := range map[string]struct {
			most, ratio int64
			too         error
		}{
			"by the ratio": {most: 16 << 20, ratio: 100},
			"by the bytes": {most: 64 << 10, ratio: 1 << 30, too: payload.ErrTooLarge},
		} {
			memory := payload.NewMemory(40 << 20)
			b := bodyOf(t, memory, raw)
			_, err := b.Decoded(coding, tt.most, tt.ratio)
			if tt.too != nil && !errors.Is(err, tt.too) || tt.too == nil && faultOf(t, err) != "content_ratio" {
				t.Errorf("%s %s: %v", coding, name, err)
			}
			if held := memory.Used(); held > int64(2*len(raw)+4096) {
				t.Errorf("%s %s: a bomb holds %d bytes, having come with %d", coding, name, held, len(raw))
			}
		}
	}
	twice := coded(t, "gzip", bomb(t, "gzip"))
	if _, err := bodyOf(t, nil, twice).Decoded("gzip, gzip", 16<<20, 100); faultOf(t, err) != "content_ratio" {
		t.Errorf("a bomb in a bomb: %v", err)
	}
}

func TestWhatDecodersNeedIsPaidForBeforehand(t *testing.T) {
	t.Parallel()
	for coding, room := range map[string]int64{"gzip": 32 << 10, "br": 1 << 20} { // a window of br is 4 MiB here
		raw := coded(t, coding, []byte(strings.Repeat("text", 100)))
		memory := payload.NewMemory(room)
		b := bodyOf(t, memory, raw)
		if _, err := b.Decoded(coding, 1<<20, 1000); !errors.Is(err, payload.ErrNoMemory) {
			t.Errorf("%s: %v", coding, err)
		}
		if memory.Refused() != 1 {
			t.Errorf("%s: the refusal isn't counted", coding)
		}
	}
}

func FuzzDecoded(f *testing.F) {
	for _, coding := range []string{"gzip", "deflate", "br"} {
		f.Add(coding, coded(f, coding, []byte(strings.Repeat("text ", 30))))
		bombed := bomb(f, coding)
		f.Add(coding, bombed[:min(len(bombed), 500)])
	}
	f.Fuzz(func(t *testing.T, header string, raw []byte) {
		const most, ratio = 64 << 10, 20
		memory := payload.NewMemory(64 << 20)
		b := bodyOf(t, memory, raw)
		content, err := b.Decoded(header, most, ratio)
		if err == nil && (len(content) > most || len(content) > max(ratio*len(raw), 4<<10)) && header != "" {
			if codings, _ := payload.ParseCodings(header); len(codings) > 0 {
				t.Fatalf("%d bytes became %d", len(raw), len(content))
			}
		}
		if err != nil && !errors.Is(err, payload.ErrTooLarge) {
			faultOf(t, err)
		}
		if header == "gzip" && err == nil && len(raw) > 0 {
			r, e := gzip.NewReader(bytes.NewReader(raw))
			if e != nil {
				t.Fatal(e)
			}
			want, e := io.ReadAll(r)
			if e != nil || !bytes.Equal(want, content) {
				t.Fatalf("the reference reads %d bytes, %v; it is %d here", len(want), e, len(content))
			}
		}
		if b.Release(); memory.Used() != 0 {
			t.Fatalf("%d bytes are still taken", memory.Used())
		}
	})
}
