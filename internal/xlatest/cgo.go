//go:build cgo

package xlatest

const cgo = true
