package distance_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
)

// The cost grows as n²; the sizes are for seeing that.
func BenchmarkCross(b *testing.B) {
	for _, name := range []string{"euclidean", "cityblock", "cosine", "minkowski 1.5", "minkowski 3.0"} {
		for _, n := range []int{500, 1000, 2000} {
			x := mltest.Normal(1, n, 50)
			b.Run(fmt.Sprintf("%s/n=%d", name, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := distance.Cross(context.Background(), x, x, metrics[name]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkEditTable(b *testing.B) {
	r := rng.New(1)
	var list []string
	for range 1000 {
		list = append(list, letters(r, 40+r.IntN(41), 26))
	}
	for b.Loop() {
		if _, err := distance.EditTable(context.Background(), list, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAxioms(b *testing.B) {
	d := mltest.Normal(1, 400, 400)
	for b.Loop() {
		if _, err := distance.Axioms(context.Background(), d, 0); err != nil {
			b.Fatal(err)
		}
	}
}
