// Package npy reads and writes NumPy's .npy files: one array of numbers a file, which numpy.load
// can open.
//
// The reader is made for files that nobody vouches for. It refuses what it does not understand,
// believes no count in a header before the bytes are there, and so never holds more than about
// twice the bytes that it was given. The format is described in NumPy Enhancement Proposal 1 and in
// the documentation of numpy.lib.format (versions 1.0, 2.0 and 3.0).
package npy

import (
	"errors"
	"fmt"
)

// ErrFormat is found by errors.Is in every error about the content of a file, as opposed to trouble
// in reading it.
var ErrFormat = errors.New("npy: malformed file")

// ErrLimit is found by errors.Is where a file is well formed as far as it was read, and larger than
// the caller allows.
var ErrLimit = errors.New("npy: file over the limit")

// Number lists the types of elements that are read and written: '<f8', '<f4', '<i8', '<i4', '|u1'
// and '|b1' in NumPy's notation.
type Number interface {
	float64 | float32 | int64 | int32 | uint8 | bool
}

// Array is what a file holds.
type Array struct {
	Shape []int // one entry a dimension; empty for a scalar
	Data  any   // []float64, []float32, []int64, []int32, []uint8 or []bool (more from ReadEvery), in C order: the last index runs fastest
}

// Len returns the number of elements.
func (a *Array) Len() int {
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	return n
}

// Float64s returns the elements as float64, false and true as 0 and 1. It shares a's memory where
// they are float64 already. An int64 beyond ±2⁵³ is rounded. It is nil for elements that are no
// real numbers.
func (a *Array) Float64s() []float64 {
	switch v := a.Data.(type) {
	case []float64:
		return v
	case []float32:
		return convert(v)
	case []int64:
		return convert(v)
	case []int32:
		return convert(v)
	case []uint8:
		return convert(v)
	case []int8:
		return convert(v)
	case []int16:
		return convert(v)
	case []uint16:
		return convert(v)
	case []uint32:
		return convert(v)
	case []uint64:
		return convert(v)
	case []bool:
		out := make([]float64, len(v))
		for i, b := range v {
			if b {
				out[i] = 1
			}
		}
		return out
	}
	return nil
}

func convert[T float32 | int64 | int32 | int16 | int8 | uint64 | uint32 | uint16 | uint8](v []T) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// formatError is an error about the content of a file; its text is complete without the sentinel's
// own.
type formatError struct {
	what string
	kind error
}

func (e *formatError) Error() string { return e.what }
func (e *formatError) Unwrap() error { return e.kind }

func malformed(format string, args ...any) error {
	return &formatError{"npy: " + fmt.Sprintf(format, args...), ErrFormat}
}

func tooLarge(format string, args ...any) error {
	return &formatError{"npy: " + fmt.Sprintf(format, args...), ErrLimit}
}
