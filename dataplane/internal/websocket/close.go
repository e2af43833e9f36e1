package websocket

import (
	"crypto/rand"
	"encoding/binary"
)

// Status codes of Close frames (RFC 6455, section 7.4.1).
const (
	GoingAway     = 1001
	ProtocolError = 1002
	PolicyBroken  = 1008
)

// AppendClose appends a Close frame as this side of a connection sends it.
func AppendClose(dst []byte, by Direction, code uint16) []byte {
	var payload [2]byte
	binary.BigEndian.PutUint16(payload[:], code)
	if by == FromService {
		return append(dst, final|opClose, byte(len(payload)), payload[0], payload[1])
	}
	var mask [maskBytes]byte
	_, _ = rand.Read(mask[:]) // never fails: the runtime ends the process instead
	dst = append(dst, final|opClose, masked|byte(len(payload)))
	dst = append(dst, mask[:]...)
	return append(dst, payload[0]^mask[0], payload[1]^mask[1])
}
