package decomposition

import (
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// model brings pairs into the caller's units, in the order of what they explain.
func (p *dpcaProblem) model(means *dpcaMeans, pairs []dpcaPair) *DPCAModel {
	m := &DPCAModel{Mean: means.center, Lambda: p.Lambda, Steps: means.mean.Steps, Total: p.total / means.unit / means.unit,
		Noise: means.residual() / p.total}
	var f, d [][]float64
	for i, pair := range pairs {
		m.Marginals = append(m.Marginals, p.Marginals[i].Name)
		m.Share = append(m.Share, mat.Trace(p.parts[i])/p.total)
		m.Rank = append(m.Rank, pair.rank)
		if pair.f == nil {
			continue
		}
		_, k := pair.f.Dims()
		for c := range k {
			f, d, m.Of = append(f, mat.Col(nil, c, pair.f)), append(d, mat.Col(nil, c, pair.d)), append(m.Of, i)
		}
	}
	ratio, order := make([]float64, len(f)), make([]int, len(f))
	for c := range f {
		ratio[c], order[c] = explained(p.s, f[c], d[c])/p.total, c
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case ratio[a] > ratio[b]:
			return -1
		case ratio[a] < ratio[b]:
			return 1
		}
		return 0
	})
	of := slices.Clone(m.Of)
	_, width := p.s.Dims()
	m.Encoder, m.Decoder = mat.NewDense(len(f), width, nil), mat.NewDense(len(f), width, nil)
	m.Explained = mat.NewDense(len(f), len(pairs), nil)
	for to, from := range order {
		m.Encoder.SetRow(to, f[from])
		m.Decoder.SetRow(to, d[from])
		m.Of[to] = of[from]
		m.Ratio = append(m.Ratio, ratio[from])
		for i, part := range p.parts {
			m.Explained.Set(to, i, explained(part, f[from], d[from])/p.total)
		}
	}
	m.Cumulative = p.together(m.Encoder, m.Decoder)
	return m
}

// explained is tr S − ‖X − X d fᵀ‖² for XᵀX = S.
func explained(s *mat.Dense, f, d []float64) float64 {
	var sd mat.VecDense
	sd.MulVec(s, mat.NewVecDense(len(d), d))
	return 2*floats.Dot(f, sd.RawVector().Data) - floats.Dot(d, sd.RawVector().Data)*floats.Dot(f, f)
}

// together is how much of the means' variance the first one, two, … components explain, ‖X‖² − ‖X −
// X D Fᵀ‖² as a share.
func (p *dpcaProblem) together(f, d *mat.Dense) []float64 {
	k, _ := f.Dims()
	var sd, cross, scores, axes mat.Dense
	sd.Mul(p.s, d.T())
	cross.Mul(f, &sd)
	scores.Mul(d, &sd)
	axes.Mul(f, f.T())
	out, sum := make([]float64, k), 0.0
	for c := range k {
		sum += 2*cross.At(c, c) - scores.At(c, c)*axes.At(c, c)
		for o := range c {
			sum -= 2 * scores.At(c, o) * axes.At(c, o)
		}
		out[c] = sum / p.total
	}
	return out
}

// ComponentsOf returns the numbers of a marginal's components, those that explain most first; none
// for a name that no marginal has.
func (m *DPCAModel) ComponentsOf(marginal string) []int {
	var out []int
	for c, i := range m.Of {
		if i >= 0 && i < len(m.Marginals) && m.Marginals[i] == marginal {
			out = append(out, c)
		}
	}
	return out
}

func (m *DPCAModel) valid(method string) error {
	if m.Encoder == nil || m.Encoder.IsEmpty() || m.Decoder == nil || m.Decoder.IsEmpty() {
		return ml.Empty(method, "the model has no components")
	}
	k, d := m.Encoder.Dims()
	if r, c := m.Decoder.Dims(); r != k || c != d || len(m.Mean) != d {
		return ml.BadShape(method, "encoders are %d×%d, with %d×%d decoders and %d means", k, d, r, c, len(m.Mean))
	}
	return nil
}

// Transform returns the scores of the rows of x, n×K: means by condition, single trials, or any
// other. Errors are those of ml.Dense, and ml.ErrShape for another number of columns.
func (m *DPCAModel) Transform(x mat.Matrix) (*mat.Dense, error) {
	y, err := deviations("decomposition.DPCAModel.Transform", x, m.valid, m.Mean)
	if err != nil {
		return nil, err
	}
	var z mat.Dense
	z.Mul(y, m.Decoder.T())
	return &z, nil
}

// Inverse returns the rows that the scores of all components together stand for, n×d. To see what
// some alone add, set the columns of the others to 0. Errors are those of ml.Dense, and ml.ErrShape
// for another number of columns than there are components.
func (m *DPCAModel) Inverse(z mat.Matrix) (*mat.Dense, error) {
	const method = "decomposition.DPCAModel.Inverse"
	scores, err := ml.Dense(method, z)
	if err != nil {
		return nil, err
	}
	if err := m.valid(method); err != nil {
		return nil, err
	}
	k, _ := m.Encoder.Dims()
	if err := ml.Columns(method, scores, k); err != nil {
		return nil, err
	}
	var x mat.Dense
	x.Mul(scores, m.Encoder)
	x.Apply(func(_, j int, v float64) float64 { return v + m.Mean[j] }, &x)
	return &x, nil
}
