package manifold_test

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml/manifold"
	"gonum.org/v1/gonum/mat"
)

// spiral is a line of 60 points, rolled up in the plane.
func spiral() *mat.Dense {
	x := mat.NewDense(60, 2, nil)
	for i := range 60 {
		t := 2 + float64(i)/5
		x.SetRow(i, []float64{t * math.Cos(t), t * math.Sin(t)})
	}
	return x
}

// Along the line the first point is the farthest from the last, and the map in one dimension shows
// them so.
func ExampleIsomap() {
	m, err := manifold.Isomap{Components: 1, Neighbors: 2}.Fit(context.Background(), spiral())
	if err != nil {
		fmt.Println(err)
		return
	}
	straight := math.Hypot(spiral().At(0, 0)-spiral().At(59, 0), spiral().At(0, 1)-spiral().At(59, 1))
	fmt.Printf("from end to end: %.0f straight, %.0f on the map\n", straight, math.Abs(m.Embedding.At(0, 0)-m.Embedding.At(59, 0)))
	// Output: from end to end: 12 straight, 94 on the map
}
