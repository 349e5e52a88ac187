// Package fft transforms eight sequences at a time, and convolves grids of real numbers in the
// plane. Sequences that lie side by side make every inner loop run over neighboring numbers with
// one factor, which a processor does several at a time.
package fft

import "math"

// Batch is how many sequences a Plan transforms at once.
const Batch = 8

// Plan is the discrete Fourier transform of a length that has no prime factor above 5, by the
// autosorting algorithm of Stockham (Cochran et al., 1967). It is safe for concurrent use.
type Plan struct {
	n      int
	stages []stage
}

type stage struct {
	radix int
	// w holds for each p the factors exp(−2πi·p·k/n) of the outputs k = 1 … radix−1, real and
	// imaginary part in turn.
	w []float64
}

// Size is the smallest length of at least n that a Plan takes and that is even.
func Size(n int) int {
	for n = max(n, 2); ; n++ {
		m := n
		for _, r := range []int{2, 3, 5} {
			for m%r == 0 {
				m /= r
			}
		}
		if m == 1 && n%2 == 0 {
			return n
		}
	}
}

// New plans transforms of length n, which Size gave. It panics for a length with other factors.
func New(n int) *Plan {
	p := &Plan{n: n}
	for m := n; m > 1; {
		r := 0
		for _, c := range []int{4, 2, 3, 5} {
			if m%c == 0 {
				r = c
				break
			}
		}
		if r == 0 {
			panic("fft: the length has a prime factor above 5")
		}
		s := stage{radix: r}
		for at := range m / r {
			for k := 1; k < r; k++ {
				sin, cos := math.Sincos(-2 * math.Pi * float64(at*k%m) / float64(m))
				s.w = append(s.w, cos, sin)
			}
		}
		p.stages = append(p.stages, s)
		m /= r
	}
	return p
}

// Len is the length of the transform.
func (p *Plan) Len() int { return p.n }

// Transform replaces Batch sequences by Σⱼ xⱼ exp(−2πi·jk/n). Number j of sequence b has its real
// part at re[j·Batch+b] and its imaginary part at the same place of im; roomRe and roomIm are room
// to work in. All have n·Batch numbers. With re and im exchanged it is the inverse, times n.
func (p *Plan) Transform(re, im, roomRe, roomIm []float64) {
	size := p.n * Batch
	re, im, roomRe, roomIm = re[:size], im[:size], roomRe[:size], roomIm[:size]
	fromRe, fromIm, toRe, toIm := re, im, roomRe, roomIm
	width, m := Batch, p.n // numbers that share a factor, what is left of the length
	for _, s := range p.stages {
		m /= s.radix
		switch s.radix {
		case 4:
			radix4(fromRe, fromIm, toRe, toIm, s.w, m, width)
		case 2:
			radix2(fromRe, fromIm, toRe, toIm, s.w, m, width)
		case 3:
			radix3(fromRe, fromIm, toRe, toIm, s.w, m, width)
		case 5:
			radix5(fromRe, fromIm, toRe, toIm, s.w, m, width)
		}
		fromRe, fromIm, toRe, toIm = toRe, toIm, fromRe, fromIm
		width *= s.radix
	}
	if len(p.stages)%2 == 1 {
		copy(re, roomRe)
		copy(im, roomIm)
	}
}

// part returns the piece of x of width numbers that begins at at·width.
func part(x []float64, at, width int) []float64 { return x[at*width : (at+1)*width : (at+1)*width] }

func radix2(xr, xi, yr, yi, w []float64, m, width int) {
	for p := range m {
		ar, ai, br, bi := part(xr, p, width), part(xi, p, width), part(xr, p+m, width), part(xi, p+m, width)
		cr, ci, dr, di := part(yr, 2*p, width), part(yi, 2*p, width), part(yr, 2*p+1, width), part(yi, 2*p+1, width)
		wr, wi := w[2*p], w[2*p+1]
		for q, r0 := range ar {
			i0, r1, i1 := ai[q], br[q], bi[q]
			cr[q], ci[q] = r0+r1, i0+i1
			r, i := r0-r1, i0-i1
			dr[q], di[q] = r*wr-i*wi, r*wi+i*wr
		}
	}
}

