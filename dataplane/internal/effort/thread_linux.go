package effort

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is how much of a processor the calling thread has had since it began.
func threadTime() time.Duration {
	var spent unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &spent); err != nil {
		return time.Duration(time.Now().UnixNano()) // a kernel that doesn't tell
	}
	return time.Duration(spent.Nano())
}
