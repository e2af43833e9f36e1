package websocket

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 demands it, and nothing is secured by it
	"encoding/base64"
	"errors"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// Protocol is what Upgrade says.
const Protocol = "websocket"

// Version is the one that is spoken.
const Version = "13"

// Fields of the handshake.
const (
	VersionField    = "Sec-WebSocket-Version"
	keyField        = "Sec-WebSocket-Key"
	acceptField     = "Sec-WebSocket-Accept"
	protocolField   = "Sec-WebSocket-Protocol"
	extensionsField = "Sec-WebSocket-Extensions"
)

// guid is appended to a key (RFC 6455, section 1.3).
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// keyBytes is how long a key is, decoded.
const keyBytes = 16

// What is wrong with a handshake.
var (
	ErrVersion    = errors.New("Sec-WebSocket-Version is not 13")
	ErrKey        = errors.New("Sec-WebSocket-Key is missing, repeated or not 16 bytes in base64")
	ErrAccept     = errors.New("Sec-WebSocket-Accept doesn't match the key")
	ErrProtocol   = errors.New("a subprotocol is answered that wasn't offered")
	ErrExtensions = errors.New("an extension is answered that wasn't offered")
)

// CheckRequest judges the fields of a client's handshake (RFC 6455, section 4.2.1).
func CheckRequest(header *pipeline.Header) error {
	if version, ok := only(header, VersionField); !ok || version != Version {
		return ErrVersion
	}
	key, ok := only(header, keyField)
	if !ok {
		return ErrKey
	}
	if raw, err := base64.StdEncoding.Strict().DecodeString(key); err != nil || len(raw) != keyBytes {
		return ErrKey
	}
	return nil
}

// CheckAnswer judges the fields of a service's answer to a client's handshake (RFC 6455, section 4.1): the client would.
func CheckAnswer(request, answer *pipeline.Header) error {
	key, _ := only(request, keyField)
	if accept, ok := only(answer, acceptField); !ok || accept != Accept(key) {
		return ErrAccept
	}
	if answer.Has(protocolField) {
		chosen, ok := only(answer, protocolField)
		if !ok || !lists(request, protocolField, chosen, whole) {
			return ErrProtocol
		}
	}
	for name := range elements(answer, extensionsField) {
		if !lists(request, extensionsField, extension(name), extension) {
			return ErrExtensions
		}
	}
	return nil
}

// Extended tells whether an answer agrees on an extension, whose the reserved bits of frames are then.
func Extended(answer *pipeline.Header) bool { return answer.Has(extensionsField) }

// Accept returns what a service answers to a key.
func Accept(key string) string {
	sum := sha1.Sum([]byte(key + guid)) //nolint:gosec // as above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// only returns the value of a field that comes once.
func only(header *pipeline.Header, name string) (value string, ok bool) {
	seen := 0
	for _, f := range header.Fields() {
		if pipeline.EqualFold(f.Name, name) {
			value = f.Value
			seen++
		}
	}
	return value, seen == 1
}

// elements yields the elements of all fields of a name.
func elements(header *pipeline.Header, name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, f := range header.Fields() {
			if !pipeline.EqualFold(f.Name, name) {
				continue
			}
			for element := range strings.SplitSeq(f.Value, ",") {
				if element = strings.TrimSpace(element); element != "" && !yield(element) {
					return
				}
			}
		}
	}
}

func lists(header *pipeline.Header, name, wanted string, part func(string) string) bool {
	for element := range elements(header, name) {
		if part(element) == wanted {
			return true
		}
	}
	return false
}

func whole(element string) string { return element }

// extension returns the name of an extension, without its parameters.
func extension(element string) string {
	name, _, _ := strings.Cut(element, ";")
	return strings.TrimSpace(name)
}
