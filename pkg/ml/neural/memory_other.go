//go:build cgo && !linux

package neural

func keepMemory() {}
