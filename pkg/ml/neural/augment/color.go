package augment

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// Centered takes u, uniform on [0, 1), to the line from −most to most.
func Centered(u *graph.Node, most float64) *graph.Node {
	return graph.MulScalar(graph.AddScalar(graph.MulScalar(u, 2), -1), most)
}

// Sometimes is changed for a share of the pictures, those with u ≥ 1 − share, and x for the others.
// u is uniform on [0, 1).
func Sometimes(x, changed, u *graph.Node, share float64) *graph.Node { // [b, ...] twice, [b] to [b, ...]
	chosen := graph.GreaterOrEqual(u, graph.ConstAs(u, 1-share))
	return graph.Where(graph.BroadcastToShape(perPicture(chosen, x.Rank()), x.Shape()), changed, x)
}

// Brightness adds a number to every picture.
func Brightness(x, by *graph.Node) *graph.Node { // [b, h, w, c], [b] to [b, h, w, c]
	return graph.Add(x, perPicture(by, 4))
}

// Contrast multiplies a picture's differences from its mean, over pixels and channels, by e^log.
func Contrast(x, log *graph.Node) *graph.Node { // [b, h, w, c], [b] to [b, h, w, c]
	return apart(x, graph.ReduceAndKeep(x, graph.ReduceMean, 1, 2, 3), log)
}

// Saturation multiplies every pixel's differences from grey, the mean of its channels, by e^log.
func Saturation(x, log *graph.Node) *graph.Node { // [b, h, w, c], [b] to [b, h, w, c]
	return apart(x, graph.ReduceAndKeep(x, graph.ReduceMean, 3), log)
}

// apart is middle + e^log (x − middle), written so that log 0 is x itself.
func apart(x, middle, log *graph.Node) *graph.Node {
	more := graph.MinusOne(graph.Exp(perPicture(log, 4)))
	return graph.Add(x, graph.Mul(graph.Sub(x, middle), more))
}

// Grey gives all channels of a pixel their mean.
func Grey(x *graph.Node) *graph.Node { // [b, h, w, c] to the same
	return graph.BroadcastToShape(graph.ReduceAndKeep(x, graph.ReduceMean, 3), x.Shape())
}

// Hue turns colours of three channels about the axis of greys by an angle in radians: a third of a
// circle makes red green, green blue and blue red.
func Hue(x, angle *graph.Node) *graph.Node { // [b, h, w, 3], [b] to [b, h, w, 3]
	if x.Shape().Dim(3) != 3 {
		panic(fmt.Errorf("augment.Hue: %d channels, want 3", x.Shape().Dim(3)))
	}
	angle = perPicture(angle, 4)
	cos, sin := graph.Cos(angle), graph.Sin(angle)
	// A rotation about k = (1, 1, 1)/√3: x cos + (k × x) sin + k (k·x)(1 − cos).
	channel := func(k int) *graph.Node { return graph.SliceAxis(x, 3, graph.AxisElem(k%3)) }
	across := make([]*graph.Node, 3)
	for k := range across {
		across[k] = graph.Sub(channel(k+2), channel(k+1))
	}
	turned := graph.MulScalar(graph.Mul(graph.Concatenate(across, 3), sin), 1/math.Sqrt(3))
	grey := graph.ReduceAndKeep(x, graph.ReduceMean, 3)
	return graph.Add(graph.Add(graph.Mul(x, cos), turned), graph.Mul(grey, graph.OneMinus(cos)))
}
