package datasets

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
)

// Labels returns the column of a name as classes: for each row an index into classes, −1 where the
// cell is missing. Classes stand in the order of their numbers, false before true, dates in time,
// and text by its bytes.
func (t Table) Labels(name string) (y []int, classes []string, err error) {
	js, err := t.indices("datasets.Table.Labels", []string{name})
	if err != nil {
		return nil, nil, err
	}
	y, classes = labels(&t.Columns[js[0]])
	return y, classes, nil
}

func labels(c *Column) (y []int, classes []string) {
	y = make([]int, c.Len())
	switch c.Kind {
	case Text:
		return y, classify(y, c, c.Texts, cmp.Compare[string])
	case Date:
		return y, classify(y, c, c.Dates, time.Time.Compare)
	}
	return y, classify(y, c, c.Numbers, cmp.Compare[float64])
}

// classify numbers the distinct cells of a column in the order of compare.
func classify[T comparable](y []int, c *Column, cells []T, compare func(a, b T) int) []string {
	seen := map[T]int{}
	var first []int // where each class was met
	for i, v := range cells {
		if _, ok := seen[v]; !ok && !c.IsMissing(i) {
			seen[v] = 0
			first = append(first, i)
		}
	}
	slices.SortStableFunc(first, func(a, b int) int { return compare(cells[a], cells[b]) })
	classes := make([]string, len(first))
	for k, i := range first {
		seen[cells[i]], classes[k] = k, c.Cell(i)
	}
	for i, v := range cells {
		if y[i] = -1; !c.IsMissing(i) {
			y[i] = seen[v]
		}
	}
	return classes
}

// maxClasses bounds what OneHot makes of a column: more are a mistake, a name or a number that
// identifies the row.
const maxClasses = 1000

// OneHot replaces each of these columns by one column a class, 1 in the rows of that class and 0 in
// the others, named "species = setosa". Where the class is missing all are. A column of more than
// 1,000 classes is an error.
func (t Table) OneHot(names ...string) (Table, error) {
	const method = "datasets.Table.OneHot"
	js, err := t.indices(method, names)
	if err != nil {
		return Table{}, err
	}
	var columns []Column
	for j, c := range t.Columns {
		if !slices.Contains(js, j) {
			columns = append(columns, c)
			continue
		}
		y, classes := labels(&c)
		if len(classes) > maxClasses {
			return Table{}, ml.BadParameter(method, fmt.Sprintf("the number of classes of column %q", c.Name), len(classes), fmt.Sprintf("at most %d", maxClasses))
		}
		for k, class := range classes {
			hot := Column{Name: c.Name + " = " + class, Kind: Number, Numbers: make([]float64, len(y)), Missing: c.Missing}
			for i, v := range y {
				switch v {
				case k:
					hot.Numbers[i] = 1
				case -1:
					hot.Numbers[i] = math.NaN()
				}
			}
			columns = append(columns, hot)
		}
	}
	out := t.with(columns)
	return out, out.check()
}

// Days replaces columns of dates by numbers, the days since the first of January 1970 in UTC.
func (t Table) Days(names ...string) (Table, error) {
	const method = "datasets.Table.Days"
	js, err := t.indices(method, names)
	if err != nil {
		return Table{}, err
	}
	columns := slices.Clone(t.Columns)
	for _, j := range js {
		c := columns[j]
		if c.Kind != Date {
			return Table{}, ml.BadParameter(method, fmt.Sprintf("the kind of column %q", c.Name), c.Kind, "date")
		}
		days := Column{Name: c.Name, Kind: Number, Numbers: make([]float64, len(c.Dates)), Missing: c.Missing}
		for i, d := range c.Dates {
			// Seconds and nanoseconds: a Duration ends after 292 years.
			if days.Numbers[i] = float64(d.Unix())/86400 + float64(d.Nanosecond())/86400e9; c.IsMissing(i) {
				days.Numbers[i] = math.NaN()
			}
		}
		columns[j] = days
	}
	return t.with(columns), nil
}

// Fill says what Impute puts in the place of a missing cell.
type Fill int

// What a missing cell can be filled with.
const (
	Mean     Fill = iota + 1 // of the numbers of the column
	Median                   // of the numbers; of dates too
	Frequent                 // the class that most rows have, of any kind; of equals the first in the order of Labels
)

