package pipeline

import "unsafe"

// Sizes of text memory, in bytes.
const (
	minText   = 256      // what a buffer has room for at the least
	textChunk = 1 << 10  // what an exchange starts with
	maxText   = 16 << 10 // what an exchange takes back to its pool, and one chunk's size, at the most
)

// TextBuffer and TextDone make strings in the exchange's own memory, so that a stage can write a header value or a path
// without allocating:
//
//	b := append(ex.TextBuffer(), "…"...)
//	value := ex.TextDone(b)
//
// Between the two nobody else may append. The string lives until the exchange ends.
//
// TextBuffer returns an empty slice to append to.
func (ex *Exchange) TextBuffer() []byte {
	if cap(ex.text)-len(ex.text) < minText {
		ex.text = make([]byte, 0, min(max(textChunk, 2*cap(ex.text)), maxText))
	}
	return ex.text[len(ex.text):]
}

// TextDone returns what was appended to the slice of the last TextBuffer.
func (ex *Exchange) TextDone(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	//nolint:gosec // compares and lends memory that nothing writes until Reset
	if cap(ex.text)-len(ex.text) >= len(b) && unsafe.SliceData(b) == unsafe.SliceData(ex.text[len(ex.text):cap(ex.text)]) {
		ex.text = ex.text[:len(ex.text)+len(b)]
	} else {
		// It outgrew the memory: what was lent before stays with the old one, and the new one goes on from here.
		ex.text = b
	}
	//nolint:gosec // as above
	return unsafe.String(unsafe.SliceData(b), len(b))
}
