package fft

import (
	"context"
	"sync"

	"github.com/golatent/latent/internal/parallel"
)

// Plane convolves grids of real numbers with an even kernel, by a transform of both directions on a
// grid large enough that nothing wraps around. A pair of rows is transformed as the real and the
// imaginary part of one; columns of the half of the spectrum that is not redundant follow.
type Plane struct {
	rows, cols int // of the grid
	x, y       *Plan
	half       int       // columns of the spectrum, rounded up to whole batches
	spectrum   []float64 // the kernel's, y.n × half, real since it is even, over the number of points
	re, im     []float64 // of the grid's, rows × half
}

// NewPlane plans the convolution of rows×cols grids with a kernel of which at(i, j) is the value i
// rows and j columns away. Its transform is multiplied by correct(k, n) of both directions, at
// frequency k of n. The error is ctx.Err().
func NewPlane(ctx context.Context, rows, cols int, at func(i, j int) float64, correct func(k, n int) float64) (*Plane, error) {
	p := &Plane{rows: rows, cols: cols, x: New(Size(2 * cols)), y: New(Size(2 * rows))}
	nx, ny := p.x.n, p.y.n
	p.half = (nx/2 + 1 + Batch - 1) / Batch * Batch
	// The kernel's transform, on the whole of the padded grid.
	kernel := &Plane{rows: ny, cols: nx, x: p.x, y: p.y, half: p.half, re: make([]float64, ny*p.half), im: make([]float64, ny*p.half)}
	grid := make([]float64, nx*ny)
	if err := parallel.For(ctx, ny, 2*Batch, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			for j := range nx {
				grid[i*nx+j] = at(min(i, ny-i), min(j, nx-j))
			}
		}
	}); err != nil {
		return nil, err
	}
	if err := kernel.acrossForward(ctx, grid); err != nil {
		return nil, err
	}
	p.spectrum = make([]float64, ny*p.half)
	if err := kernel.down(ctx, func(re, _ []float64, k, lane int) {
		p.spectrum[k*p.half+lane] = re[0]
	}); err != nil {
		return nil, err
	}
	cy, cx := make([]float64, ny), make([]float64, p.half)
	for k := range cy {
		cy[k] = correct(k, ny)
	}
	for k := range nx/2 + 1 {
		cx[k] = correct(k, nx)
	}
	for i := range ny {
		for j := range p.half {
			p.spectrum[i*p.half+j] *= cy[i] * cx[j] / float64(nx*ny)
		}
	}
	p.re, p.im = make([]float64, rows*p.half), make([]float64, rows*p.half)
	return p, nil
}

// work is the room of one goroutine.
type work struct{ re, im, roomRe, roomIm []float64 }

var pool = sync.Pool{New: func() any { return new(work) }}

func room(n int) *work {
	w := pool.Get().(*work)
	if len(w.re) < n*Batch {
		w.re, w.im, w.roomRe, w.roomIm = make([]float64, n*Batch), make([]float64, n*Batch), make([]float64, n*Batch), make([]float64, n*Batch)
	}
	return w
}

// Convolve replaces a grid, row by row, by its convolution with the kernel. One call at a time. The
// error is ctx.Err(); the grid is of no use then.
func (p *Plane) Convolve(ctx context.Context, grid []float64) error {
	if err := p.acrossForward(ctx, grid); err != nil {
		return err
	}
	if err := p.filter(ctx); err != nil {
		return err
	}
	return p.acrossBack(ctx, grid)
}

// acrossForward transforms the rows: sixteen of them are a batch of eight pairs.
func (p *Plane) acrossForward(ctx context.Context, grid []float64) error {
	nx := p.x.n
	return parallel.For(ctx, p.rows, 2*Batch, func(_, lo, hi int) {
		w := room(nx)
		defer pool.Put(w)
		clear(w.re[:nx*Batch])
		clear(w.im[:nx*Batch])
		for i := lo; i < hi; i++ {
			to := w.re
			if (i-lo)%2 == 1 {
				to = w.im
			}
			b := (i - lo) / 2
			for j, v := range grid[i*p.cols : (i+1)*p.cols] {
				to[j*Batch+b] = v
			}
		}
		p.x.Transform(w.re, w.im, w.roomRe, w.roomIm)
		for i := lo; i < hi; i++ {
			b := (i - lo) / 2
			re, im := p.re[i*p.half:(i+1)*p.half], p.im[i*p.half:(i+1)*p.half]
			odd := (i-lo)%2 == 1
			for k := range nx/2 + 1 {
				a, c := k*Batch+b, (nx-k)%nx*Batch+b
				if odd {
					re[k], im[k] = (w.im[a]+w.im[c])/2, (w.re[c]-w.re[a])/2
				} else {
					re[k], im[k] = (w.re[a]+w.re[c])/2, (w.im[a]-w.im[c])/2
				}
			}
		}
	})
}

