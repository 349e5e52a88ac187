package datasets

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Table is a number of named columns of one length, as a file gives them: numbers, truth values,
// dates and text beside each other, some cells missing. Its verbs return new tables, which share
// the columns that they leave alone; a Dataset, numbers and classes for a method to learn from, is
// what Table.Dataset makes of one.
type Table struct {
	Name    string
	Columns []Column
	Found   Dialect  // how the file was read
	Notes   []string // what a reader of the file should know: cells taken as missing, columns kept as text and why
}

// Kind is what the cells of a column are.
type Kind int

// The kinds of a column.
const (
	Number  Kind = iota + 1 // Column.Numbers
	Boolean                 // Column.Numbers, 0 or 1
	Date                    // Column.Dates
	Text                    // Column.Texts
)

func (k Kind) String() string {
	switch k {
	case Number:
		return "number"
	case Boolean:
		return "boolean"
	case Date:
		return "date"
	case Text:
		return "text"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Column is one variable. Of the three slices that can hold cells the one of its Kind has an
// element a row, and the others are nil.
type Column struct {
	Name    string
	Kind    Kind
	Numbers []float64   // NaN where missing
	Dates   []time.Time // the zero time where missing; without a zone in the file, in UTC
	Texts   []string    // "" where missing
	Missing []bool      // which cells are missing; nil where none is
}

// Len returns the number of cells.
func (c Column) Len() int {
	switch c.Kind {
	case Date:
		return len(c.Dates)
	case Text:
		return len(c.Texts)
	}
	return len(c.Numbers)
}

// IsMissing reports whether cell i is missing. A NaN among the numbers is, whatever Missing says.
func (c Column) IsMissing(i int) bool {
	return c.Missing != nil && c.Missing[i] || c.Numbers != nil && math.IsNaN(c.Numbers[i])
}

// CountMissing returns how many cells are missing.
func (c Column) CountMissing() int {
	count := 0
	for i := range c.Len() {
		if c.IsMissing(i) {
			count++
		}
	}
	return count
}

// Cell returns cell i as WriteCSV writes it, "" where it is missing.
func (c Column) Cell(i int) string {
	if c.IsMissing(i) {
		return ""
	}
	return string(appendCell(nil, &c, i))
}

// check holds a column made by hand to what the verbs rely on.
func (c Column) check(rows int) error {
	filled := 0
	for _, n := range []int{len(c.Numbers), len(c.Dates), len(c.Texts)} {
		if n > 0 {
			filled++
		}
	}
	switch {
	case c.Kind < Number || c.Kind > Text:
		return ml.BadParameter("datasets.Table", fmt.Sprintf("the kind of column %q", c.Name), c.Kind, "Number, Boolean, Date or Text")
	case c.Len() != rows || filled > 1 || rows > 0 && filled == 0:
		return ml.BadShape("datasets.Table", "column %q of kind %v has %d numbers, %d dates and %d texts, want %d cells of its kind and none else",
			c.Name, c.Kind, len(c.Numbers), len(c.Dates), len(c.Texts), rows)
	case c.Missing != nil && len(c.Missing) != rows:
		return ml.BadShape("datasets.Table", "column %q says of %d cells whether they are missing, and has %d", c.Name, len(c.Missing), rows)
	}
	return nil
}

// take returns the cells of some rows.
func (c Column) take(rows []int) Column {
	out := Column{Name: c.Name, Kind: c.Kind, Numbers: taken(c.Numbers, rows), Dates: taken(c.Dates, rows), Texts: taken(c.Texts, rows)}
	out.Missing = taken(c.Missing, rows)
	if !slices.Contains(out.Missing, true) {
		out.Missing = nil
	}
	return out
}

func taken[T any](from []T, rows []int) []T {
	if from == nil {
		return nil
	}
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = from[i]
	}
	return out
}

// Dims returns the numbers of rows and of columns.
func (t Table) Dims() (rows, columns int) {
	if len(t.Columns) == 0 {
		return 0, 0
	}
	return t.Columns[0].Len(), len(t.Columns)
}

// Names returns the names of the columns.
func (t Table) Names() []string {
	names := make([]string, len(t.Columns))
	for j, c := range t.Columns {
		names[j] = c.Name
	}
	return names
}

// check is called by the verbs: a table may be made by hand.
func (t Table) check() error {
	rows, _ := t.Dims()
	seen := map[string]bool{}
	for _, c := range t.Columns {
		if err := c.check(rows); err != nil {
			return err
		}
		if seen[c.Name] {
			return ml.BadParameter("datasets.Table", "the name of a column", c.Name, "another name in each column")
		}
		seen[c.Name] = true
	}
	return nil
}

// Column returns the column of a name; an unknown one is an error that lists the names.
func (t Table) Column(name string) (Column, error) {
	j, err := t.index("datasets.Table.Column", name)
	if err != nil {
		return Column{}, err
	}
	return t.Columns[j], nil
}

func (t Table) index(method, name string) (int, error) {
	for j, c := range t.Columns {
		if c.Name == name {
			return j, nil
		}
	}
	return 0, ml.BadParameter(method, "the column", fmt.Sprintf("%q", name), "one of "+listed(t.Names(), 30))
}

// indices finds several columns; one that is named twice is an error.
func (t Table) indices(method string, names []string) ([]int, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	out := make([]int, len(names))
	for k, name := range names {
		j, err := t.index(method, name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out[:k], j) {
			return nil, ml.BadParameter(method, "the column", fmt.Sprintf("%q", name), "each column once")
		}
		out[k] = j
	}
	return out, nil
}

// listed joins at most so many names.
func listed(names []string, most int) string {
	quoted := make([]string, 0, most)
	for i, n := range names {
		if i == most {
			return strings.Join(quoted, ", ") + fmt.Sprintf(" and %d more", len(names)-most)
		}
		quoted = append(quoted, fmt.Sprintf("%.60q", n))
	}
	return strings.Join(quoted, ", ")
}

// Select returns the columns of these names, in the order in which they are named.
func (t Table) Select(names ...string) (Table, error) {
	js, err := t.indices("datasets.Table.Select", names)
	if err != nil {
		return Table{}, err
	}
	return t.with(taken(t.Columns, js)), nil
}

// Drop returns the table without some columns.
func (t Table) Drop(names ...string) (Table, error) {
	js, err := t.indices("datasets.Table.Drop", names)
	if err != nil {
		return Table{}, err
	}
	var kept []Column
	for j, c := range t.Columns {
		if !slices.Contains(js, j) {
			kept = append(kept, c)
		}
	}
	return t.with(kept), nil
}

// Rename gives a column another name.
func (t Table) Rename(old, name string) (Table, error) {
	js, err := t.indices("datasets.Table.Rename", []string{old})
	if err != nil {
		return Table{}, err
	}
	columns := slices.Clone(t.Columns)
	columns[js[0]].Name = name
	out := t.with(columns)
	return out, out.check()
}

// with returns other columns under the same name and provenance.
func (t Table) with(columns []Column) Table {
	t.Columns = columns
	return t
}

// Rows returns the rows whose index keep accepts, in order.
func (t Table) Rows(keep func(i int) bool) Table {
	n, _ := t.Dims()
	var rows []int
	for i := range n {
		if keep(i) {
			rows = append(rows, i)
		}
	}
	return t.take(rows)
}

func (t Table) take(rows []int) Table {
	columns := make([]Column, len(t.Columns))
	for j, c := range t.Columns {
		columns[j] = c.take(rows)
	}
	return t.with(columns)
}

// DropMissing returns the rows without a missing cell in these columns, or in any where none is
// named. How many rows went is the difference of Dims.
func (t Table) DropMissing(names ...string) (Table, error) {
	if len(names) == 0 {
		names = t.Names()
	}
	js, err := t.indices("datasets.Table.DropMissing", names)
	if err != nil {
		return Table{}, err
	}
	return t.Rows(func(i int) bool {
		return !slices.ContainsFunc(js, func(j int) bool { return t.Columns[j].IsMissing(i) })
	}), nil
}

// Matrix returns the table as numbers, one row an observation; truth values are 0 and 1. Text,
// dates and missing cells are errors that name the column, the row and the verb that turns them
// into numbers.
func (t Table) Matrix() (*mat.Dense, error) {
	const method = "datasets.Table.Matrix"
	if err := t.check(); err != nil {
		return nil, err
	}
	n, d := t.Dims()
	if n == 0 || d == 0 {
		return nil, ml.Empty(method, "the table has %d rows and %d columns", n, d)
	}
	x := mat.NewDense(n, d, nil)
	for j, c := range t.Columns {
		switch c.Kind {
		case Text:
			return nil, ml.BadParameter(method, fmt.Sprintf("column %q", c.Name), "text", "numbers: OneHot makes them of categories, Drop leaves the column out, Dataset takes it for the classes"+t.whyText(c.Name))
		case Date:
			return nil, ml.BadParameter(method, fmt.Sprintf("column %q", c.Name), "dates", "numbers: Days makes them of dates, Drop leaves the column out")
		}
		for i, v := range c.Numbers {
			if c.IsMissing(i) || math.IsNaN(v) {
				return nil, ml.BadParameter(method, fmt.Sprintf("row %d of column %q", i, c.Name), "missing", "a number: Impute fills in, DropMissing leaves rows out")
			}
			x.Set(i, j, v)
		}
	}
	return x, nil
}

// whyText is the note on a column that was kept as text.
func (t Table) whyText(name string) string {
	for _, note := range t.Notes {
		if strings.HasPrefix(note, fmt.Sprintf("column %q is kept as text", name)) {
			return " (" + note + ")"
		}
	}
	return ""
}

// Dataset returns the table as a Dataset: X and Features from its columns, and Y and Classes from
// the one that label names, which is not among X's; "" is for data without classes. Errors are
// those of Matrix and of Labels; a row whose class is missing is one too.
func (t Table) Dataset(label string) (Dataset, error) {
	d := Dataset{Name: t.Name}
	if label != "" {
		y, classes, err := t.Labels(label)
		if err != nil {
			return Dataset{}, err
		}
		if i := slices.Index(y, -1); i >= 0 {
			return Dataset{}, ml.BadParameter("datasets.Table.Dataset", fmt.Sprintf("row %d of column %q", i, label), "missing", "a class: DropMissing leaves rows out")
		}
		d.Y, d.Classes = y, classes
		if t, err = t.Drop(label); err != nil {
			return Dataset{}, err
		}
	}
	x, err := t.Matrix()
	if err != nil {
		return Dataset{}, err
	}
	d.X, d.Features = x, t.Names()
	return d, nil
}

// Table returns the data as a table, to be looked at or written to a file: a column a feature,
// named x0, x1, … where the data name none, and the column "class" where there are classes. It
// shares no memory with d.
func (d Dataset) Table() Table {
	n, vars := d.X.Dims()
	t := Table{Name: d.Name}
	for j := range vars {
		c := Column{Name: fmt.Sprintf("x%d", j), Kind: Number, Numbers: mat.Col(nil, j, d.X)}
		if j < len(d.Features) {
			c.Name = d.Features[j]
		}
		for i, v := range c.Numbers {
			if math.IsNaN(v) {
				if c.Missing == nil {
					c.Missing = make([]bool, n)
				}
				c.Missing[i] = true
			}
		}
		t.Columns = append(t.Columns, c)
	}
	if d.Y != nil {
		c := Column{Name: "class", Kind: Text, Texts: make([]string, n)}
		for i, y := range d.Y {
			switch {
			case y >= 0 && y < len(d.Classes):
				c.Texts[i] = d.Classes[y]
			case y >= 0:
				c.Texts[i] = fmt.Sprint(y)
			default:
				if c.Missing == nil {
					c.Missing = make([]bool, n)
				}
				c.Missing[i] = true
			}
		}
		t.Columns = append(t.Columns, c)
	}
	return t
}
