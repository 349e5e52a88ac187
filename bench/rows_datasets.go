//go:build unix

package main

import (
	"bytes"
	"context"
	"unsafe"

	"github.com/golatent/latent/pkg/datasets"
)

func init() {
	register(row{name: "read-csv", input: "csv1e6x20", figures: []figure{{"sum", equal}, {"missing", equal}}, fit: readCSV})
}

// readCSV reads a text that lies in the input's numbers byte by byte, with nothing said about it,
// as the peer does.
func readCSV(_ context.Context, p problem) (judge, error) {
	raw := p.X.RawMatrix().Data
	text := unsafe.Slice((*byte)(unsafe.Pointer(&raw[0])), 8*len(raw))
	t, err := datasets.Reader{}.Read(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return func(context.Context) ([]float64, error) {
		sum, missing := 0.0, 0
		for _, c := range t.Columns {
			missing += c.CountMissing()
			if c.Kind == datasets.Number {
				for i, v := range c.Numbers {
					if !c.IsMissing(i) {
						sum += v
					}
				}
			}
		}
		return []float64{sum, float64(missing)}, nil
	}, nil
}
