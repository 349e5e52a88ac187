package autoregressive

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"gonum.org/v1/gonum/mat"
)

// Table estimates each conditional by counting: p(x_j | the Context variables before j) is a
// histogram for each value that they take together,
//
//	p(x_j = k | c) = (count of k after c + α) / (count of c + α·Levels)
//
// which for α → 0 is the maximum of the likelihood. Context 0 is a histogram for each variable on
// its own; as large a context as there are variables before is the histogram of whole observations.
// The number of histograms grows as Levels^Context, and so does the data they need.
//
// Fit costs O(nd·Context); memory is that of the contexts that occur.
type Table struct {
	Levels    int     // values a variable can take, 0 to Levels−1; 0 means 2
	Context   int     // how many of the variables before j matter; at least 0
	Smoothing float64 // α, a count given to every value beforehand; 0 means 1 (Laplace), negative none
}

// TableModel is a table of conditionals.
type TableModel struct {
	Levels    int
	Variables int     // d, of an observation
	Context   int     // at most d−1
	Smoothing float64 // α as used, 0 for none
	LogLik    float64 // mean log-likelihood of the rows it was fitted to, nats

	// Contexts that occur are the rows of Counts, sorted by variable and then by value; Keys has,
	// for each, the variable j and the values of those before it, from the nearest, −1 where there
	// are fewer.
	Keys   *mat.Dense // contexts × (1 + Context)
	Counts *mat.Dense // contexts × Levels

	once  sync.Once
	index map[string]int // key to row of Counts; made when it is first asked for
}

func init() { ml.Register[TableModel]("autoregressive.TableModel") }

// Fit counts. The error is ml.ErrParameter for an option or an entry of x out of range,
// ml.ErrNotFinite and ml.ErrEmpty as ml.Dense says, and ctx.Err().
func (t Table) Fit(ctx context.Context, x mat.Matrix) (*TableModel, error) {
	const method = "autoregressive.Table"
	levels, err := symbol.Levels(method, t.Levels)
	if err != nil {
		return nil, err
	}
	if t.Context < 0 {
		return nil, ml.BadParameter(method, "Context", t.Context, "0 or more")
	}
	if math.IsNaN(t.Smoothing) || math.IsInf(t.Smoothing, 0) {
		return nil, ml.BadParameter(method, "Smoothing", t.Smoothing, "a finite number")
	}
	y, err := symbol.Check(method, x, levels)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	m := &TableModel{Levels: levels, Variables: d, Context: min(t.Context, d-1), Smoothing: t.Smoothing}
	switch {
	case m.Smoothing == 0:
		m.Smoothing = 1
	case m.Smoothing < 0:
		m.Smoothing = 0
	}
	counts := map[string][]float64{}
	for i := range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row := y.RawRowView(i)
		for j, v := range row {
			key := m.key(row, j)
			c, ok := counts[key]
			if !ok {
				c = make([]float64, levels)
				counts[key] = c
			}
			c[int(v)]++
		}
	}
	m.fill(counts)
	contexts, _ := m.Counts.Dims()
	p := make([]float64, levels)
	for r := range contexts {
		m.histogram(p, r)
		for k, c := range m.Counts.RawRowView(r) {
			if c > 0 {
				m.LogLik += c * math.Log(p[k]) / float64(n)
			}
		}
	}
	return m, nil
}

// fill lays the counts out in rows, in an order that does not depend on the map's.
func (m *TableModel) fill(counts map[string][]float64) {
	keys := make([]string, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	m.Keys, m.Counts = mat.NewDense(len(keys), 1+m.Context, nil), mat.NewDense(len(keys), m.Levels, nil)
	for r, k := range keys {
		for c := range 1 + m.Context {
			m.Keys.Set(r, c, float64(int32(binary.BigEndian.Uint32([]byte(k[4*c:])))))
		}
		m.Counts.SetRow(r, counts[k])
	}
}

// key names the context of variable j in a row.
func (m *TableModel) key(row []float64, j int) string {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4*(1+m.Context)), uint32(j))
	for back := 1; back <= m.Context; back++ {
		v := int32(-1)
		if j-back >= 0 {
			v = int32(row[j-back])
		}
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return string(b)
}

