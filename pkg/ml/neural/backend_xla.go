//go:build cgo

package neural

import "github.com/gomlx/go-xla/compute/xla"

// prepareXLA is called before XLA is opened, on the CPU or on CUDA.
func prepareXLA() error {
	xla.EnableAutoInstall(false) // an installer that downloads at run time has no place in a library
	keepMemory()
	return nil
}
