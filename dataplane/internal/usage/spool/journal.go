package spool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// A journal's file: magic, a random number, entries. An entry: length of its body, checksum over the file's random number, its index,
// its kind and its body; the kind, the body. The first entry says all that is to be known, the others what came after.
const (
	journalMagic  = "ssjournal1\x00\x00\x00\x00\x00\x00"
	saltBytes     = 8
	journalHeader = len(journalMagic) + saltBytes
	frameHeader   = 4 + 4 + 1
	// maxEntry bounds one entry, MaxJournal what is read of a file: a journal is written anew long before.
	maxEntry   = 128 << 20
	maxJournal = 512 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Journal is written by one owner. After an error it is of no use until it is begun anew.
type Journal struct {
	file  *os.File
	salt  [saltBytes]byte
	index uint64
	size  int64
	dirty bool // the last entry isn't synced
}

// Entry is one of a journal.
type Entry struct {
	Kind byte
	Body []byte
}

// beginJournal writes a journal with one entry to a new file, synced, in place of one that may be there.
func beginJournal(path string, first Entry) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the journal: %w", err)
	}
	j := &Journal{file: f}
	_, _ = rand.Read(j.salt[:]) // never fails
	header := append([]byte(journalMagic), j.salt[:]...)
	if _, err = f.Write(header); err == nil {
		j.size = int64(len(header))
		err = j.Append(first)
	}
	if err == nil {
		err = j.Sync()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin the journal: %w", err), f.Close())
	}
	return j, nil
}

// Append writes an entry. It survives the process once Append returns, and the machine once Sync does. The entry before is synced
// first, so that a power loss tears the last one at most.
func (j *Journal) Append(e Entry) error {
	if err := j.Sync(); err != nil {
		return err
	}
	if len(e.Body) > maxEntry {
		return fmt.Errorf("an entry of %d bytes is too long for the journal", len(e.Body))
	}
	var header [frameHeader]byte
	order.PutUint32(header[:], uint32(len(e.Body)))
	order.PutUint32(header[4:], j.sum(j.index, e))
	header[8] = e.Kind
	// The header goes alone: a copy of the entry, to write both at once, costs more. Without its body it is no entry.
	for _, part := range [...][]byte{header[:], e.Body} {
		n, err := j.file.WriteAt(part, j.size)
		j.size += int64(n)
		if err != nil {
			return fmt.Errorf("write the journal: %w", err)
		}
	}
	j.index++
	j.dirty = true
	return nil
}

func (j *Journal) sum(index uint64, e Entry) uint32 { return entrySum(j.salt[:], index, e) }

func entrySum(salt []byte, index uint64, e Entry) uint32 {
	var place [saltBytes + 8 + 4 + 1]byte
	copy(place[:], salt)
	order.PutUint64(place[saltBytes:], index)
	order.PutUint32(place[saltBytes+8:], uint32(len(e.Body)))
	place[saltBytes+12] = e.Kind
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, e.Body)
}

// Sync returns once all that was written is on the disk.
func (j *Journal) Sync() error {
	if !j.dirty {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("sync the journal: %w", err)
	}
	j.dirty = false
	return nil
}

// Size in bytes.
func (j *Journal) Size() int64 { return j.size }

func (j *Journal) close() error { return j.file.Close() } //nolint:wrapcheck // says which

// errJournal says that a journal isn't what a crash leaves.
var errJournal = errors.New("spool: the journal was changed")

func readJournal(path string, visit func(Entry) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the journal: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxJournal+1))
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	if len(content) > maxJournal {
		return fmt.Errorf("%w: it is longer than any", errJournal)
	}
	return readEntries(content, visit)
}

// readEntries passes on the entries up to the end, or up to one that a crash tore: nothing is behind that. An entry that is wrong
// with others behind it was changed, since each was whole before the next was written.
func readEntries(content []byte, visit func(Entry) error) error {
	if len(content) < journalHeader || string(content[:len(journalMagic)]) != journalMagic {
		return fmt.Errorf("%w: it doesn't begin as one", errJournal)
	}
	salt, rest := content[len(journalMagic):journalHeader], content[journalHeader:]
	for index := uint64(0); len(rest) > 0; index++ {
		entry, length, whole := cutEntry(rest, salt, index)
		if !whole {
			if index == 0 {
				return fmt.Errorf("%w: its first entry isn't whole", errJournal)
			}
			if length < len(rest) && !zeros(rest[:frameHeader]) {
				return fmt.Errorf("%w: entry %d isn't whole, and isn't the last", errJournal, index)
			}
			return nil
		}
		if err := visit(entry); err != nil {
			return fmt.Errorf("%w: entry %d: %w", errJournal, index, err)
		}
		rest = rest[length:]
	}
	return nil
}

// cutEntry returns the first entry and its length in all; of one that isn't whole, the length that it claims.
func cutEntry(rest, salt []byte, index uint64) (entry Entry, length int, whole bool) {
	if len(rest) < frameHeader {
		return Entry{}, len(rest), false
	}
	length = frameHeader + int(order.Uint32(rest))
	if length > len(rest) {
		return Entry{}, len(rest), false
	}
	entry = Entry{Kind: rest[8], Body: rest[frameHeader:length]}
	return entry, length, order.Uint32(rest[4:]) == entrySum(salt, index, entry)
}

// zeros tells whether there is nothing but zeros: what a file system may leave of a page that it had made room for when the
// power went. No entry begins like that.
func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
