package directory

import (
	"encoding/binary"
	"sync/atomic"
)

// interned gives equal sets one index. Readers find the set by its index without a lock; the writer
// alone adds. Sets are never taken out, since that would take counting: they live as long as the
// state, which the next snapshot or renumbering replaces. A node that lives on deltas keeps each
// combination of scopes or addresses that it saw since. Index 0 is the empty set.
type interned[T any] struct {
	published atomic.Pointer[[]T]

	list     []T      // the writer's; [0] is the zero value
	contents []string // what each stands for
	indices  map[string]uint32
}

// begin lets readers see the empty set.
func (n *interned[T]) begin() {
	n.list, n.contents, n.indices = make([]T, 1), []string{""}, map[string]uint32{}
	n.publish()
}

// at returns the set of an index that was published.
func (n *interned[T]) at(index uint32) T { return (*n.published.Load())[index] }

// add returns the index of the set that content stands for, made by build if it is new. It can be
// read once publish was called.
func (n *interned[T]) add(content []byte, build func() T) uint32 {
	if index, known := n.indices[string(content)]; known {
		return index
	}
	index := uint32(len(n.list))
	n.list = append(n.list, build())
	text := string(content)
	n.contents = append(n.contents, text)
	n.indices[text] = index
	return index
}

// keep adds a set of another, which it shares from now on.
func (n *interned[T]) keep(from *interned[T], index uint32) uint32 {
	if index == 0 {
		return 0
	}
	return n.add([]byte(from.contents[index]), func() T { return from.list[index] })
}

// texts returns the list that an index was made of, as it came.
func (n *interned[T]) texts(index uint32) []string {
	if index == 0 {
		return nil
	}
	return textsOf([]byte(n.contents[index]))
}

// publish lets readers see what was added. Appending in place is safe: readers of an earlier list
// never look beyond its end.
func (n *interned[T]) publish() {
	list := n.list
	n.published.Store(&list)
}

// content appends texts so that no two lists of them read the same.
func content(dst []byte, texts []string) []byte {
	for _, text := range texts {
		dst = contentOf(dst, text)
	}
	return dst
}

// contentOf appends one text of a content.
func contentOf[T string | []byte](dst []byte, text T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// textsOf returns the texts that a content was made of.
func textsOf(content []byte) []string {
	var texts []string
	for rest := content; len(rest) > 0; {
		length, size := binary.Uvarint(rest)
		texts = append(texts, string(rest[size:][:length]))
		rest = rest[size:][length:]
	}
	return texts
}
