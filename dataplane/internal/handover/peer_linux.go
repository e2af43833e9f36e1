package handover

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// peerOf returns the user and the process at the other end, by the kernel's word.
func peerOf(conn *net.UnixConn) (user, process int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0, fmt.Errorf("handover: who asks: %w", err)
	}
	var who *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		who, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, 0, fmt.Errorf("handover: who asks: %w", err)
	}
	return int(who.Uid), int(who.Pid), nil
}