// Impute fills the missing cells of these columns, or of all that have some where none is named, by
// one value a column. Mean and Median of text are errors, and so is a column without any cell that
// is not missing. A filled table knows less than it seems to: every method after it takes the
// filled cells for measured ones.
func (t Table) Impute(with Fill, names ...string) (Table, error) {
	return t.ImputeFrom(t, with, names...)
}

// ImputeFrom is Impute with the values of another table, the one to train on: what is held out must
// not tell.
func (t Table) ImputeFrom(train Table, with Fill, names ...string) (Table, error) {
	const method = "datasets.Table.Impute"
	if with < Mean || with > Frequent {
		return Table{}, ml.BadParameter(method, "with", int(with), "Mean, Median or Frequent")
	}
	if len(names) == 0 {
		for _, c := range t.Columns {
			if c.CountMissing() > 0 {
				names = append(names, c.Name)
			}
		}
	}
	js, err := t.indices(method, names)
	if err != nil {
		return Table{}, err
	}
	sources, err := train.indices(method, names)
	if err != nil {
		return Table{}, err
	}
	columns := slices.Clone(t.Columns)
	for k, j := range js {
		from := train.Columns[sources[k]]
		if from.Kind != columns[j].Kind {
			return Table{}, ml.BadParameter(method, fmt.Sprintf("the kind of column %q", from.Name), from.Kind, fmt.Sprintf("%v, as in the table that is filled", columns[j].Kind))
		}
		if columns[j], err = columns[j].filled(method, &from, with); err != nil {
			return Table{}, err
		}
	}
	return t.with(columns), nil
}

// filled returns c with its missing cells filled by what from's cells say.
func (c Column) filled(method string, from *Column, with Fill) (Column, error) {
	var known []int
	for i := range from.Len() {
		if !from.IsMissing(i) {
			known = append(known, i)
		}
	}
	if len(known) == 0 {
		return c, ml.Empty(method, "column %q has no cell that is not missing", c.Name)
	}
	at := known[0] // the cell to fill in, but for a mean
	var value float64
	switch with {
	case Frequent:
		at = from.mostFrequent()
		if c.Kind == Number || c.Kind == Boolean {
			value = from.Numbers[at]
		}
	default:
		name := "median"
		if with == Mean {
			name = "mean"
		}
		switch {
		case c.Kind == Text, c.Kind == Date && with == Mean:
			return c, ml.BadParameter(method, fmt.Sprintf("the %s of column %q", name, c.Name), c.Kind, "numbers; Frequent fills in the class that most rows have")
		case c.Kind == Date:
			slices.SortStableFunc(known, func(a, b int) int { return from.Dates[a].Compare(from.Dates[b]) })
			at = known[(len(known)-1)/2]
		case with == Mean:
			for k, i := range known { // the running mean can't overflow
				value += (from.Numbers[i] - value) / float64(k+1)
			}
		default:
			slices.SortFunc(known, func(a, b int) int { return cmp.Compare(from.Numbers[a], from.Numbers[b]) })
			a, b := from.Numbers[known[(len(known)-1)/2]], from.Numbers[known[len(known)/2]]
			value = a + (b-a)/2
		}
	}
	out := c
	out.Numbers, out.Dates, out.Texts, out.Missing = slices.Clone(c.Numbers), slices.Clone(c.Dates), slices.Clone(c.Texts), nil
	for i := range c.Len() {
		if !c.IsMissing(i) {
			continue
		}
		switch c.Kind {
		case Text:
			out.Texts[i] = from.Texts[at]
		case Date:
			out.Dates[i] = from.Dates[at]
		default:
			out.Numbers[i] = value
		}
	}
	return out, nil
}

// mostFrequent returns a row of the largest class.
func (c *Column) mostFrequent() int {
	y, classes := labels(c)
	counts := make([]int, len(classes))
	for _, k := range y {
		if k >= 0 {
			counts[k]++
		}
	}
	return slices.Index(y, slices.Index(counts, slices.Max(counts)))
}

// Standardize shifts and scales these columns, or all numbers where none is named, to mean 0 and
// variance 1, by n; missing cells stay missing and count for nothing. A column that is constant
// becomes 0.
func (t Table) Standardize(names ...string) (Table, error) {
	return t.StandardizeFrom(t, names...)
}

