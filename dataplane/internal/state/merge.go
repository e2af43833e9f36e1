package state

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// merge makes one checkpoint of the lane's checkpoint and its full logs.
func (l *Lane) merge(ctx context.Context) {
	l.mu.Lock()
	root, to := l.root, l.log.generation
	l.mu.Unlock()
	m := &merger{lane: l, changes: map[string][]byte{}}
	err := ctx.Err()
	if err == nil { // else not even a file that is given up again is made
		err = m.run(ctx, root, to)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.merging = false
	switch {
	case ctx.Err() != nil, l.root != root: // a whole state came meanwhile
		m.out.abort()
	case err == nil:
		err = m.install(to)
	}
	if err != nil && ctx.Err() == nil && l.root == root {
		m.out.abort()
		l.mergeAt = 2 * l.logsSize
		l.stats.failures.Add(1)
		l.store.log.Error("logs can't be merged into a checkpoint; tried again when they have doubled", "lane", l.name, "error", err)
	}
}

// merger holds what the logs change: never more than what makes logs worth merging, and a delta.
type merger struct {
	lane    *Lane
	head    *edgev1.SignedHead
	changes map[string][]byte // a change by what it changes, as a message of a snapshot; empty: gone
	out     frameWriter
}

func (m *merger) install(to uint64) error {
	if err := m.out.install(); err != nil {
		return err
	}
	l := m.lane
	l.root, l.rootSize, l.logsSize, l.mergeAt = to, m.out.size, l.log.size, 0
	l.measure()
	l.stats.merges.Add(1)
	if all, err := l.generations(); err == nil {
		old, _ := all.split(to)
		l.remove(old)
	}
	return nil
}

func (m *merger) run(ctx context.Context, root, to uint64) error {
	all, err := m.lane.generations()
	if err != nil {
		return err
	}
	before, _ := all.split(to)
	_, full := before.split(root)
	for _, generation := range full.logs {
		if err := m.log(generation); err != nil {
			return fmt.Errorf("log %d: %w", generation, err)
		}
	}
	if m.head == nil {
		return fmt.Errorf("%w: full logs without a record", ErrDamaged)
	}
	m.out.begin(m.lane, to, m.head)
	buffered := bufio.NewWriterSize(&m.out, chunkSize)
	packed, err := zstd.NewWriter(buffered, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	err = m.write(ctx, packed, root)
	return errors.Join(err, packed.Close(), buffered.Flush(), m.out.finish())
}

// log takes what a full log changes.
func (m *merger) log(generation uint64) error {
	l := m.lane
	f, err := l.store.at.open(nameOf(l.name, generation, logFile), false)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	records, err := openFrames(f, l.store.key, l.what(generation, logFile))
	for err == nil {
		var record []byte
		if record, err = records.next(); err == nil {
			err = m.record(record)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (m *merger) record(record []byte) error {
	d, err := unmarshalDelta(m.lane.kind, record)
	if err != nil {
		return err
	}
	m.head = d.Head
	for _, change := range d.Objects {
		if err := m.change(objectKey(change), change, len(change.GetObject()) == 0); err != nil {
			return err
		}
	}
	for _, change := range d.Entries {
		if err := m.change(string(change.GetKey()), change, len(change.GetEntry()) == 0); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) change(key string, change proto.Message, gone bool) error {
	if gone {
		m.changes[key] = nil
		return nil
	}
	body, err := proto.Marshal(change)
	m.changes[key] = body
	return err
}

func objectKey(change *edgev1.ObjectChange) string {
	return change.GetCollection() + "/" + change.GetId()
}

// write writes what the checkpoint held and the logs didn't change, then what they did.
func (m *merger) write(ctx context.Context, out io.Writer, root uint64) error {
	if root > 0 {
		if err := m.unchanged(ctx, out, root); err != nil {
			return fmt.Errorf("checkpoint %d: %w", root, err)
		}
	}
	for _, body := range m.changes {
		if body == nil {
			continue
		}
		if err := writeMessage(out, body); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) unchanged(ctx context.Context, out io.Writer, root uint64) error {
	c, err := m.lane.openCheckpoint(root)
	if err != nil {
		return err
	}
	defer func() { _ = c.file.Close() }() // nothing was written
	unpacked, err := zstd.NewReader(c, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	defer unpacked.Close()
	in := bufio.NewReaderSize(unpacked, readAhead)
	var body []byte
	for ctx.Err() == nil {
		if body, err = readMessage(in, body); errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		key, err := m.keyOf(body)
		if err != nil {
			return err
		}
		if _, changed := m.changes[key]; changed {
			continue
		}
		if err := writeMessage(out, body); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// keyOf tells what a message of a snapshot is about.
func (m *merger) keyOf(body []byte) (string, error) {
	if m.lane.kind == edgev1.Lane_LANE_DIRECTORY {
		var change edgev1.EntryChange
		err := proto.Unmarshal(body, &change)
		return string(change.GetKey()), err
	}
	var change edgev1.ObjectChange
	err := proto.Unmarshal(body, &change)
	return objectKey(&change), err
}

// Both snapshots are messages that repeat one message as their field 1, and nothing else.
const (
	field1     = 1<<3 | 2
	maxMessage = 2 << 20
)

func writeMessage(out io.Writer, body []byte) error {
	prefix := binary.AppendUvarint([]byte{field1}, uint64(len(body)))
	if _, err := out.Write(prefix); err != nil {
		return err
	}
	_, err := out.Write(body)
	return err
}

// readMessage reads one message into buf, grown if need be. io.EOF tells the proper end.
func readMessage(in *bufio.Reader, buf []byte) ([]byte, error) {
	tag, err := binary.ReadUvarint(in)
	if err != nil {
		return buf, err // io.EOF only before the first byte
	}
	length, err := binary.ReadUvarint(in)
	if err != nil || tag != field1 || length > maxMessage {
		return buf, fmt.Errorf("%w: what it holds is no snapshot", ErrDamaged)
	}
	if uint64(cap(buf)) < length {
		buf = make([]byte, length)
	}
	buf = buf[:length]
	if _, err := io.ReadFull(in, buf); err != nil {
		return buf, fmt.Errorf("%w: what it holds ends early", ErrDamaged)
	}
	return buf, nil
}
