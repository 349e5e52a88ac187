package sparse

import (
	"math"

	"github.com/golatent/latent/internal/blas"
	"gonum.org/v1/gonum/mat"
)

// Coherent says how alike the atoms of a dictionary are.
type Coherent struct {
	Mutual float64 // μ, the largest |cosine| of two atoms, 0 for one atom
	I, J   int     // the two, I < J
	// Welch is the least μ that K atoms in d dimensions can have, √((K−d)/(d(K−1))), 0 for K ≤ d.
	Welch float64
	// Support is the largest k < (1 + 1/μ)/2: a code of at most so many entries is the sparsest of
	// its signal, the only one so sparse, and both OMP and basis pursuit find it (Donoho & Elad,
	// 2003; Tropp, 2004). It is K where the atoms are orthogonal.
	Support int
}

// Coherence compares all pairs of atoms, the rows of a K×d dictionary, in O(K²d). The errors are
// those of ml.Dense, and ml.ErrParameter for an atom of zeros.
func Coherence(dictionary mat.Matrix) (*Coherent, error) {
	a, err := checkAtoms("sparse.Coherence", dictionary)
	if err != nil {
		return nil, err
	}
	c := &Coherent{J: min(1, a.k-1)}
	products := make([]float64, a.k)
	for i := range a.k {
		rest := a.x.RawMatrix().Data[(i+1)*a.d : a.k*a.d]
		p := products[:a.k-i-1]
		blas.DotRows(p, a.x.RawRowView(i), rest, a.d)
		for t, v := range p {
			if v = math.Abs(v) / a.norm[i] / a.norm[i+1+t]; v > c.Mutual {
				c.Mutual, c.I, c.J = min(v, 1), i, i+1+t
			}
		}
	}
	if a.k > a.d {
		c.Welch = math.Sqrt(float64(a.k-a.d) / float64(a.d) / float64(a.k-1))
	}
	c.Support = a.k
	if c.Mutual > 1e-15 {
		c.Support = min(a.k, int(math.Ceil((1+1/c.Mutual)/2)-1))
	}
	return c, nil
}
