package ml

import (
	"errors"
	"fmt"
)

// The sentinels that errors.Is finds in whatever a method returns. The message around them names
// the method, and the row, column or parameter that is wrong.
var (
	ErrEmpty        = errors.New("no data")
	ErrNotFinite    = errors.New("value is not finite")
	ErrShape        = errors.New("shapes do not match")
	ErrParameter    = errors.New("parameter out of range")
	ErrNotConverged = errors.New("not converged")
)

// BadParameter reports that option name of a method has a value it can't have. want completes the
// sentence "K = 0, want …": BadParameter("cluster.KMeans", "K", 0, "1 ≤ K ≤ n = 150").
func BadParameter(method, name string, value any, want string) error {
	return &inputError{method, fmt.Sprintf("%s = %v, want %s", name, value, want), ErrParameter}
}

// BadShape reports that two inputs of a method do not fit each other.
func BadShape(method, format string, args ...any) error {
	return &inputError{method, fmt.Sprintf(format, args...), ErrShape}
}

// Empty reports that there is nothing to work on.
func Empty(method, format string, args ...any) error {
	return &inputError{method, fmt.Sprintf(format, args...), ErrEmpty}
}

// NotFinite reports a value, given or computed, that is no finite number.
func NotFinite(method, format string, args ...any) error {
	return &inputError{method, fmt.Sprintf(format, args...), ErrNotFinite}
}

// inputError carries one sentinel; its text is complete without the sentinel's own.
type inputError struct {
	method, what string
	kind         error
}

func (e *inputError) Error() string { return e.method + ": " + e.what }
func (e *inputError) Unwrap() error { return e.kind }
