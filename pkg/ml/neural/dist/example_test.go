package dist_test

import (
	"fmt"

	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// The divergence of a posterior from its prior, and a sample of it with given noise.
func ExampleGaussian() {
	f, err := neural.NewFunc("go", neural.Weights{}, func(_ *model.Scope, in []*graph.Node) []*graph.Node {
		q := dist.Gaussian{Mean: in[0], LogVar: in[1]}
		return []*graph.Node{graph.ReduceSum(q.KLStandard(), -1), q.Sample(in[2])}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	row := func(x ...float32) *tensors.Tensor { return tensors.FromValue([][]float32{x}) }
	out, err := f.Call(row(1, 0), row(0, 0), row(0.5, -2)) // mean, log-variance, noise
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("KL", out[0].Value(), "sample", out[1].Value())
	// Output: KL [0.5] sample [[1.5 -2]]
}
