package decomposition_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/decomposition"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Three signals, a sine, a square wave and noise, are mixed and found again.
func ExamplePicard() {
	x, truth, _ := datasets.Sources(5000, 3, 1)
	m, err := decomposition.Picard{}.Fit(context.Background(), x)
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.Sources(x)
	if err != nil {
		log.Fatal(err)
	}
	for j := range 3 {
		best := 0.0
		for c := range 3 {
			best = max(best, math.Abs(stat.Correlation(mat.Col(nil, j, truth), mat.Col(nil, c, s), nil)))
		}
		fmt.Printf("source %d: %.2f\n", j, best)
	}
	fmt.Println("converged:", m.Converged)
	// Output:
	// source 0: 1.00
	// source 1: 1.00
	// source 2: 1.00
	// converged: true
}
