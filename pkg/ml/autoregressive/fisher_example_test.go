package autoregressive_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/ml/autoregressive"
	"gonum.org/v1/gonum/mat"
)

// Independent bits, each 1 half of the time: the kernel counts the bits that agree less those that
// do not.
func ExampleFisher() {
	ctx := context.Background()
	x := mat.NewDense(4, 2, []float64{
		0, 0,
		1, 1,
		1, 0,
		0, 1,
	})
	bits, err := autoregressive.Table{Smoothing: -1}.Fit(ctx, x)
	if err != nil {
		panic(err)
	}
	fisher, err := autoregressive.Fisher{Model: bits, Damping: -1}.Fit(ctx, x)
	if err != nil {
		panic(err)
	}
	k, err := fisher.Kernel(ctx, x, nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.0f of itself, %.0f of its opposite, %.0f of one that shares a bit", k.At(0, 0), k.At(0, 1), k.At(0, 2))
	// Output: 2 of itself, -2 of its opposite, 0 of one that shares a bit
}
