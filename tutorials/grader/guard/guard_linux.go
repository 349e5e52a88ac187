//go:build amd64 || arm64

package guard

import (
	"fmt"
	"syscall"
	"unsafe"
)

const rlimitData = 2

func limit(seconds, memory int) error {
	for _, l := range []struct {
		resource int
		limit    uint64
	}{
		{syscall.RLIMIT_CPU, uint64(seconds)},
		{rlimitData, uint64(memory) << 20},
		{syscall.RLIMIT_FSIZE, 0},
		{syscall.RLIMIT_CORE, 0},
	} {
		if err := syscall.Setrlimit(l.resource, &syscall.Rlimit{Cur: l.limit, Max: l.limit}); err != nil {
			return err
		}
	}
	return nil
}

// Of BPF and seccomp, as linux/bpf_common.h, linux/seccomp.h and linux/audit.h have them.
const (
	loadWord  = 0x20 // BPF_LD | BPF_W | BPF_ABS
	jumpEqual = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	jumpSet   = 0x45 // BPF_JMP | BPF_JSET | BPF_K
	give      = 0x06 // BPF_RET | BPF_K

	allow    = 0x7fff0000
	kill     = 0x80000000 // the whole process, by SIGSYS
	errnoFor = 0x00050000

	offsetNumber, offsetArch, offsetFirstArg = 0, 4, 16

	setNoNewPrivs = 38
	setModeFilter = 1
	allThreads    = 1
	cloneThread   = 0x00010000
)

// filter allows what Go's runtime needs to compute and to answer on open files. A new thread is
// allowed, a new process is not. Opening a file, a socket, another program ends the process by
// SIGSYS, which it can neither catch nor hide, so that the grader can say so; what else there is
// fails with EPERM.
func filter() error {
	program := []syscall.SockFilter{
		{Code: loadWord, K: offsetArch},
		{Code: jumpEqual, K: auditArch, Jt: 1},
		{Code: give, K: kill},
		{Code: loadWord, K: offsetNumber},
		{Code: jumpEqual, K: syscall.SYS_CLONE, Jf: 4},
		{Code: loadWord, K: offsetFirstArg},
		{Code: jumpSet, K: cloneThread, Jt: 1},
		{Code: give, K: kill},
		{Code: give, K: allow},
		{Code: jumpEqual, K: syscall.SYS_TGKILL, Jf: 4}, // signals to itself, by which Go's runtime interrupts its threads
		{Code: loadWord, K: offsetFirstArg},
		{Code: jumpEqual, K: uint32(syscall.Getpid()), Jt: 1},
		{Code: give, K: kill},
		{Code: give, K: allow},
		{Code: jumpEqual, K: clone3, Jf: 1},
		{Code: give, K: errnoFor | uint32(syscall.ENOSYS)},
	}
	for _, list := range []struct {
		numbers []uint32
		verdict uint32
	}{{computing, allow}, {forbidden, kill}} {
		for _, nr := range list.numbers {
			program = append(program, syscall.SockFilter{Code: jumpEqual, K: nr, Jf: 1}, syscall.SockFilter{Code: give, K: list.verdict})
		}
	}
	program = append(program, syscall.SockFilter{Code: give, K: errnoFor | uint32(syscall.EPERM)})
	if _, _, e := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0, 0, 0, 0); e != 0 {
		return e
	}
	prog := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	thread, _, e := syscall.RawSyscall(seccomp, setModeFilter, allThreads, uintptr(unsafe.Pointer(&prog)))
	switch {
	case e != 0:
		return e
	case thread != 0:
		return fmt.Errorf("thread %d could not be held", thread)
	}
	return nil
}

// The same names on every architecture.
var computing = append([]uint32{
	syscall.SYS_READ, syscall.SYS_WRITE, syscall.SYS_CLOSE, syscall.SYS_FCNTL,
	syscall.SYS_MMAP, syscall.SYS_MUNMAP, syscall.SYS_MPROTECT, syscall.SYS_MADVISE, syscall.SYS_MINCORE, syscall.SYS_BRK,
	syscall.SYS_FUTEX, syscall.SYS_NANOSLEEP, syscall.SYS_CLOCK_GETTIME, syscall.SYS_CLOCK_NANOSLEEP, syscall.SYS_GETTIMEOFDAY,
	syscall.SYS_SCHED_YIELD, syscall.SYS_SCHED_GETAFFINITY, syscall.SYS_GETPID, syscall.SYS_GETTID,
	syscall.SYS_RT_SIGACTION, syscall.SYS_RT_SIGPROCMASK, syscall.SYS_RT_SIGRETURN, syscall.SYS_SIGALTSTACK,
	syscall.SYS_EPOLL_CREATE1, syscall.SYS_EPOLL_CTL, syscall.SYS_EPOLL_PWAIT, syscall.SYS_EVENTFD2, syscall.SYS_PREAD64,
	syscall.SYS_EXIT, syscall.SYS_EXIT_GROUP, syscall.SYS_SET_ROBUST_LIST, syscall.SYS_SET_TID_ADDRESS, syscall.SYS_FSTAT,
	syscall.SYS_TIMER_CREATE, syscall.SYS_TIMER_SETTIME, syscall.SYS_TIMER_DELETE, syscall.SYS_SETITIMER, syscall.SYS_RESTART_SYSCALL,
}, computingHere...)

var forbidden = append([]uint32{
	syscall.SYS_OPENAT, openat2, syscall.SYS_SOCKET, syscall.SYS_SOCKETPAIR, syscall.SYS_CONNECT, syscall.SYS_EXECVE, execveat,
	syscall.SYS_FACCESSAT, syscall.SYS_READLINKAT, syscall.SYS_GETDENTS64, syscall.SYS_CHDIR,
	syscall.SYS_UNLINKAT, syscall.SYS_RENAMEAT, syscall.SYS_MKDIRAT, syscall.SYS_KILL, syscall.SYS_PTRACE, syscall.SYS_MOUNT, syscall.SYS_UNSHARE,
}, forbiddenHere...)
