package main

import "syscall"

// endsWithParent has the kernel end the program when this process is killed.
func endsWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
