package manifold

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/fft"
	"github.com/golatent/latent/internal/parallel"
)

// interpolation takes the repulsion from a potential on a grid. With φ(y) = Σⱼ (1 + ‖y − yⱼ‖²)⁻¹ it
// is −½∇φ(yᵢ), and Z is Σᵢ φ(yᵢ) − n. Each point is spread over the nodes around it with the
// weights of B-splines, the nodes are convolved with the kernel by fast Fourier transform, and φ
// and its gradient are read off at each point with the same weights and their derivatives. The
// kernel's transform is divided by that of the splines, once for spreading and once for reading, so
// that between nodes the kernel is interpolated by splines. Interpolating on a grid is Linderman et
// al.'s (2019), who take Lagrange polynomials and convolve four charges; one potential,
// differentiated, and splines are those of smooth particle-mesh Ewald summation (Essmann et al.,
// 1995).
type interpolation struct {
	n          int
	plane      *fft.Plane
	rows, cols int     // of the grid
	spacing    float64 // of the plane's kernel
	left, low  float64 // the map's corner
	grid       []float64
	row        []int32 // the grid's row at which each point's weights begin
	begin      []int   // points by row: order[begin[r]:begin[r+1]]
	order      []int32
	z          []float64
}

const (
	// splineOrder is how many nodes a point touches in each direction: B-splines of degree 5.
	splineOrder = 6
	// spacingMost is the distance of nodes in most maps: the kernel is 1 wide.
	spacingMost = 1. / 3
	// nodesLeast nodes span the map, however small it is: tight clusters of thousands of points, as
	// exaggeration makes them, magnify an error of the kernel.
	nodesLeast = 64
	// nodesMost nodes span it, however far a point has gone.
	nodesMost = 3000
	// margin keeps the map's nodes from where the padded kernel wraps around, which splines would
	// round off.
	margin = 8
)

func newInterpolation(n int) *interpolation {
	return &interpolation{n: n, row: make([]int32, n), order: make([]int32, n), z: make([]float64, parallel.Chunks(n, mapRows))}
}

func (g *interpolation) exact() bool { return false }

func (g *interpolation) sum(ctx context.Context, push, y []float64) (float64, error) {
	if err := g.lay(ctx, y); err != nil {
		return 0, err
	}
	if err := g.spread(ctx, y); err != nil {
		return 0, err
	}
	if err := g.plane.Convolve(ctx, g.grid); err != nil {
		return 0, err
	}
	if err := parallel.For(ctx, g.n, mapRows, func(chunk, lo, hi int) {
		g.z[chunk] = 0
		for i := lo; i < hi; i++ {
			phi, dx, dy := g.at(y[2*i], y[2*i+1])
			g.z[chunk] += phi
			push[2*i], push[2*i+1] = -dx/2, -dy/2
		}
	}); err != nil {
		return 0, err
	}
	z := -float64(g.n)
	for _, v := range g.z {
		z += v
	}
	// Of a map whose points are all far from each other rounding may leave nothing.
	return max(z, 1e-300), nil
}

// lay puts the grid under the map, and plans it anew where it has another size.
func (g *interpolation) lay(ctx context.Context, y []float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	left, right, low, high := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for i := range g.n {
		left, right = min(left, y[2*i]), max(right, y[2*i])
		low, high = min(low, y[2*i+1]), max(high, y[2*i+1])
	}
	span := max(right-left, high-low, 1e-100)
	spacing := spacingMost
	if span < spacingMost*nodesLeast {
		// In steps, so that a map that grows keeps its plan for a while.
		spacing *= math.Exp2(math.Floor(2*math.Log2(span/(spacingMost*nodesLeast))) / 2)
	}
	spacing = max(spacing, span/nodesMost)
	cols := int((right-left)/spacing) + splineOrder + 1
	rows := int((high-low)/spacing) + splineOrder + 1
	// Sizes in steps, so that a map that grows a little keeps its plan.
	cols, rows = fft.Size(2*(cols+margin))/2-margin, fft.Size(2*(rows+margin))/2-margin
	g.left, g.low = left-spacing*(splineOrder/2-1), low-spacing*(splineOrder/2-1)
	if spacing == g.spacing && cols == g.cols && rows == g.rows {
		return nil
	}
	plane, err := fft.NewPlane(ctx, rows+margin, cols+margin, func(i, j int) float64 {
		return 1 / (1 + spacing*spacing*float64(i*i+j*j))
	}, func(k, n int) float64 {
		b := splineTransform(k, n)
		return 1 / b / b
	})
	if err != nil {
		return err
	}
	if cols != g.cols || rows != g.rows {
		g.grid = make([]float64, (rows+margin)*(cols+margin))
		g.begin = make([]int, rows+2)
	}
	g.plane, g.spacing, g.cols, g.rows = plane, spacing, cols, rows
	return nil
}

