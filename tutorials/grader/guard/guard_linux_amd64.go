package guard

import "syscall"

const (
	auditArch = 0xc000003e
	seccomp   = 317
	getrandom = 318
	execveat  = 322
	rseq      = 334
	clone3    = 435
	openat2   = 437
	statx     = 332
)

var (
	computingHere = []uint32{getrandom, rseq, syscall.SYS_ARCH_PRCTL, syscall.SYS_EPOLL_WAIT}
	forbiddenHere = []uint32{syscall.SYS_OPEN, syscall.SYS_CREAT, syscall.SYS_FORK, syscall.SYS_VFORK, syscall.SYS_UNLINK, syscall.SYS_RENAME, syscall.SYS_MKDIR,
		syscall.SYS_NEWFSTATAT, syscall.SYS_STAT, syscall.SYS_LSTAT, syscall.SYS_ACCESS, syscall.SYS_READLINK, statx}
)
