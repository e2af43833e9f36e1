package http1

import (
	"strconv"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// AppendRequestLine appends the first line of a request.
func AppendRequestLine(dst []byte, method, path, query string) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, path...)
	if query != "" {
		dst = append(dst, '?')
		dst = append(dst, query...)
	}
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendStatusLine appends the first line of an answer.
func AppendStatusLine(dst []byte, status int) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, StatusText(status)...)
	return append(dst, "\r\n"...)
}

// AppendField appends one field. A name that is no token, or a value with a control byte, is left out, and ok is false: written, it could
// begin another field, or another message.
func AppendField(dst []byte, name, value string) (_ []byte, ok bool) {
	if name == "" {
		return dst, false
	}
	for i := range len(name) {
		if classes[name[i]]&isToken == 0 {
			return dst, false
		}
	}
	for i := range len(value) {
		if classes[value[i]]&inValue == 0 {
			return dst, false
		}
	}
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...), true
}

// AppendFields appends all fields; ok is false if one was left out.
func AppendFields(dst []byte, header *pipeline.Header) (_ []byte, ok bool) {
	ok = true
	fields := header.Fields()
	for i := range fields {
		var good bool
		dst, good = AppendField(dst, fields[i].Name, fields[i].Value)
		ok = ok && good
	}
	return dst, ok
}

// AppendLength appends Content-Length.
func AppendLength(dst []byte, length int64) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, length, 10)
	return append(dst, "\r\n"...)
}

// AppendChunked appends Transfer-Encoding: chunked.
func AppendChunked(dst []byte) []byte { return append(dst, "Transfer-Encoding: chunked\r\n"...) }

// AppendEmptyLine ends a head.
func AppendEmptyLine(dst []byte) []byte { return append(dst, "\r\n"...) }

// AppendChunkSize appends the line before a chunk's data, which ChunkEnd ends. n is more than 0.
func AppendChunkSize(dst []byte, n int) []byte {
	dst = strconv.AppendUint(dst, uint64(n), 16)
	return append(dst, "\r\n"...)
}

// ChunkEnd is what ends a chunk's data.
const ChunkEnd = "\r\n"

// AppendLastChunk ends a chunked body, with its trailers. Those that may not come behind a body are left out.
func AppendLastChunk(dst []byte, trailer *pipeline.Header) []byte {
	dst = append(dst, "0\r\n"...)
	for _, f := range trailer.Fields() {
		if mayTrail(f.Name) {
			dst, _ = AppendField(dst, f.Name, f.Value)
		}
	}
	return append(dst, "\r\n"...)
}
