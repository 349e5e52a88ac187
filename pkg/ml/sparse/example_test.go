package sparse_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/sparse"
	"gonum.org/v1/gonum/mat"
)

func ExampleOMP() {
	// Two directions and one between them: four atoms in the plane, of which one does it.
	dictionary := mat.NewDense(4, 2, []float64{1, 0, 0, 1, 0.6, 0.8, -0.8, 0.6})
	y := mat.NewDense(1, 2, []float64{3, 4})
	c, err := sparse.OMP{Dictionary: dictionary, Nonzero: 1}.Fit(context.Background(), y)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.1f, residual %.1f\n", c.Dense().RawRowView(0), c.Residual[0])
	// Output: [0.0 0.0 5.0 0.0], residual 0.0
}

func ExampleBasisPursuit() {
	dictionary := mat.NewDense(3, 2, []float64{1, 0, 0, 1, 0.6, 0.8})
	y := mat.NewDense(1, 2, []float64{1.6, 0.8})
	c, err := sparse.BasisPursuit{Dictionary: dictionary}.Fit(context.Background(), y)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.1f of size %.1f\n", c.Dense().RawRowView(0), c.Objective)
	// Output: [1.0 0.0 1.0] of size 2.0
}

func ExampleKSVD() {
	m, err := sparse.KSVD{Atoms: 64, Nonzero: 6, MaxIter: 10}.Fit(context.Background(), datasets.Digits().X)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := m.Transform(context.Background(), datasets.Digits().X)
	if err != nil {
		fmt.Println(err)
		return
	}
	k, d := m.Atoms.Dims()
	fmt.Printf("%d atoms of %d pixels; the first digit takes %d\n", k, d, c.Nonzeros()[0])
	// Output: 64 atoms of 64 pixels; the first digit takes 6
}

func ExampleNNKMeans() {
	digits := datasets.Digits()
	for _, neighbors := range []int{1, 8} { // one is spherical k-means
		m, err := sparse.NNKMeans{Atoms: 32, Neighbors: neighbors}.Fit(context.Background(), digits.X)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("of 32 atoms %d a digit: %.1f %% of its square is lost\n", neighbors, 100*2*m.Objective/1797)
	}
	// Output:
	// of 32 atoms 1 a digit: 12.0 % of its square is lost
	// of 32 atoms 8 a digit: 5.2 % of its square is lost
}
