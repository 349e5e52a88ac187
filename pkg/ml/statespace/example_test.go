package statespace_test

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml/statespace"
	"gonum.org/v1/gonum/mat"
)

// A point moves at a constant speed, and its place is measured with an error: the state is place
// and speed.
func ExampleSystem_Smooth() {
	s := &statespace.System{
		Mean: []float64{0, 0}, Cov: mat.NewSymDense(2, []float64{100, 0, 0, 100}),
		Step: statespace.Step{
			A: mat.NewDense(2, 2, []float64{1, 1, 0, 1}), Q: mat.NewSymDense(2, []float64{1e-6, 0, 0, 1e-6}),
			C: mat.NewDense(1, 2, []float64{1, 0}), R: mat.NewSymDense(1, []float64{0.01}),
		},
	}
	x := mat.NewDense(6, 1, []float64{1.1, 2.9, 5.0, 7.1, 8.9, 11})
	path, err := s.Smooth(context.Background(), x)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("place %.1f, speed %.1f ± %.2f\n", path.Mean.At(5, 0), path.Mean.At(5, 1), math.Sqrt(path.Cov[5].At(1, 1)))
	next, err := s.Forecast(context.Background(), x, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("two steps on: %.1f\n", next.Mean.At(1, 0))
	// Output:
	// place 11.0, speed 2.0 ± 0.02
	// two steps on: 14.9
}

// A plane turns behind five variables, and EM finds by what angle.
func ExampleLDS() {
	sin, cos := math.Sincos(0.2)
	truth := &statespace.System{
		Cov: mat.NewSymDense(2, []float64{1, 0, 0, 1}),
		Step: statespace.Step{
			A: mat.NewDense(2, 2, []float64{0.98 * cos, -0.98 * sin, 0.98 * sin, 0.98 * cos}), Q: mat.NewSymDense(2, []float64{0.1, 0, 0, 0.1}),
			C: mat.NewDense(5, 2, []float64{1, 0, 0, 1, 1, 1, 1, -1, 0.5, 1}), R: mat.NewSymDense(5, []float64{
				0.5, 0, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0, 0.5}),
		},
	}
	ctx := context.Background()
	x, _, err := truth.Sample(ctx, 2000, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := statespace.LDS{States: 2}.Fit(ctx, x)
	if err != nil {
		fmt.Println(err)
		return
	}
	v := m.Eigenvalues()[0]
	fmt.Printf("an angle of %.1f a step\n", math.Atan2(imag(v), real(v)))
	// Output:
	// an angle of 0.2 a step
}
