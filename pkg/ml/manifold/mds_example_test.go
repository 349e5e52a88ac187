package manifold_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/manifold"
	"gonum.org/v1/gonum/mat"
)

func ExampleClassicalMDS_Fit() {
	// The corners of a rectangle of 3 by 4, known by their distances alone.
	d := mat.NewSymDense(4, []float64{
		0, 3, 5, 4,
		3, 0, 4, 5,
		5, 4, 0, 3,
		4, 5, 3, 0,
	})
	m, err := manifold.ClassicalMDS{Metric: distance.Precomputed{}}.Fit(context.Background(), d)
	if err != nil {
		fmt.Println(err)
		return
	}
	a, b := m.Embedding.RawRowView(0), m.Embedding.RawRowView(2)
	fmt.Printf("Euclidean: %v; the diagonal is %.1f long\n", m.Euclidean, mat.Norm(mat.NewVecDense(2, []float64{a[0] - b[0], a[1] - b[1]}), 2))
	// Output: Euclidean: true; the diagonal is 5.0 long
}

func ExampleNonmetricMDS_Fit() {
	// Who is farther apart than whom, in any unit: 1 is nearest.
	d := mat.NewSymDense(4, []float64{
		0, 1, 3, 6,
		1, 0, 2, 5,
		3, 2, 0, 4,
		6, 5, 4, 0,
	})
	m, err := manifold.NonmetricMDS{Components: 1, Metric: distance.Precomputed{}}.Fit(context.Background(), d)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("stress-1 is %.3f\n", m.Stress1)
	// Output: stress-1 is 0.000
}
