package datasets

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

// The generators panic on a number of points below 1 and on a negative or non-finite noise: both
// are slips of the program that calls, and their results need no error to be handled in every cell.

func need(ok bool, format string, args ...any) {
	if !ok {
		panic("datasets: " + fmt.Sprintf(format, args...))
	}
}

func needPoints(name string, n int, noise float64) {
	need(n >= 1, "%s: n = %d, want at least 1", name, n)
	need(noise >= 0 && !math.IsInf(noise, 1), "%s: the noise is %v, want a finite number, 0 or more", name, noise)
}

// Blobs draws n points around k centers in d dimensions: centers from N(0, spread²·I), points from
// N(center, I), the center of each point chosen at random. Y is the center.
func Blobs(n, d, k int, spread float64, seed uint64) Dataset {
	needPoints("Blobs", n, spread)
	need(d >= 1 && k >= 1, "Blobs: d = %d, k = %d, want at least 1 each", d, k)
	r := rng.New(seed)
	c := mat.NewDense(k, d, nil)
	for i := range k {
		for j := range d {
			c.Set(i, j, spread*r.NormFloat64())
		}
	}
	return Gaussians(n, c, 1, seed+1)
}

// Gaussians draws n points around the given centers, one a row, with standard deviation sigma in
// every direction. Y is the center, chosen at random.
func Gaussians(n int, centers *mat.Dense, sigma float64, seed uint64) Dataset {
	needPoints("Gaussians", n, sigma)
	k, d := centers.Dims()
	r := rng.New(seed)
	out := Dataset{Name: "Gaussians", X: mat.NewDense(n, d, nil), Y: make([]int, n), Classes: numbered(k)}
	for i := range n {
		out.Y[i] = r.IntN(k)
		row := out.X.RawRowView(i)
		for j := range row {
			row[j] = centers.At(out.Y[i], j) + sigma*r.NormFloat64()
		}
	}
	return out
}

func numbered(k int) []string {
	names := make([]string, k)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	return names
}

// TwentyFiveGaussians draws n points around the 25 nodes of the grid {-4, -2, 0, 2, 4}², σ = 0.05:
// the test of whether a generator finds every mode.
func TwentyFiveGaussians(n int, seed uint64) Dataset {
	c := mat.NewDense(25, 2, nil)
	for i := range 25 {
		c.SetRow(i, []float64{float64(2*(i%5) - 4), float64(2*(i/5) - 4)})
	}
	d := Gaussians(n, c, 0.05, seed)
	d.Name = "25 Gaussians"
	return d
}

// EightGaussians draws n points around eight nodes of the circle of radius 2, σ = 0.1.
func EightGaussians(n int, seed uint64) Dataset {
	c := mat.NewDense(8, 2, nil)
	for i := range 8 {
		s, co := math.Sincos(2 * math.Pi * float64(i) / 8)
		c.SetRow(i, []float64{2 * co, 2 * s})
	}
	d := Gaussians(n, c, 0.1, seed)
	d.Name = "8 Gaussians"
	return d
}

// planar fills n rows from point(i, r) and adds noise.
func planar(name string, n, dims int, noise float64, seed uint64, point func(i int, r *rand.Rand) (x []float64, y int, t float64)) Dataset {
	needPoints(name, n, noise)
	r := rng.New(seed)
	d := Dataset{Name: name, X: mat.NewDense(n, dims, nil), Y: make([]int, n), T: make([]float64, n)}
	most := 0
	for i := range n {
		x, y, t := point(i, r)
		d.Y[i], d.T[i], most = y, t, max(most, y)
		for j, v := range x {
			d.X.Set(i, j, v+noise*r.NormFloat64())
		}
	}
	d.Classes = numbered(most + 1)
	return d
}

// Moons draws n points on two half circles of radius 1 that reach into each other, with Gaussian
// noise. T is the angle.
func Moons(n int, noise float64, seed uint64) Dataset {
	return planar("moons", n, 2, noise, seed, func(i int, r *rand.Rand) ([]float64, int, float64) {
		t := math.Pi * r.Float64()
		if i%2 == 0 {
			return []float64{math.Cos(t), math.Sin(t)}, 0, t
		}
		return []float64{1 - math.Cos(t), 0.5 - math.Sin(t)}, 1, t
	})
}

// Circles draws n points on two circles around the origin, of radius 1 and inner, with Gaussian
// noise. T is the angle.
func Circles(n int, inner, noise float64, seed uint64) Dataset {
	return planar("circles", n, 2, noise, seed, func(i int, r *rand.Rand) ([]float64, int, float64) {
		t, radius := 2*math.Pi*r.Float64(), 1.0
		if i%2 == 1 {
			radius = inner
		}
		return []float64{radius * math.Cos(t), radius * math.Sin(t)}, i % 2, t
	})
}

// SwissRoll draws n points on a rolled-up sheet in three dimensions: (t cos t, h, t sin t) with t
// from 1.5π to 4.5π and h from 0 to 21. T is t, which a method that unrolls the sheet recovers.
func SwissRoll(n int, noise float64, seed uint64) Dataset {
	return planar("Swiss roll", n, 3, noise, seed, func(_ int, r *rand.Rand) ([]float64, int, float64) {
		t := 1.5 * math.Pi * (1 + 2*r.Float64())
		return []float64{t * math.Cos(t), 21 * r.Float64(), t * math.Sin(t)}, 0, t
	})
}

