package state

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// chunkSize is how much of a snapshot one frame of a checkpoint holds, in bytes.
const chunkSize = 256 << 10

// Checkpoint is a whole state being kept: a snapshot's compressed bytes, as they come. It must be ended by Commit or Abort. Writes
// never fail: what goes wrong is told by Commit, so that a full disk is no reason to refuse a state.
type Checkpoint struct {
	lane       *Lane
	at         Position
	generation uint64
	era        uint64 // see freezing
	frames     frameWriter
	buffered   *bufio.Writer
}

// Begin begins a checkpoint of the state that a head names.
func (l *Lane) Begin(head *edgev1.SignedHead) *Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &Checkpoint{lane: l, generation: l.next, era: l.store.freeze.era.Load()}
	l.next++
	c.at, c.frames.err = positionOf(head)
	if l.store.Frozen() {
		c.frames.err = ErrFrozen
	}
	c.frames.begin(l, c.generation, head)
	c.buffered = bufio.NewWriterSize(&c.frames, chunkSize)
	return c
}

// Write takes the next bytes.
func (c *Checkpoint) Write(p []byte) (int, error) {
	if c.frames.err == nil {
		_, _ = c.buffered.Write(p) // the error stays with the frames
	}
	return len(p), nil
}

// Abort drops the checkpoint.
func (c *Checkpoint) Abort() {
	if c.outlived() {
		c.leave()
		return
	}
	c.frames.abort()
}

// outlived tells whether the state was frozen since it was begun.
func (c *Checkpoint) outlived() bool {
	return c.lane.store.Frozen() || c.era != c.lane.store.freeze.era.Load()
}

// leave lets go of the file, whose name may be another process's by now: whoever thaws the state removes it.
func (c *Checkpoint) leave() {
	c.frames.made = false
	if err := c.frames.close(); err != nil {
		c.lane.store.log.Warn("an unfinished checkpoint can't be closed", "file", c.frames.name, "error", err)
	}
}

// Commit makes the checkpoint what the lane begins with, and returns once it lasts. When it doesn't, nothing has changed.
func (c *Checkpoint) Commit() error {
	_ = c.buffered.Flush() // the error stays with the frames
	_ = c.frames.finish()  // the same
	l := c.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.outlived() {
		c.leave()
		return ErrFrozen
	}
	err := c.commit()
	l.measure()
	return l.stats.wrote(err)
}

func (c *Checkpoint) commit() error {
	l := c.lane
	if err := l.clean(); err != nil {
		c.frames.abort()
		return err
	}
	if err := c.frames.install(); err != nil {
		c.undo()
		return fmt.Errorf("state: write a checkpoint: %w", err)
	}
	if err := l.hold(c.at); err != nil {
		c.undo()
		return err
	}
	before := l.root
	l.root, l.rootSize, l.logsSize, l.mergeAt = c.generation, c.frames.size, 0, 0
	if err := l.log.close(); err != nil {
		l.store.log.Warn("an old log can't be closed", "lane", l.name, "error", err)
	}
	l.log = &appendLog{lane: l, generation: c.generation}
	l.stats.checkpoints.Add(1)
	// The configuration before this one is kept to fall back to.
	keep := c.generation
	if l.kind == edgev1.Lane_LANE_CONFIGURATION {
		keep = before
	}
	if all, err := l.generations(); err == nil {
		old, _ := all.split(keep)
		l.remove(old)
	}
	return nil
}

// undo takes back a checkpoint that may be in its place already.
func (c *Checkpoint) undo() {
	c.frames.abort()
	if !c.frames.placed {
		return
	}
	c.lane.stray = c.frames.name
	if err := c.lane.clean(); err != nil {
		c.lane.store.log.Error("a checkpoint that isn't durable can't be taken back", "lane", c.lane.name, "error", err)
	}
}

// frameWriter writes a checkpoint's file beside its place. Its first error stays.
type frameWriter struct {
	lane   *Lane
	name   string
	file   file
	seal   *sealer
	index  uint64
	size   int64
	err    error
	made   bool // the file is there, beside its place
	placed bool // in its place
}

