// Package layers has the pieces that networks are made of, as functions over graph nodes: affine
// maps, convolutions, changes of size, normalisation, attention, the residual block and the U-Net.
//
// A network is a Go function that reads from top to bottom, its layers named as in the paper:
//
//	func classifier(s *model.Scope, x *graph.Node) *graph.Node { // [b, 28, 28, 1] to [b, 10]
//		halve := layers.Kernel{Stride: 2}
//		h := layers.Relu.Apply(layers.Conv2D(s.At("conv1"), x, 32, halve)) // [b, 14, 14, 32]
//		h = layers.Relu.Apply(layers.Conv2D(s.At("conv2"), h, 64, halve))  // [b, 7, 7, 64]
//		return layers.Affine(s.At("logits"), graph.ReduceMean(h, 1, 2), 10)
//	}
//
// A layer keeps its weights under the scope that it is given, which no other layer may have.
// Pictures are [batch, height, width, channels], sequences [batch, length, channels]. What is
// random comes in as a node. Functions without a scope have no weights, and keep no state: running
// means and the vectors of power iteration are handed in and given back.
//
// Weights start as the scope says: where nothing else was said, normally with variance 2/inputs
// (He, Zhang, Ren & Sun, 2015); under Glorot(s) and Zero(s) otherwise. Biases and offsets start at
// 0, scales at 1.
//
// The functions run on every backend and have first and second derivatives there, but for the
// second ones through the gradient with respect to the weights of a convolution. As GoMLX's graph
// functions do, they panic where shapes do not fit; neural.Train and neural.Func make errors of
// that.
package layers
