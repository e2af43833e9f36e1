package state

import "errors"

// appendLog is the log that is written to. Its file is made with its first record.
type appendLog struct {
	lane       *Lane
	generation uint64
	file       file
	seal       *sealer
	index      uint64 // of the next record
	size       int64  // of what is kept; what lies behind is to be cut
	dirty      bool   // something may lie behind
}

// write writes a record behind what is kept, and returns its size once it lasts. It is kept only by keep.
func (a *appendLog) write(record []byte) (int64, error) {
	if err := a.ready(); err != nil {
		return 0, err
	}
	a.dirty = true
	frame := a.seal.frame(a.index, record)
	if _, err := a.file.WriteAt(frame, a.size); err != nil {
		return 0, err
	}
	return int64(len(frame)), a.file.Sync()
}

// keep makes the record written last part of the log.
func (a *appendLog) keep(size int64) {
	a.size += size
	a.index++
	a.dirty = false
}

// ready makes or mends the file.
func (a *appendLog) ready() error {
	if a.file == nil {
		return a.make()
	}
	return a.cut()
}

// cut cuts what lies behind the records that are kept, for good: the rest of it must not come back behind a shorter record.
func (a *appendLog) cut() error {
	if a.file == nil || !a.dirty {
		return nil
	}
	if err := a.file.Truncate(a.size); err != nil {
		return err
	}
	if err := a.file.Sync(); err != nil {
		return err
	}
	a.dirty = false
	return nil
}

// make makes the file. One that a failure left is made anew.
func (a *appendLog) make() error {
	at := a.lane.store.at
	header, seal, err := newHeader(a.lane.store.key, a.lane.what(a.generation, logFile))
	if err != nil {
		return err
	}
	f, err := at.open(nameOf(a.lane.name, a.generation, logFile), true)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(header, 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = at.sync()
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	a.file, a.seal, a.index, a.size = f, seal, 0, int64(len(header))
	return nil
}

func (a *appendLog) close() error {
	if a.file == nil {
		return nil
	}
	f := a.file
	a.file = nil
	return f.Close()
}
