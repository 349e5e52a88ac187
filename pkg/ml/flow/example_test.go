package flow_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/flow"
	"github.com/golatent/latent/pkg/ml/neural"
)

// A density of two moons, and points drawn from it.
func Example() {
	ctx := context.Background()
	x := datasets.Moons(2000, 0.1, 1).X
	m, err := flow.RealNVP{Couplings: 4, Train: neural.Train{Steps: 200, Backend: "go"}}.Fit(ctx, x)
	if err != nil {
		fmt.Println(err)
		return
	}
	logp, _ := m.LogProb(ctx, x)
	points, _ := m.Sample(ctx, 5, 1)
	n, d := points.Dims()
	fmt.Println(len(logp), "densities,", n, "new points of", d, "coordinates")
	// Output: 2000 densities, 5 new points of 2 coordinates
}
