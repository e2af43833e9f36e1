package listener

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

const copyBufferBytes = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBufferBytes]byte) }}

// write sends the answer; false: it could not be sent whole, and the connection must end so that the client sees that.
func write(w http.ResponseWriter, ex *pipeline.Exchange) bool {
	out := &ex.Response
	if out.Body != nil {
		defer out.Body.Close()
	}
	header := w.Header()
	out.Header.CopyTo(header) // net/http writes a short answer's head when the exchange is finished already
	if _, dated := header["Date"]; dated {
		header["Date"] = header["Date"][:1]
	}
	if out.ContentLength >= 0 && allowsLength(ex) {
		header.Set("Content-Length", strconv.FormatInt(out.ContentLength, 10))
	}
	if _, typed := header["Content-Type"]; !typed {
		header["Content-Type"] = nil // else net/http guesses one
	}
	w.WriteHeader(out.Status)
	if out.Body == nil || bodyless(ex) {
		return true
	}
	if !copyBody(w, out) {
		return false
	}
	for _, field := range out.Trailer.Fields() {
		if !notInTrailers[strings.ToLower(field.Name)] && !out.Withholds(field.Name) {
			header.Add(http.TrailerPrefix+field.Name, strings.Clone(field.Value))
		}
	}
	return true
}

// notInTrailers are fields that a recipient which merges trailers into the header would take for framing, routing or
// identity (RFC 9110, section 6.5.1). Lower case.
var notInTrailers = map[string]bool{
	"content-length": true, "transfer-encoding": true, "trailer": true, "connection": true, "keep-alive": true, "upgrade": true,
	"te": true, "host": true, "content-type": true, "content-encoding": true, "content-range": true, "location": true,
	"set-cookie": true, "cache-control": true, "www-authenticate": true, "proxy-authenticate": true, "x-request-id": true,
}

// copyBody passes the body on. What has no known length may be a stream whose reader waits for each piece: it is flushed at once.
func copyBody(w http.ResponseWriter, out *pipeline.Response) bool {
	buffer, ok := copyBuffers.Get().(*[copyBufferBytes]byte)
	if !ok {
		buffer = new([copyBufferBytes]byte)
	}
	defer copyBuffers.Put(buffer)
	control := http.NewResponseController(w)
	stream := out.ContentLength < 0
	for {
		n, err := out.Body.Read(buffer[:])
		if n > 0 {
			written, writeErr := writePiece(w, buffer[:n], !stream && out.BodyBytes+int64(n) >= out.ContentLength)
			out.BodyBytes += int64(written)
			if writeErr != nil {
				return false
			}
			if stream && control.Flush() != nil {
				return false
			}
		}
		if errors.Is(err, io.EOF) {
			return out.ContentLength < 0 || out.BodyBytes == out.ContentLength
		}
		if err != nil {
			return false
		}
	}
}

// writePiece writes a piece of a body. The last byte of the last one goes by itself: net/http keeps so little until the handler has returned, and
// with it the exchange is finished. So nobody has the end of an answer before it is counted. Other answers end with
// what net/http itself sends then: the last chunk, or the connection's end.
func writePiece(w io.Writer, piece []byte, last bool) (int, error) {
	if !last || len(piece) < 2 {
		return w.Write(piece) //nolint:wrapcheck // its text goes nowhere
	}
	body, end := piece[:len(piece)-1], piece[len(piece)-1:]
	written, err := w.Write(body)
	if err != nil {
		return written, err //nolint:wrapcheck // its text goes nowhere
	}
	ended, err := w.Write(end)
	return written + ended, err //nolint:wrapcheck // its text goes nowhere
}

// bodyless reports whether the answer has no body whatever its header says (RFC 9110, section 6.4.1).
func bodyless(ex *pipeline.Exchange) bool {
	status := ex.Response.Status
	return ex.Request.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
}

// allowsLength reports whether Content-Length may be sent (RFC 9110, section 8.6). Of a 304 the length would have to be that
// of the 200 which it stands for, and net/http reads it as 0, which caches would believe.
func allowsLength(ex *pipeline.Exchange) bool {
	status := ex.Response.Status
	return status != http.StatusNoContent && status != http.StatusNotModified
}