func plainRadix4(xr, xi, yr, yi, w []float64, m, width int) {
	for p := range m {
		ar, ai, br, bi := part(xr, p, width), part(xi, p, width), part(xr, p+m, width), part(xi, p+m, width)
		cr, ci, dr, di := part(xr, p+2*m, width), part(xi, p+2*m, width), part(xr, p+3*m, width), part(xi, p+3*m, width)
		er, ei, fr, fi := part(yr, 4*p, width), part(yi, 4*p, width), part(yr, 4*p+1, width), part(yi, 4*p+1, width)
		gr, gi, hr, hi := part(yr, 4*p+2, width), part(yi, 4*p+2, width), part(yr, 4*p+3, width), part(yi, 4*p+3, width)
		f := (*[6]float64)(w[6*p:])
		for q, a := range ar {
			b, c, d := br[q], cr[q], dr[q]
			s0, s1, t0, t1 := a+c, b+d, a-c, b-d
			a, b, c, d = ai[q], bi[q], ci[q], di[q]
			u0, u1, v0, v1 := a+c, b+d, a-c, b-d
			er[q], ei[q] = s0+s1, u0+u1
			r, i := t0+v1, v0-t1
			fr[q], fi[q] = r*f[0]-i*f[1], r*f[1]+i*f[0]
			r, i = s0-s1, u0-u1
			gr[q], gi[q] = r*f[2]-i*f[3], r*f[3]+i*f[2]
			r, i = t0-v1, v0+t1
			hr[q], hi[q] = r*f[4]-i*f[5], r*f[5]+i*f[4]
		}
	}
}

func radix3(xr, xi, yr, yi, w []float64, m, width int) {
	half := math.Sqrt(3) / 2
	for p := range m {
		ar, ai, br, bi, cr, ci := part(xr, p, width), part(xi, p, width), part(xr, p+m, width), part(xi, p+m, width), part(xr, p+2*m, width), part(xi, p+2*m, width)
		dr, di, er, ei, fr, fi := part(yr, 3*p, width), part(yi, 3*p, width), part(yr, 3*p+1, width), part(yi, 3*p+1, width), part(yr, 3*p+2, width), part(yi, 3*p+2, width)
		f := (*[4]float64)(w[4*p:])
		for q, a := range ar {
			sr, tr := br[q]+cr[q], half*(br[q]-cr[q])
			si, ti := bi[q]+ci[q], half*(bi[q]-ci[q])
			b := ai[q]
			dr[q], di[q] = a+sr, b+si
			a, b = a-sr/2, b-si/2
			r, i := a+ti, b-tr
			er[q], ei[q] = r*f[0]-i*f[1], r*f[1]+i*f[0]
			r, i = a-ti, b+tr
			fr[q], fi[q] = r*f[2]-i*f[3], r*f[3]+i*f[2]
		}
	}
}

func radix5(xr, xi, yr, yi, w []float64, m, width int) {
	s1, c1 := math.Sincos(2 * math.Pi / 5)
	s2, c2 := math.Sincos(4 * math.Pi / 5)
	for p := range m {
		var in, out [5][2][]float64
		for k := range 5 {
			in[k] = [2][]float64{part(xr, p+k*m, width), part(xi, p+k*m, width)}
			out[k] = [2][]float64{part(yr, 5*p+k, width), part(yi, 5*p+k, width)}
		}
		f := (*[8]float64)(w[8*p:])
		for q := range width {
			r0, i0 := in[0][0][q], in[0][1][q]
			r1, i1, r4, i4 := in[1][0][q], in[1][1][q], in[4][0][q], in[4][1][q]
			r2, i2, r3, i3 := in[2][0][q], in[2][1][q], in[3][0][q], in[3][1][q]
			ar, ai, br, bi := r1+r4, i1+i4, r2+r3, i2+i3
			dr, di, er, ei := r1-r4, i1-i4, r2-r3, i2-i3
			out[0][0][q], out[0][1][q] = r0+ar+br, i0+ai+bi
			ur, ui := r0+c1*ar+c2*br, i0+c1*ai+c2*bi
			vr, vi := s1*dr+s2*er, s1*di+s2*ei
			r, i := ur+vi, ui-vr
			out[1][0][q], out[1][1][q] = r*f[0]-i*f[1], r*f[1]+i*f[0]
			r, i = ur-vi, ui+vr
			out[4][0][q], out[4][1][q] = r*f[6]-i*f[7], r*f[7]+i*f[6]
			ur, ui = r0+c2*ar+c1*br, i0+c2*ai+c1*bi
			vr, vi = s2*dr-s1*er, s2*di-s1*ei
			r, i = ur+vi, ui-vr
			out[2][0][q], out[2][1][q] = r*f[2]-i*f[3], r*f[3]+i*f[2]
			r, i = ur-vi, ui+vr
			out[3][0][q], out[3][1][q] = r*f[4]-i*f[5], r*f[5]+i*f[4]
		}
	}
}
