package configsync

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Bounds of a snapshot.
const (
	maxChunk   = 256 << 10 // of one chunk's data, as the contract says
	maxMessage = 2 << 20   // of one object or entry, with its key
	maxWindow  = 32 << 20  // that a zstd frame may ask for
)

// limits bounds a lane's snapshots, in bytes.
type limits struct {
	compressed, plain int64
}

// errTooLarge ends the reading of a snapshot that passes a bound.
var errTooLarge = &refusal{code: codeTooLarge, detail: "the snapshot passes the bounds of a node"}

// chunks reads a snapshot's data off the stream, chunk by chunk as it is asked for: nothing is
// buffered beyond one, and the stream's flow control holds the sender.
type chunks struct {
	next    func() (*edgev1.SnapshotChunk, error)
	current []byte
	last    bool
	left    int64 // bytes that may still come
	broken  error // of the stream itself, after which nothing can be said to the other side
}

// newChunks starts with the first chunk, of which the head has been taken.
func newChunks(first *edgev1.SnapshotChunk, limit int64, next func() (*edgev1.SnapshotChunk, error)) *chunks {
	c := &chunks{next: next, left: limit}
	c.take(first)
	return c
}

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	for len(c.current) == 0 {
		if c.broken != nil {
			return 0, c.broken
		}
		if c.last {
			return 0, io.EOF
		}
		c.pull()
	}
	n := copy(p, c.current)
	c.current = c.current[n:]
	return n, nil
}

// drain reads what is left of a refused snapshot, so that the stream can go on behind it.
func (c *chunks) drain() error {
	for c.broken == nil && !c.last {
		c.pull()
	}
	c.current = nil
	return c.broken
}

func (c *chunks) pull() {
	chunk, err := c.next()
	if err != nil {
		c.broken = err
		return
	}
	if chunk.GetHead() != nil {
		c.broken = &refusal{code: codeMalformed, reaction: reconnect, detail: "a second head inside a snapshot"}
		return
	}
	c.take(chunk)
}

func (c *chunks) take(chunk *edgev1.SnapshotChunk) {
	c.current, c.last = chunk.GetData(), chunk.GetLast()
	c.left -= int64(len(c.current))
	if len(c.current) > maxChunk || c.left < 0 {
		c.broken = &refusal{code: codeTooLarge, reaction: reconnect, detail: "a snapshot's chunks pass the bounds of a node"}
		c.current = nil
	}
}

// messages yields the messages of a compressed snapshot: ConfigurationSnapshot and DirectorySnapshot
// both repeat one message as their field 1, and nothing else. fill fills the message from its bytes, which are
// overwritten by the next one's, and a yielded message is used again for it. The sequence ends at its first error.
func messages[M proto.Message](compressed io.Reader, plain int64, into M, fill func([]byte, M) error) iter.Seq2[M, error] {
	return func(yield func(M, error) bool) {
		// One decoder goroutine or none: with concurrency 1 it decodes as it is read.
		decoder, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			yield(into, fmt.Errorf("open the snapshot: %w", err))
			return
		}
		defer decoder.Close()
		reader := bufio.NewReaderSize(&bounded{r: decoder, left: plain}, 64<<10)
		var buf []byte
		for {
			buf, err = readMessage(reader, buf)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				err = fill(buf, into)
			}
			if !yield(into, err) || err != nil {
				return
			}
		}
	}
}

// readMessage reads one field 1, length-delimited. io.EOF tells the proper end.
func readMessage(r *bufio.Reader, buf []byte) ([]byte, error) {
	const field1 = 1<<3 | 2
	tag, err := binary.ReadUvarint(r)
	if err != nil {
		return buf, err // io.EOF only before the first byte
	}
	if tag != field1 {
		return buf, &refusal{code: codeUnknownField, detail: "the snapshot holds a field that this build doesn't know; update the node"}
	}
	length, err := binary.ReadUvarint(r)
	if err != nil {
		return buf, cut(err)
	}
	if length > maxMessage {
		return buf, errTooLarge
	}
	if uint64(cap(buf)) < length {
		buf = make([]byte, length)
	}
	buf = buf[:length]
	_, err = io.ReadFull(r, buf)
	return buf, cut(err)
}

// cut makes an end in the middle of a message an error.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// unmarshal fills m from data, keeping none of it.
func unmarshal[M proto.Message](data []byte, m M) error {
	if err := proto.Unmarshal(data, m); err != nil {
		return &refusal{code: codeMalformed, detail: "a piece of the snapshot is no message"}
	}
	if fault := refuseUnknown(m.ProtoReflect()); fault != nil {
		return fault
	}
	return nil
}

// bounded refuses to read more than left bytes: io.LimitReader would make the end look proper.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
