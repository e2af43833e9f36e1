package state

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// file is an open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Sync returns once what was written is on the disk.
	Sync() error
}

// folder is where the files lie. Names are without a path.
type folder interface {
	// open opens a file to read and write; made: it is made, for its owner alone, and emptied if it is there.
	open(name string, made bool) (file, error)
	rename(from, to string) error
	remove(name string) error
	list() ([]string, error)
	// sync makes names last: what was made, renamed, removed.
	sync() error
}

// disk is a folder of the machine.
type disk struct{ dir string }

func (d disk) open(name string, made bool) (file, error) {
	flags := os.O_RDWR
	if made {
		flags |= os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(filepath.Join(d.dir, name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (d disk) rename(from, to string) error {
	return os.Rename(filepath.Join(d.dir, from), filepath.Join(d.dir, to))
}

func (d disk) remove(name string) error { return os.Remove(filepath.Join(d.dir, name)) }

func (d disk) list() ([]string, error) {
	entries, err := os.ReadDir(d.dir)
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

func (d disk) sync() error {
	dir, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

type diskFile struct{ *os.File }

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// place writes a file whole or not at all, and returns once it lasts.
func place(at folder, name string, body []byte) error {
	f, err := at.open(name+temporary, true)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(body, 0)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := at.rename(name+temporary, name); err != nil {
		return err
	}
	return at.sync()
}
