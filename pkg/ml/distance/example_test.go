package distance_test

import (
	"context"
	"fmt"
	"log"

	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

func ExampleMinkowski() {
	a, b := []float64{0, 0}, []float64{3, 4}
	fmt.Println(distance.Minkowski{R: 1}.Distance(a, b), distance.Minkowski{R: 2}.Distance(a, b), distance.Chebyshev{}.Distance(a, b))
	// Output: 7 5 4
}

func ExamplePairwise() {
	x := mat.NewDense(3, 2, []float64{0, 0, 3, 4, 6, 8})
	d, err := distance.Pairwise(context.Background(), x, distance.Euclidean{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mat.Formatted(d))
	// Output:
	// ⎡ 0   5  10⎤
	// ⎢ 5   0   5⎥
	// ⎣10   5   0⎦
}

func ExampleAxioms() {
	x := mat.NewDense(3, 1, []float64{0, 1, 2})
	d, err := distance.Pairwise(context.Background(), x, distance.SqEuclidean{})
	if err != nil {
		log.Fatal(err)
	}
	report, err := distance.Axioms(context.Background(), d, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(report)
	// Output:
	// self-similarity  holds
	// symmetry         holds
	// separation       holds
	// triangle         fails at (0, 2) by way of 1 by 2
	// ultrametric      fails at (0, 2) by way of 1 by 3
}

func ExampleEdit() {
	fmt.Println(distance.Edit("kitten", "sitting"))
	// Output: 3
}

func ExampleAlign() {
	a, b := []string{"the", "cat", "sat"}, []string{"the", "dog", "sat", "down"}
	for _, s := range distance.Align(a, b) {
		switch s.Op {
		case distance.Match:
			fmt.Println("keep   ", a[s.I])
		case distance.Replace:
			fmt.Println("replace", a[s.I], "by", b[s.J])
		case distance.Delete:
			fmt.Println("delete ", a[s.I])
		case distance.Insert:
			fmt.Println("insert ", b[s.J])
		}
	}
	// Output:
	// keep    the
	// replace cat by dog
	// keep    sat
	// insert  down
}
