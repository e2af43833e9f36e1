//go:build !linux

package effort

import "time"

// threadTime stands in for how much of a processor the calling thread has had: the time that passes.
func threadTime() time.Duration { return time.Duration(time.Now().UnixNano()) }