// splineTransform is the discrete Fourier transform, at frequency k of n, of the values that a
// B-spline of degree 5 has at the nodes.
func splineTransform(k, n int) float64 {
	a := 2 * math.Pi * float64(k) / float64(n)
	return (66 + 52*math.Cos(a) + 2*math.Cos(2*a)) / 120
}

// splineWeights are the values of the six B-splines of degree 5 that are not zero in a cell, at t
// from its first node, 0 ≤ t ≤ 1, by the node at which they are centered: two before the cell, two
// of the cell, two after it.
func splineWeights(t float64) [splineOrder]float64 {
	u := 1 - t
	const f = 1. / 120
	t2, u2 := t*t, u*u
	return [splineOrder]float64{
		f * u2 * u2 * u,
		f * (26 + t*(-50+t*(20+t*(20+t*(-20+t*5))))),
		f * (66 + t2*(-60+t2*(30-10*t))),
		f * (66 + u2*(-60+u2*(30-10*u))),
		f * (26 + u*(-50+u*(20+u*(20+u*(-20+u*5))))),
		f * t2 * t2 * t,
	}
}

// splineSlopes are the derivatives of splineWeights.
func splineSlopes(t float64) [splineOrder]float64 {
	u := 1 - t
	const f = 1. / 24
	t2, u2 := t*t, u*u
	return [splineOrder]float64{
		-f * u2 * u2,
		f * (-10 + t*(8+t*(12+t*(-16+t*5)))),
		f * t * (-24 + t2*(24-10*t)),
		-f * u * (-24 + u2*(24-10*u)),
		-f * (-10 + u*(8+u*(12+u*(-16+u*5)))),
		f * t2 * t2,
	}
}

// splineNode is the first node whose spline reaches a place, and how far from the node before the
// middle the place is.
func splineNode(at, origin, spacing float64, count int) (first int, t float64) {
	u := (at-origin)/spacing - (splineOrder/2 - 1)
	first = min(max(int(u), 0), count-splineOrder)
	return first, u - float64(first)
}

// spread puts a charge of 1 for each point on the grid. Points are sorted by row, and a band of the
// grid takes those that reach into it in that order, so that every node adds up the same numbers in
// the same order for any number of processors.
func (g *interpolation) spread(ctx context.Context, y []float64) error {
	clear(g.begin)
	for i := range g.n {
		r, _ := splineNode(y[2*i+1], g.low, g.spacing, g.rows)
		g.row[i] = int32(r)
		g.begin[r+2]++
	}
	for r := 2; r < len(g.begin); r++ {
		g.begin[r] += g.begin[r-1]
	}
	for i, r := range g.row {
		g.order[g.begin[r+1]] = int32(i)
		g.begin[r+1]++
	}
	clear(g.grid)
	width := g.cols + margin
	const band = 16
	return parallel.For(ctx, g.rows, band, func(_, lo, hi int) {
		first := max(0, lo-splineOrder+1)
		for _, i := range g.order[g.begin[first]:g.begin[hi]] {
			c, tx := splineNode(y[2*i], g.left, g.spacing, g.cols)
			_, ty := splineNode(y[2*i+1], g.low, g.spacing, g.rows)
			wx, wy := splineWeights(tx), splineWeights(ty)
			for j, w := range wy {
				r := int(g.row[i]) + j
				if r < lo || r >= hi {
					continue
				}
				to := (*[splineOrder]float64)(g.grid[r*width+c:])
				for k, v := range wx {
					to[k] += w * v
				}
			}
		}
	})
}

// at reads the potential and its gradient.
func (g *interpolation) at(x, y float64) (phi, dx, dy float64) {
	c, tx := splineNode(x, g.left, g.spacing, g.cols)
	r, ty := splineNode(y, g.low, g.spacing, g.rows)
	wx, sx := splineWeights(tx), splineSlopes(tx)
	wy, sy := splineWeights(ty), splineSlopes(ty)
	width := g.cols + margin
	for j := range splineOrder {
		from := (*[splineOrder]float64)(g.grid[(r+j)*width+c:])
		var value, slope float64
		for k, v := range from {
			value += wx[k] * v
			slope += sx[k] * v
		}
		phi += wy[j] * value
		dx += wy[j] * slope
		dy += sy[j] * value
	}
	return phi, dx / g.spacing, dy / g.spacing
}
