//go:build !cgo

package neural

import "errors"

// prepareXLA says why there is none: XLA is a C library, and a program that was built without cgo
// runs its networks on GoMLX's pure-Go backend.
func prepareXLA() error { return errors.New("the program was built with CGO_ENABLED=0") }
