package datasets

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// ErrFormat is found by errors.Is in every error about the content of a file.
var ErrFormat = errors.New("malformed file")

func malformed(format string, args ...any) error {
	return fmt.Errorf("datasets: "+format+": %w", append(args, ErrFormat)...)
}

// maxCells bounds what a reader believes and holds: 2²⁷ numbers, 1 GiB.
const maxCells = 1 << 27

// ReadCSV reads a table of numbers, one observation a line, cells separated by commas. If the first
// line has a cell that is no number it names the columns. The error says which line and which
// column can't be read; NaN and infinities are refused.
func ReadCSV(r io.Reader) (x *mat.Dense, header []string, err error) {
	c := csv.NewReader(r)
	c.TrimLeadingSpace = true
	c.ReuseRecord = true
	c.Comment = '#'
	var data []float64
	cols, rows := 0, 0
	for {
		record, err := c.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, malformed("%v", err) // names the line, and counts the fields
		}
		line, _ := c.FieldPos(0)
		if cols == 0 {
			cols = len(record)
			if !numeric(record) {
				for _, name := range record {
					header = append(header, strings.TrimSpace(name))
				}
				continue
			}
		}
		for j, cell := range record {
			v, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, nil, malformed("line %d, column %d is %.40q, want a finite number", line, j+1, cell)
			}
			data = append(data, v)
		}
		if len(data) > maxCells {
			return nil, nil, malformed("more than %d numbers", maxCells)
		}
		rows++
	}
	if rows == 0 {
		return nil, nil, malformed("no line of numbers")
	}
	return mat.NewDense(rows, cols, data), header, nil
}

func numeric(record []string) bool {
	for _, cell := range record {
		if _, err := strconv.ParseFloat(strings.TrimSpace(cell), 64); err != nil {
			return false
		}
	}
	return true
}
