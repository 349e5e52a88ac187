package manifold

import "math"

// fitCurve finds the a and b with which 1/(1 + a·x^(2b)) is nearest, in least squares at 300 places
// from 0 to 3·spread, to the curve that is 1 up to minDist and exp(−(x−minDist)/spread) from there
// on: the closeness in the map of two points at distance x. It starts where SciPy's curve_fit does,
// at a = b = 1, and is Levenberg's and Marquardt's method with exact derivatives.
func fitCurve(spread, minDist float64) (a, b float64) {
	const places = 300
	x, y := make([]float64, places), make([]float64, places)
	for i := range x {
		x[i] = 3 * float64(i) / (places - 1) // in units of spread, which a alone feels
		y[i] = min(1, math.Exp(minDist/spread-x[i]))
	}
	a, b = 1, 1
	loss := func(a, b float64) float64 {
		s := 0.0
		for i := range x {
			r := closeness(x[i]*x[i], a, b) - y[i]
			s += r * r
		}
		return s
	}
	// A curve that is nearly a step at its foot has its best a beyond all bounds; a stays in what
	// can be told from others.
	const most = 1e8
	best, damping := loss(a, b), 1e-3
	for range 500 {
		var haa, hab, hbb, ga, gb float64
		for i := range x {
			f := closeness(x[i]*x[i], a, b)
			if x[i] == 0 {
				continue // f is 1 there whatever a and b
			}
			da := -f * f * math.Pow(x[i], 2*b)
			db := da * a * 2 * math.Log(x[i])
			r := f - y[i]
			haa, hab, hbb = haa+da*da, hab+da*db, hbb+db*db
			ga, gb = ga+da*r, gb+db*r
		}
		p, q := haa*(1+damping), hbb*(1+damping)
		det := p*q - hab*hab
		if !(det > 0) {
			break
		}
		na, nb := a-(q*ga-hab*gb)/det, b-(p*gb-hab*ga)/det
		now := math.Inf(1)
		if na > 0 && nb > 0 && na < most {
			now = loss(na, nb)
		}
		if !(now < best) {
			if damping *= 10; damping > 1e12 {
				break
			}
			continue
		}
		done := math.Abs(na-a) <= 1e-13*a && math.Abs(nb-b) <= 1e-13*b
		a, b, best, damping = na, nb, now, max(damping/10, 1e-12)
		if done {
			break
		}
	}
	return a / math.Pow(spread, 2*b), b
}

// closeness is 1/(1 + a·d^(2b)) of a squared distance d².
func closeness(d2, a, b float64) float64 { return 1 / (1 + a*math.Pow(d2, b)) }

// attraction is what the pull of an edge is per difference of coordinates: −∂/∂d² log closeness,
// twice.
func attraction(d2, a, b float64) float64 {
	return 2 * a * b * math.Pow(d2, b-1) / (1 + a*math.Pow(d2, b))
}

// repulsionOf is what the push of two points without an edge is per difference of coordinates:
// −2·∂/∂d² log(1 − closeness), with 0.001 added to d² where the push would have no bound.
func repulsionOf(d2, a, b float64) float64 {
	return 2 * b / ((0.001 + d2) * (1 + a*math.Pow(d2, b)))
}

// force is a function of the squared distance as a table: within an octave a straight line for each
// of 128 parts, which is right to a relative 1e-4 and takes a tenth of the time of a power. Nearer
// than 2⁻²⁰ and farther than 2¹⁵ it stays what it is there.
type force [forceHigh - forceLow]part

// part is a line over a stretch of numbers that share their upper bits.
type part struct{ at, rise float64 }

const (
	forceShift = 52 - 7
	forceLow   = (1023 - 40) << 7 // 2⁻⁴⁰
	forceHigh  = (1023 + 30) << 7 // 2³⁰
)

func newForce(exact func(d2 float64) float64) *force {
	f := new(force)
	at := func(k int) float64 { return exact(math.Float64frombits(uint64(k+forceLow) << forceShift)) }
	for k := range f {
		f[k] = part{at(k), (at(k+1) - at(k)) / (1 << forceShift)}
	}
	return f
}

// of is the force at d2 > 0.
func (f *force) of(d2 float64) float64 {
	bits := math.Float64bits(d2)
	p := &f[min(max(bits>>forceShift, forceLow), forceHigh-1)-forceLow]
	return p.at + p.rise*float64(int64(bits&(1<<forceShift-1)))
}