// begin makes the file and writes the head.
func (w *frameWriter) begin(l *Lane, generation uint64, head *edgev1.SignedHead) {
	w.lane, w.name = l, nameOf(l.name, generation, checkpointFile)
	if w.err != nil {
		return
	}
	first, err := proto.Marshal(head)
	if w.err = err; err != nil {
		return
	}
	var header []byte
	if header, w.seal, w.err = newHeader(l.store.key, l.what(generation, checkpointFile)); w.err != nil {
		return
	}
	if w.file, w.err = l.store.at.open(w.name+temporary, true); w.err != nil {
		return
	}
	w.made = true
	w.raw(header)
	w.frame(first)
}

func (w *frameWriter) raw(p []byte) {
	if w.err == nil {
		_, w.err = w.file.WriteAt(p, w.size)
		w.size += int64(len(p))
	}
}

func (w *frameWriter) frame(plain []byte) {
	if w.err == nil {
		w.raw(w.seal.frame(w.index, plain))
		w.index++
	}
}

// Write writes frames of at most chunkSize.
func (w *frameWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), chunkSize)
		w.frame(rest[:n])
		rest = rest[n:]
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// finish ends the file with an empty frame, and returns once it lasts.
func (w *frameWriter) finish() error {
	w.frame(nil)
	if w.err == nil {
		w.err = w.file.Sync()
	}
	if w.err == nil {
		w.err = w.close()
	}
	return w.err
}

// install puts a finished file in its place for good.
func (w *frameWriter) install() error {
	if w.err != nil {
		return w.err
	}
	at := w.lane.store.at
	if w.err = at.rename(w.name+temporary, w.name); w.err != nil {
		return w.err
	}
	w.placed = true
	w.err = at.sync()
	return w.err
}

func (w *frameWriter) close() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return f.Close()
}

// abort removes what isn't in its place.
func (w *frameWriter) abort() {
	if !w.made || w.placed {
		return
	}
	w.made = false
	if err := errors.Join(w.close(), w.lane.store.at.remove(w.name+temporary)); err != nil {
		w.lane.store.log.Warn("an unfinished checkpoint can't be removed", "file", w.name, "error", err)
	}
}

// checkpointReader reads a checkpoint: its head, then the compressed snapshot as an io.Reader that ends only where the checkpoint does.
type checkpointReader struct {
	file   file
	frames *frames
	head   *edgev1.SignedHead
	at     Position
	rest   []byte
	ended  bool
}

func (l *Lane) openCheckpoint(generation uint64) (*checkpointReader, error) {
	f, err := l.store.at.open(nameOf(l.name, generation, checkpointFile), false)
	if err != nil {
		return nil, err
	}
	c := &checkpointReader{file: f, head: new(edgev1.SignedHead)}
	if err := c.begin(l, generation); err != nil {
		return nil, errors.Join(cutShort(err), f.Close())
	}
	return c, nil
}

func (c *checkpointReader) begin(l *Lane, generation uint64) (err error) {
	if c.frames, err = openFrames(c.file, l.store.key, l.what(generation, checkpointFile)); err != nil {
		return err
	}
	first, err := c.frames.next()
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(first, c.head); err != nil {
		return fmt.Errorf("%w: its head is none", ErrDamaged)
	}
	c.at, err = positionOf(c.head)
	return err
}

// Read implements io.Reader.
func (c *checkpointReader) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		if c.ended {
			return 0, io.EOF
		}
		var err error
		if c.rest, err = c.frames.next(); err != nil {
			return 0, cutShort(err)
		}
		if c.ended = len(c.rest) == 0; c.ended && c.frames.left > 0 {
			return 0, fmt.Errorf("%w: it goes on behind its end", ErrDamaged)
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// finish fails unless the checkpoint was read to its end.
func (c *checkpointReader) finish() error {
	_, err := io.Copy(io.Discard, c)
	return err
}

// cutShort makes an early end an error: a checkpoint gets its name only once it is whole.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, errTorn) {
		return fmt.Errorf("%w: it ends early", ErrDamaged)
	}
	return err
}
