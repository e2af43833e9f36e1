package fleet

import (
	"context"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// chunkSize is how many bytes of a compressed snapshot one message carries.
const chunkSize = 256 << 10

// Snapshot is a whole lane, compressed and cut into chunks. It is shared by all nodes: never change it.
type Snapshot struct {
	Head   LaneHead
	Signed *edgev1.SignedHead
	Chunks [][]byte // at least one, each at most 256 KiB
}

// buildSnapshot reads a whole lane. It holds the compressed form in memory, never the plain one.
func buildSnapshot(ctx context.Context, source laneSource) (LaneHead, [][]byte, error) {
	chunks := &chunker{}
	encoder, err := zstd.NewWriter(chunks, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return LaneHead{}, nil, fmt.Errorf("start a snapshot: %w", err)
	}
	head, err := source.snapshot(ctx, &messageWriter{w: encoder})
	if err != nil {
		return LaneHead{}, nil, fmt.Errorf("read a snapshot: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return LaneHead{}, nil, fmt.Errorf("compress a snapshot: %w", err)
	}
	return head, chunks.done(), nil
}

// messageWriter writes a ConfigurationSnapshot or DirectorySnapshot piece by piece: both hold one
// repeated message in field 1.
type messageWriter struct {
	w   io.Writer
	buf []byte
}

func (w *messageWriter) write(m proto.Message) error {
	w.buf = protowire.AppendTag(w.buf[:0], 1, protowire.BytesType)
	w.buf = protowire.AppendVarint(w.buf, uint64(proto.Size(m)))
	var err error
	if w.buf, err = (proto.MarshalOptions{UseCachedSize: true}).MarshalAppend(w.buf, m); err != nil {
		return err
	}
	_, err = w.w.Write(w.buf)
	return err
}

// chunker cuts what is written into chunks.
type chunker struct {
	full [][]byte
	last []byte
}

func (c *chunker) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		take := min(len(p), chunkSize-len(c.last))
		c.last = append(c.last, p[:take]...)
		p = p[take:]
		if len(c.last) == chunkSize {
			c.full = append(c.full, c.last)
			c.last = nil
		}
	}
	return n, nil
}

func (c *chunker) done() [][]byte {
	if len(c.last) > 0 || len(c.full) == 0 {
		c.full = append(c.full, c.last)
		c.last = nil
	}
	return c.full
}
