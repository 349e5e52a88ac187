//go:build !cgo

package xlatest

const cgo = false