// find returns the row of Counts of a key, or −1.
func (m *TableModel) find(key string) int {
	m.once.Do(func() {
		n, c := m.Keys.Dims()
		m.index = make(map[string]int, n)
		for r := range n {
			b := make([]byte, 0, 4*c)
			for _, v := range m.Keys.RawRowView(r) {
				b = binary.BigEndian.AppendUint32(b, uint32(int32(v)))
			}
			m.index[string(b)] = r
		}
	})
	if r, ok := m.index[key]; ok {
		return r
	}
	return -1
}

// conditional fills p with p(x_j = · | row[:j]).
func (m *TableModel) conditional(p []float64, row []float64, j int) {
	m.histogram(p, m.find(m.key(row, j)))
}

// histogram fills p with the conditional of a row of Counts; −1 is a context that never occurred.
func (m *TableModel) histogram(p []float64, r int) {
	total := m.Smoothing * float64(m.Levels)
	for k := range p {
		p[k] = m.Smoothing
	}
	if r >= 0 {
		for k, c := range m.Counts.RawRowView(r) {
			p[k] += c
			total += c
		}
	}
	for k := range p {
		if total == 0 { // without smoothing, after what never occurred: nothing is known
			p[k] = 1 / float64(m.Levels)
			continue
		}
		p[k] /= total
	}
}

// LogProb returns log p of each row, in nats; −Inf where, without smoothing, something occurs that
// never did.
func (m *TableModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	const method = "autoregressive.TableModel.LogProb"
	y, err := symbol.Check(method, x, m.Levels)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(method, y, m.Variables); err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	p, out := make([]float64, m.Levels), make([]float64, n)
	for i := range n {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		row := y.RawRowView(i)
		for j, v := range row {
			m.conditional(p, row, j)
			out[i] += math.Log(p[int(v)])
		}
	}
	return out, nil
}

// Conditional returns p(x_j = · | before), where before holds x_0 … x_{j−1}; only the last Context
// of them matter.
func (m *TableModel) Conditional(before []float64) ([]float64, error) {
	const method = "autoregressive.TableModel.Conditional"
	if len(before) >= m.Variables {
		return nil, ml.BadShape(method, "%d variables come before, of %d in all", len(before), m.Variables)
	}
	if len(before) > 0 {
		if _, err := symbol.Check(method, mat.NewDense(1, len(before), before), m.Levels); err != nil {
			return nil, err
		}
	}
	p := make([]float64, m.Levels)
	m.conditional(p, before, len(before))
	return p, nil
}

// Sample draws n observations; each depends on the seed and its number alone.
func (m *TableModel) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	if n < 1 {
		return nil, ml.BadParameter("autoregressive.TableModel.Sample", "n", fmt.Sprint(n), "at least 1")
	}
	p := make([]float64, m.Levels)
	x := mat.NewDense(n, m.Variables, nil)
	for i := range n {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r, row := rng.New(seed, i), x.RawRowView(i)
		for j := range row {
			m.conditional(p, row, j)
			row[j] = float64(symbol.Draw(p, r.Float64()))
		}
	}
	return x, nil
}

// Scores returns the Fisher score of each row, n × contexts·(Levels−1): the gradient of log p by
// the logarithms of the odds of each value but the first against the first, in the order of the
// rows of Counts. What follows context c with value k adds 1 − p(k|c) at (c, k) and −p(l|c) at the
// other values l; a context that did not occur in the fit adds nothing. It is the same for smoothed
// probabilities, which are those of the model.
func (m *TableModel) Scores(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	const method = "autoregressive.TableModel.Scores"
	y, err := symbol.Check(method, x, m.Levels)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(method, y, m.Variables); err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	contexts, _ := m.Counts.Dims()
	p, out := make([]float64, m.Levels), mat.NewDense(n, contexts*(m.Levels-1), nil)
	for i := range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row, score := y.RawRowView(i), out.RawRowView(i)
		for j, v := range row {
			c := m.find(m.key(row, j))
			if c < 0 {
				continue
			}
			m.histogram(p, c)
			at := score[c*(m.Levels-1):][:m.Levels-1]
			for k := range at {
				at[k] -= p[k+1]
			}
			if v > 0 {
				at[int(v)-1]++
			}
		}
	}
	return out, nil
}
