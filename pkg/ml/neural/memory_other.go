//go:build !linux

package neural

func keepMemory() {}
