package wire

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// enclose puts the process into namespaces of its own: no network but an empty one, no other
// process in sight, an ordinary user, and for all files the folder of its binary. It needs no
// privilege where the kernel lets users make namespaces.
func enclose(cmd *exec.Cmd) {
	root := filepath.Dir(cmd.Path)
	cmd.Path, cmd.Args, cmd.Dir = "/"+filepath.Base(cmd.Path), []string{"answer"}, "/"
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot:      root,
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getgid(), Size: 1}},
	}
}

const canEnclose = true
