//go:build !unix

package mltest

import "time"

var begun = time.Now()

// work is the time of the clock: what a process has had of the processors is not asked for here.
func work() time.Duration { return time.Since(begun) }
