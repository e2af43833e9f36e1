package handover

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// peerOf returns the user and the process at the other end, by the kernel's word.
func peerOf(conn *net.UnixConn) (user, process int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0, fmt.Errorf("handover: who asks: %w", err)
	}
	var who *unix.Xucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		if who, failed = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); failed == nil {
			process, failed = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, 0, fmt.Errorf("handover: who asks: %w", err)
	}
	return int(who.Uid), process, nil
}