// SCurve draws n points on a sheet bent into an S: (sin t, h, sign(t)(cos t − 1)) with t from −1.5π
// to 1.5π and h from 0 to 2. T is t.
func SCurve(n int, noise float64, seed uint64) Dataset {
	return planar("S-curve", n, 3, noise, seed, func(_ int, r *rand.Rand) ([]float64, int, float64) {
		t := 3 * math.Pi * (r.Float64() - 0.5)
		return []float64{math.Sin(t), 2 * r.Float64(), math.Copysign(1, t) * (math.Cos(t) - 1)}, 0, t
	})
}

// Spiral draws n points on arms of a spiral around the origin, arms turned against each other. T is
// the distance along the arm, 0 to 1.
func Spiral(n, arms int, noise float64, seed uint64) Dataset {
	need(arms >= 1, "Spiral: arms = %d, want at least 1", arms)
	return planar("spiral", n, 2, noise, seed, func(i int, r *rand.Rand) ([]float64, int, float64) {
		t := r.Float64()
		s, c := math.Sincos(3*math.Pi*t + 2*math.Pi*float64(i%arms)/float64(arms))
		return []float64{(0.2 + t) * c, (0.2 + t) * s}, i % arms, t
	})
}

// Bars draws n binary pictures of side×side pixels in which each row and each column is inked with
// probability p, independently: Földiák's problem (1990), whose parts are the bars. Parts holds
// which bars each picture has: rows first, then columns.
func Bars(n, side int, p float64, seed uint64) (d Dataset, parts [][]bool) {
	needPoints("Bars", n, 0)
	need(side >= 1 && p >= 0 && p <= 1, "Bars: side = %d, p = %v, want side ≥ 1 and 0 ≤ p ≤ 1", side, p)
	r := rng.New(seed)
	d = Dataset{Name: "bars", X: mat.NewDense(n, side*side, nil), Height: side, Width: side}
	for i := range n {
		on := make([]bool, 2*side)
		for b := range on {
			on[b] = r.Float64() < p
		}
		for j := range side * side {
			if on[j/side] || on[side+j%side] {
				d.X.Set(i, j, 1)
			}
		}
		parts = append(parts, on)
	}
	return d, parts
}

// Sources draws n samples of d independent signals of unit variance, sines, square waves and
// Laplacian noise by turns, and mixes them by a random matrix: X = S·Mixing.
func Sources(n, d int, seed uint64) (x, sources, mixing *mat.Dense) {
	needPoints("Sources", n, 0)
	need(d >= 1, "Sources: d = %d, want at least 1", d)
	r := rng.New(seed)
	sources, mixing = mat.NewDense(n, d, nil), mat.NewDense(d, d, nil)
	for j := range d {
		for i := range n {
			t := 8 * float64(d) * float64(i) / math.Max(float64(n-1), 1)
			var v float64
			switch j % 3 {
			case 0:
				v = math.Sin(float64(j+1) * t)
			case 1:
				v = math.Copysign(1, math.Sin((float64(j)+1.5)*t))
			case 2:
				v = r.ExpFloat64() * float64(2*r.IntN(2)-1)
			}
			sources.Set(i, j, v)
		}
		standardize(sources, j)
		for i := range d {
			mixing.Set(i, j, r.NormFloat64())
		}
	}
	x = &mat.Dense{}
	x.Mul(sources, mixing)
	return x, sources, mixing
}

func standardize(m *mat.Dense, j int) {
	n, _ := m.Dims()
	mean, sq := 0.0, 0.0
	for i := range n {
		mean += m.At(i, j) / float64(n)
	}
	for i := range n {
		sq += (m.At(i, j) - mean) * (m.At(i, j) - mean) / float64(n)
	}
	for i := range n {
		if sq > 0 {
			m.Set(i, j, (m.At(i, j)-mean)/math.Sqrt(sq))
		}
	}
}

// BlockModel draws a graph from the stochastic block model (Holland, Laskey & Leinhardt, 1983): n
// nodes in k blocks of equal size, an edge with probability within inside a block and between
// across. Edges are listed once, smaller node first; blocks[i] is the block of node i.
func BlockModel(n, k int, within, between float64, seed uint64) (edges [][2]int, blocks []int) {
	needPoints("BlockModel", n, 0)
	need(k >= 1 && within >= 0 && within <= 1 && between >= 0 && between <= 1,
		"BlockModel: k = %d, within = %v, between = %v, want k ≥ 1 and probabilities", k, within, between)
	r := rng.New(seed)
	blocks = make([]int, n)
	for i := range blocks {
		blocks[i] = i * k / n
	}
	for i := range n {
		for j := i + 1; j < n; j++ {
			p := between
			if blocks[i] == blocks[j] {
				p = within
			}
			if r.Float64() < p {
				edges = append(edges, [2]int{i, j})
			}
		}
	}
	return edges, blocks
}

// Arc puts n points on an arc of a circle of radius 1, 3 radians long, with Gaussian noise of a
// standard deviation in both directions. T is the angle, from −1.5 to 1.5, at which a point was
// put.
func Arc(n int, noise float64, seed uint64) Dataset {
	return planar("arc", n, 2, noise, seed, func(_ int, r *rand.Rand) ([]float64, int, float64) {
		t := 3*r.Float64() - 1.5
		return []float64{math.Sin(t), math.Cos(t)}, 0, t
	})
}

// Helix puts n points on a turn of a helix of radius 1 in three dimensions, with Gaussian noise of
// a standard deviation in all directions. T is the angle, from −2.75 to 2.75; the helix climbs half
// as much as that.
func Helix(n int, noise float64, seed uint64) Dataset {
	return planar("helix", n, 3, noise, seed, func(_ int, r *rand.Rand) ([]float64, int, float64) {
		t := 5.5*r.Float64() - 2.75
		return []float64{math.Cos(t), math.Sin(t), t / 2}, 0, t
	})
}
