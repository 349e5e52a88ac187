// Package neural is what every neural family stands on: the choice of a backend, minibatches, the
// loop that trains, checkpoints, and the weights that come out of it. It stands on GoMLX, whose
// panics and backends do not show through.
//
// A family writes the graph of its loss as a function and hands it to Train with the data:
//
//	result, err := neural.Train{Steps: 2000, LearningRate: 1e-3}.Run(ctx, neural.Problem{
//		Method: "vae.VAE", Data: []*neural.Array{x}, Noise: []neural.Noise{{Shape: []int{8}}},
//		Loss: func(s *model.Scope, b neural.Batch) neural.Loss { … },
//	})
//
// Several networks with a loss each are Players, data sets of different lengths are Streams, and
// what a step writes and no gradient trains is State, Memory or an Average.
//
// Everything is decided by the seed: starting weights, the order of the minibatches, and all noise
// are drawn in Go, so that two runs on one backend give equal losses to the last bit, and a run
// that was killed goes on from its checkpoint as if nothing had happened.
package neural
