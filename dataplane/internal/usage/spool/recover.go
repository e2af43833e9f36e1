package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// errRing says that a ring's file isn't what a ring leaves.
var errRing = errors.New("spool: the ring isn't one that this build can read")

// replay passes on every whole record of a ring's file from these positions on: what was recorded, and isn't kept elsewhere. A
// stripe without a position begins at 0.
func replay(path string, heads []uint64, visit func(*Record)) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the ring: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, ringBytes+1))
	if err != nil {
		return fmt.Errorf("read the ring: %w", err)
	}
	return replayContent(content, heads, visit)
}

func replayContent(content []byte, heads []uint64, visit func(*Record)) error {
	if len(content) != ringBytes || order.Uint64(content) != ringMagic {
		return errRing
	}
	salt := order.Uint64(content[wordBytes:])
	if order.Uint64(content[2*wordBytes:]) != headerSum(salt) {
		return errRing
	}
	names := make([]string, 0, maxNames)
	for number := range maxNames {
		name, ok := readName(content, number, salt)
		if !ok {
			break
		}
		names = append(names, name)
	}
	var rec Record
	from := make([]uint64, Stripes)
	copy(from, heads)
	for i, head := range from {
		stripe := uint64(i)
		for position := head; position-head < slots; position++ {
			if wholeRecord(content, salt, stripe, position, names, &rec) {
				visit(&rec)
			}
		}
	}
	return nil
}

func wholeRecord(content []byte, salt, stripe, position uint64, names []string, rec *Record) bool {
	var words [recordWords]uint64
	at := content[recordsAt+stripe*stripeBytes+position%slots*recordWords*wordBytes:]
	for i := range words {
		words[i] = order.Uint64(at[i*wordBytes:])
	}
	if words[commitWord] != commitOf(&words, salt, stripe, position) {
		return false
	}
	verdict := rec.unpack(&words)
	if int(verdict) >= len(names) {
		return false
	}
	rec.Verdict = names[verdict]
	return true
}
