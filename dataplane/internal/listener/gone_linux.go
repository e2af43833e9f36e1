package listener

import (
	"syscall"
	"unsafe"
)

// pollRemoteEnd is POLLRDHUP: the peer sends nothing more, whatever of it is still to be read.
const pollRemoteEnd = 0x2000

// hungUp tells whether the peer has ended its side, though bytes of it wait to be read.
func hungUp(fd uintptr) bool {
	poll := struct {
		fd              int32
		events, revents int16
	}{fd: int32(fd), events: pollRemoteEnd}
	var now syscall.Timespec
	//nolint:gosec // the kernel's own structures, alive until the call returns
	n, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return errno == 0 && n == 1
}
