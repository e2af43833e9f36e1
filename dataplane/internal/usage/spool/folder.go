package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Names in a boot's folder.
const (
	ringFile    = "ring"
	journalFile = "journal"
	lockFile    = "lock"
	temporary   = ".new"
	// making begins the name of a folder that isn't locked yet.
	making = "making-"
	// refused begins the name of a folder that was put aside.
	refused = "refused-"
	// maxRefused are kept to be looked at; older ones go.
	maxRefused = 4
	// maxEarlier bounds how many earlier boots are taken up at once; the others are at the next look.
	maxEarlier = 1000
)

// Folder is what one boot keeps.
type Folder struct {
	// Boot that it is of.
	Boot string

	dir     string
	lock    *os.File
	journal *Journal
}

// Create makes the folder of a boot that begins, with its ring. Nothing of it counts before Begin.
func Create(dir, boot string) (*Folder, *Ring, error) {
	if !validBoot(boot) {
		return nil, nil, fmt.Errorf("%q can't name a boot's folder", boot)
	}
	// It gets its name once it is locked: another process of the node, while one takes over from the other, would take it for that of a boot
	// that has ended.
	f := &Folder{Boot: boot, dir: filepath.Join(dir, making+boot)}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the spool's folder: %w", err)
	}
	ring, err := f.fill(filepath.Join(dir, boot))
	if err != nil {
		// Best effort: what is left is no boot's, as nothing of it was begun.
		return nil, nil, errors.Join(err, f.Remove())
	}
	return f, ring, nil
}

func (f *Folder) fill(place string) (*Ring, error) {
	if err := f.take(); err != nil {
		return nil, err
	}
	if err := os.Rename(f.dir, place); err != nil {
		return nil, fmt.Errorf("make the spool's folder: %w", err)
	}
	f.dir = place
	return newRing(filepath.Join(f.dir, ringFile))
}

// take locks the folder for as long as the process lives.
func (f *Folder) take() error {
	lock, err := os.OpenFile(filepath.Join(f.dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock %s: %w", f.dir, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("lock %s: %w", f.dir, err), lock.Close())
	}
	f.lock = lock
	return nil
}

// Earlier returns the folders of boots that have ended, in the order of their names, and what is wrong with others.
func Earlier(dir string) (earlier []*Folder, problems error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for earlier boots: %w", err)
	}
	for _, entry := range entries {
		sweep(dir, entry)
		if !entry.IsDir() || !validBoot(entry.Name()) || len(earlier) == maxEarlier {
			continue
		}
		f := &Folder{Boot: entry.Name(), dir: filepath.Join(dir, entry.Name())}
		switch err := f.take(); {
		case err == nil:
			earlier = append(earlier, f)
		case errors.Is(err, fs.ErrNotExist): // another process of the node has just removed it
		case !errors.Is(err, syscall.EWOULDBLOCK): // else it lives
			problems = errors.Join(problems, err)
		}
	}
	return earlier, problems
}

// makingMost is how long making a folder can take at most.
const makingMost = time.Hour

// sweep removes a folder that a process died over while it made it. Nothing is in it.
func sweep(dir string, entry fs.DirEntry) {
	if !entry.IsDir() || !strings.HasPrefix(entry.Name(), making) {
		return
	}
	if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > makingMost {
		_ = os.RemoveAll(filepath.Join(dir, entry.Name())) // else at the next look
	}
}

// validBoot tells names of boots from all others.
func validBoot(name string) bool {
	other := func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') }
	return name != "" && len(name) <= 64 && strings.IndexFunc(name, other) < 0
}

// Begun tells whether a boot came as far as to count.
func (f *Folder) Begun() bool {
	_, err := os.Stat(filepath.Join(f.dir, journalFile))
	return !errors.Is(err, fs.ErrNotExist)
}

// Read passes on what the journal says, in order. An error says that it can't be believed.
func (f *Folder) Read(visit func(Entry) error) error {
	return readJournal(filepath.Join(f.dir, journalFile), visit)
}

// Replay passes on what the ring holds from these positions on.
func (f *Folder) Replay(heads []uint64, visit func(*Record)) error {
	return replay(filepath.Join(f.dir, ringFile), heads, visit)
}

// DropRing removes the ring, once all of it is in the journal and nobody records any more.
func (f *Folder) DropRing() error {
	if err := os.Remove(filepath.Join(f.dir, ringFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop the ring: %w", err)
	}
	return nil
}

// Begin begins the journal anew, with an entry that says all. What it said before is replaced at one moment.
func (f *Folder) Begin(all Entry) error {
	path := filepath.Join(f.dir, journalFile)
	journal, err := beginJournal(path+temporary, all)
	if err != nil {
		return err
	}
	if err := errors.Join(os.Rename(path+temporary, path), syncFolder(f.dir)); err != nil {
		return errors.Join(fmt.Errorf("put the journal in place: %w", err), journal.close())
	}
	if f.journal != nil {
		_ = f.journal.close() // it is replaced
	}
	f.journal = journal
	return nil
}

// Journal is what was begun.
func (f *Folder) Journal() *Journal { return f.journal }

// Forget takes the journal away, so that nothing of the boot is counted by a later one. It is for a disk that takes nothing any more: what was
// kept goes on in memory alone.
func (f *Folder) Forget() error {
	if f.journal != nil {
		_ = f.journal.close() // nothing of it is wanted
		f.journal = nil
	}
	path := filepath.Join(f.dir, journalFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the journal: %w", err)
	}
	return syncFolder(f.dir)
}

// Remove removes all that the boot kept: the journal first, without which the rest is nothing.
func (f *Folder) Remove() error {
	err := f.Forget()
	if err == nil {
		err = os.RemoveAll(f.dir)
	}
	f.unlock()
	return err
}

// Refuse puts the folder aside, to be looked at, and returns where it is.
func (f *Folder) Refuse() (string, error) {
	defer f.unlock()
	parent := filepath.Dir(f.dir)
	aside := filepath.Join(parent, refused+f.Boot)
	if err := os.RemoveAll(aside); err != nil {
		return "", fmt.Errorf("put %s aside: %w", f.dir, err)
	}
	if err := os.Rename(f.dir, aside); err != nil {
		return "", fmt.Errorf("put %s aside: %w", f.dir, err)
	}
	return aside, trimRefused(parent)
}

// Close lets go of the folder, which stays for a later boot.
func (f *Folder) Close() error {
	defer f.unlock()
	if f.journal == nil {
		return nil
	}
	err := f.journal.close()
	f.journal = nil
	return err
}

func (f *Folder) unlock() {
	if f.lock != nil {
		_ = f.lock.Close() // which unlocks it
		f.lock = nil
	}
}

// trimRefused keeps the newest folders that were put aside.
func trimRefused(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for what was put aside: %w", err)
	}
	var aside []fs.FileInfo
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && strings.HasPrefix(entry.Name(), refused) {
			aside = append(aside, info)
		}
	}
	slices.SortFunc(aside, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for _, old := range aside[min(len(aside), maxRefused):] {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, old.Name())))
	}
	return err
}

// syncFolder makes names last: what was made, renamed, removed.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return errors.Join(f.Sync(), f.Close())
}
