//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"

	"github.com/golatent/latent/pkg/ml/coding"
	"gonum.org/v1/gonum/mat"
)

func init() {
	// One static coder of ours beside both of the peer's: count, encode, decode, compare. Each side makes its own type of symbol of the input's numbers.
	static := func(_ context.Context, x, _ *mat.Dense) (float64, error) {
		numbers := x.RawMatrix().Data
		symbols, counts := make([]byte, len(numbers)), make([]float64, 64)
		for i, v := range numbers {
			symbols[i] = byte(v)
			counts[symbols[i]]++
		}
		model, err := coding.NewStatic(counts)
		if err != nil {
			return 0, err
		}
		packed, err := model.Encode(symbols)
		if err != nil {
			return 0, err
		}
		back, err := model.Decode(packed)
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(back, symbols) {
			return 0, errors.New("other symbols came back")
		}
		return float64(8*len(packed)) / float64(len(symbols)), nil
	}
	register(
		row{"coding-range", "letters2m", static},
		row{"coding-ans", "letters2m", static},
	)
}
