//go:build unix

package mltest

import (
	"syscall"
	"time"
)

// work is the time that this process has had of all processors.
func work() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
