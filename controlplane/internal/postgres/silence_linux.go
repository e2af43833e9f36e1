package postgres

import (
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT (tcp(7)): how long what was sent may stay unacknowledged, in milliseconds.
const tcpUserTimeout = 0x12

// boundSilence makes a connection end when the other side has acknowledged nothing for so long.
func boundSilence(conn syscall.RawConn, silence time.Duration) error {
	var failed error
	err := conn.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(silence.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
