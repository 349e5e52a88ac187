package datasets

import (
	"errors"
	"fmt"
)

// ErrFormat is found by errors.Is in every error about the content of a file.
var ErrFormat = errors.New("malformed file")

func malformed(format string, args ...any) error {
	return fmt.Errorf("datasets: "+format+": %w", append(args, ErrFormat)...)
}

// maxCells bounds what ReadIDX believes and holds: 2²⁷ bytes.
const maxCells = 1 << 27
