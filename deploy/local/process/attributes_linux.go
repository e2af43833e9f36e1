package process

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
)

// attributes make a child of the child's own group, so that Ctrl-C reaches the parent alone and the end is orderly, and
// tie it to its parent's life.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// startWithParent starts from a thread that lives as long as the child: Pdeathsig is sent when the starting thread ends,
// not the process (golang/go#27505).
func startWithParent(cmd *exec.Cmd, done <-chan struct{}) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			<-done
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("%s: %w", cmd.Path, err)
	}
	return nil
}