// down transforms the columns and hands each number of the spectrum to see.
func (p *Plane) down(ctx context.Context, see func(re, im []float64, k, lane int)) error {
	ny := p.y.n
	return parallel.For(ctx, p.half, Batch, func(_, lo, _ int) {
		w := room(ny)
		defer pool.Put(w)
		p.load(w, lo)
		p.y.Transform(w.re, w.im, w.roomRe, w.roomIm)
		for k := range ny {
			for b := range Batch {
				see(w.re[k*Batch+b:], w.im[k*Batch+b:], k, lo+b)
			}
		}
	})
}

func (p *Plane) load(w *work, lo int) {
	for i := range p.rows {
		copy(w.re[i*Batch:(i+1)*Batch], p.re[i*p.half+lo:])
		copy(w.im[i*Batch:(i+1)*Batch], p.im[i*p.half+lo:])
	}
	clear(w.re[p.rows*Batch : p.y.n*Batch])
	clear(w.im[p.rows*Batch : p.y.n*Batch])
}

// filter transforms the columns, multiplies by the kernel, and transforms back.
func (p *Plane) filter(ctx context.Context) error {
	ny := p.y.n
	return parallel.For(ctx, p.half, Batch, func(_, lo, _ int) {
		w := room(ny)
		defer pool.Put(w)
		p.load(w, lo)
		p.y.Transform(w.re, w.im, w.roomRe, w.roomIm)
		for k := range ny {
			f := (*[Batch]float64)(p.spectrum[k*p.half+lo:])
			re, im := (*[Batch]float64)(w.re[k*Batch:]), (*[Batch]float64)(w.im[k*Batch:])
			for b, v := range f {
				re[b] *= v
				im[b] *= v
			}
		}
		p.y.Transform(w.im, w.re, w.roomRe, w.roomIm)
		for i := range p.rows {
			copy(p.re[i*p.half+lo:i*p.half+lo+Batch], w.re[i*Batch:])
			copy(p.im[i*p.half+lo:i*p.half+lo+Batch], w.im[i*Batch:])
		}
	})
}

// acrossBack transforms the rows back, in the pairs in which they came.
func (p *Plane) acrossBack(ctx context.Context, grid []float64) error {
	nx := p.x.n
	return parallel.For(ctx, p.rows, 2*Batch, func(_, lo, hi int) {
		w := room(nx)
		defer pool.Put(w)
		clear(w.re[:nx*Batch])
		clear(w.im[:nx*Batch])
		for i := lo; i < hi; i++ {
			b := (i - lo) / 2
			re, im := p.re[i*p.half:(i+1)*p.half], p.im[i*p.half:(i+1)*p.half]
			if (i-lo)%2 == 1 { // times i
				for k := range nx/2 + 1 {
					a, c := k*Batch+b, (nx-k)*Batch+b
					w.re[a] -= im[k]
					w.im[a] += re[k]
					if k > 0 && 2*k < nx {
						w.re[c] += im[k]
						w.im[c] += re[k]
					}
				}
				continue
			}
			for k := range nx/2 + 1 {
				a, c := k*Batch+b, (nx-k)*Batch+b
				w.re[a] += re[k]
				w.im[a] += im[k]
				if k > 0 && 2*k < nx {
					w.re[c] += re[k]
					w.im[c] -= im[k]
				}
			}
		}
		p.x.Transform(w.im, w.re, w.roomRe, w.roomIm)
		for i := lo; i < hi; i++ {
			from := w.re
			if (i-lo)%2 == 1 {
				from = w.im
			}
			b := (i - lo) / 2
			row := grid[i*p.cols : (i+1)*p.cols]
			for j := range row {
				row[j] = from[j*Batch+b]
			}
		}
	})
}
