package http1

import (
	"strconv"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// AppendRequestLine appends the first line of a request. Whatever method, path and query are, it stays one line of three parts: what may not
// stand in a target is escaped, and a method that is no token is made one.
func AppendRequestLine(dst []byte, method, path, query string) []byte {
	dst = appendMethod(dst, method)
	dst = append(dst, ' ')
	if path == "" || path[0] != '/' {
		dst = append(dst, '/')
	}
	dst = appendTarget(dst, path, '?')
	if query != "" {
		dst = append(dst, '?')
		dst = appendTarget(dst, query, '#')
	}
	return append(dst, " HTTP/1.1\r\n"...)
}

func appendMethod(dst []byte, method string) []byte {
	if method == "" {
		return append(dst, '_')
	}
	begin := len(dst)
	dst = append(dst, method...)
	for i, c := range dst[begin:] {
		if classes[c]&isToken == 0 {
			dst[begin+i] = '_'
		}
	}
	return dst
}

// appendTarget appends a part of a target; the byte besides would begin another part.
func appendTarget(dst []byte, part string, besides byte) []byte {
	begin := len(dst)
	dst = append(dst, part...)
	for i, c := range dst[begin:] {
		if classes[c]&inTarget == 0 || c == besides {
			return appendEscaped(dst[:begin+i], part[i:], besides)
		}
	}
	return dst
}

func appendEscaped(dst []byte, part string, besides byte) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(part) {
		if c := part[i]; classes[c]&inTarget == 0 || c == besides {
			dst = append(dst, '%', digits[c>>4], digits[c&0xf])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// AppendStatusLine appends the first line of an answer; 500 instead of a status that has no three digits.
func AppendStatusLine(dst []byte, status int) []byte {
	if status < 100 || status > 999 {
		status = 500
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10), ' ')
	dst = append(dst, StatusText(status)...)
	return append(dst, "\r\n"...)
}

// AppendField appends one field. A name that is no token, or a value with a control byte, is left out, and ok is false: written, it could
// begin another field, or another message. White space around the value is none of its own.
func AppendField(dst []byte, name, value string) (_ []byte, ok bool) {
	begin := len(dst)
	dst = append(dst, name...)
	if name == "" || span(dst[begin:], isToken) < len(name) {
		return dst[:begin], false
	}
	dst = append(dst, ": "...)
	written := len(dst)
	dst = append(dst, trim(value)...)
	if valueSpan(dst[written:]) < len(dst)-written {
		return dst[:begin], false
	}
	return append(dst, "\r\n"...), true
}

// AppendFields appends all fields but those of framing, and those that other software takes for them: where a body ends is for whoever writes
// it to say, by AppendLength or AppendChunked. ok is false if one was left out because it can't be written.
func AppendFields(dst []byte, header *pipeline.Header) (_ []byte, ok bool) {
	ok = true
	fields := header.Fields()
	for i := range fields {
		if isFraming(fields[i].Name) {
			continue
		}
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

// AppendChunkSize appends the line before a chunk's data, which ChunkEnd ends. n is more than 0: a chunk of nothing would end the body.
func AppendChunkSize(dst []byte, n int) []byte {
	dst = strconv.AppendUint(dst, uint64(n), 16)
	return append(dst, "\r\n"...)
}

// ChunkEnd is what ends a chunk's data.
const ChunkEnd = "\r\n"

// AppendLastChunk ends a chunked body, with its trailers, if it has any (nil: none). Those that may not come behind a body are left out, and those
// that are withheld (nil: none is).
func AppendLastChunk(dst []byte, trailer *pipeline.Header, withheld func(name string) bool) []byte {
	dst = append(dst, "0\r\n"...)
	if trailer != nil {
		for _, f := range trailer.Fields() {
			if MayTrail(f.Name) && (withheld == nil || !withheld(f.Name)) {
				dst, _ = AppendField(dst, f.Name, f.Value)
			}
		}
	}
	return append(dst, "\r\n"...)
}