// StandardizeFrom is Standardize by the means and variances of another table, the one to train on.
func (t Table) StandardizeFrom(train Table, names ...string) (Table, error) {
	const method = "datasets.Table.Standardize"
	if len(names) == 0 {
		for _, c := range t.Columns {
			if c.Kind == Number {
				names = append(names, c.Name)
			}
		}
	}
	js, err := t.indices(method, names)
	if err != nil {
		return Table{}, err
	}
	sources, err := train.indices(method, names)
	if err != nil {
		return Table{}, err
	}
	columns := slices.Clone(t.Columns)
	for k, j := range js {
		from := train.Columns[sources[k]]
		for _, c := range []Column{columns[j], from} {
			if c.Kind != Number && c.Kind != Boolean {
				return Table{}, ml.BadParameter(method, fmt.Sprintf("the kind of column %q", c.Name), c.Kind, "number")
			}
		}
		mean, deviation, err := moments(method, &from)
		if err != nil {
			return Table{}, err
		}
		c := columns[j]
		c.Kind, c.Numbers = Number, slices.Clone(c.Numbers)
		for i := range c.Numbers {
			c.Numbers[i] = (c.Numbers[i] - mean) / deviation // NaN stays NaN
		}
		columns[j] = c
	}
	return t.with(columns), nil
}

// moments returns the mean and the standard deviation of what is not missing, 1 where it is 0.
func moments(method string, c *Column) (mean, deviation float64, err error) {
	largest, count := 0.0, 0.0
	for i, v := range c.Numbers {
		if c.IsMissing(i) {
			continue
		}
		if v-v != 0 {
			return 0, 0, ml.NotFinite(method, "row %d of column %q is %v", i, c.Name, v)
		}
		count++
		mean += (v - mean) / count
		largest = max(largest, math.Abs(v))
	}
	if count == 0 {
		return 0, 0, ml.Empty(method, "column %q has no cell that is not missing", c.Name)
	}
	constant, first := true, math.NaN()
	sum := 0.0
	for i, v := range c.Numbers {
		if c.IsMissing(i) {
			continue
		}
		if math.IsNaN(first) {
			first = v
		}
		constant = constant && v == first
		z := (v - mean) / largest // squares of it can't overflow
		if largest > 0 {
			sum += z * z
		}
	}
	if constant { // the mean of equal numbers may be off by rounding
		return first, 1, nil
	}
	return mean, math.Sqrt(sum/count) * largest, nil
}

// Split divides the rows at random into a table to train on and one to test with, which has a share
// of test of them, rounded; both keep the order of the rows. by names a column whose classes are
// divided alike, "" for none: each class, a missing one too, then has that share of its own rows in
// test, to within one. The same seed gives the same rows.
func (t Table) Split(test float64, seed uint64, by string) (train, held Table, err error) {
	const method = "datasets.Table.Split"
	if err := t.check(); err != nil {
		return train, held, err
	}
	n, _ := t.Dims()
	if !(test > 0 && test < 1) {
		return train, held, ml.BadParameter(method, "test", test, "a share between 0 and 1")
	}
	strata := make([]int, n)
	if by != "" {
		y, _, err := t.Labels(by)
		if err != nil {
			return train, held, err
		}
		for i, k := range y {
			strata[i] = k + 1
		}
	}
	want := int(math.Round(test * float64(n)))
	if want == 0 || want == n {
		return train, held, ml.BadParameter(method, "test", test, fmt.Sprintf("a share that leaves rows of the %d on both sides", n))
	}
	r := rng.New(seed)
	order := r.Perm(n)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(strata[a], strata[b]) })
	// Along rows that are sorted by class every 1/test-th goes to the test: each class gets its
	// share to within one, and all together exactly theirs.
	chosen := make([]bool, n)
	offset := r.IntN(n)
	for k := range order {
		at := (k + offset) % n
		chosen[order[k]] = (at+1)*want/n > at*want/n
	}
	return t.Rows(func(i int) bool { return !chosen[i] }), t.Rows(func(i int) bool { return chosen[i] }), nil
}

// appendCell appends the text of a cell that is not missing.
func appendCell(b []byte, c *Column, i int) []byte {
	switch c.Kind {
	case Text:
		return append(b, c.Texts[i]...)
	case Boolean:
		return strconv.AppendBool(b, c.Numbers[i] != 0)
	case Date:
		d := c.Dates[i]
		switch {
		case d.Location() == time.UTC && d.Hour() == 0 && d.Minute() == 0 && d.Second() == 0 && d.Nanosecond() == 0:
			return d.AppendFormat(b, "2006-01-02")
		case d.Location() == time.UTC:
			return d.AppendFormat(b, "2006-01-02 15:04:05.999999999")
		}
		return d.AppendFormat(b, time.RFC3339Nano)
	}
	v := c.Numbers[i]
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}
