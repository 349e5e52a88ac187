// Package dist has probability distributions as graph functions: log-probabilities in nats,
// entropies, divergences, and samples made of given noise.
//
// A distribution is a struct of the nodes that a network computes as its parameters. Its functions
// work number by number; the density of a vector with independent entries is a sum:
//
//	mean := layers.Affine(s.At("mean"), h, d)     // [b, d]
//	logVar := layers.Affine(s.At("logvar"), h, d) // [b, d]
//	q := dist.Gaussian{Mean: mean, LogVar: logVar}
//	z := q.Sample(noise)                      // [b, d], noise from N(0, 1)
//	logq := graph.ReduceSum(q.LogProb(z), -1) // [b]
//
// All is exact in float32 as far as float32 can be, also far out, where a probability itself would
// be 0 or 1.
package dist
