//go:build unix

package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// bar is a line on the terminal that says how far the run is. Written to a file or a pipe it stays
// silent.
type bar struct {
	done, total int
	begun       time.Time
	visible     bool
}

func newBar(total int) *bar {
	info, err := os.Stderr.Stat()
	return &bar{total: total, begun: time.Now(), visible: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// step announces the measurement that begins now.
func (b *bar) step(what string) {
	if b.visible {
		const width = 30
		full := b.done * width / b.total
		fmt.Fprintf(os.Stderr, "\r\033[K[%s%s] %d/%d  %s  %s", strings.Repeat("█", full), strings.Repeat("·", width-full),
			b.done, b.total, time.Since(b.begun).Round(time.Second), what)
	}
	b.done++
}

func (b *bar) clear() {
	if b.visible {
		fmt.Fprint(os.Stderr, "\r\033[K")
	}
}
