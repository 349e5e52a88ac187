package datasets

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func read(t *testing.T, file string) Table {
	t.Helper()
	got, err := Reader{Header: FirstRow}.Read(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const survey = "id,site,height,wet,day,kind\n1,a,1.5,true,2021-01-01,oak\n2,b,,false,2021-01-03,ash\n3,,2.5,,,oak\n4,a,4,true,2021-01-02,elm\n"

func TestVerbs(t *testing.T) {
	all := read(t, survey)
	before := outline(all)
	for name, c := range map[string]struct {
		verb func() (Table, error)
		want string
	}{
		"Select": {func() (Table, error) { return all.Select("height", "id") }, "height number 1.5 ∅ 2.5 4 | id number 1 2 3 4"},
		"Drop":   {func() (Table, error) { return all.Drop("site", "wet", "day", "kind", "id") }, "height number 1.5 ∅ 2.5 4"},
		"DropMissing": {func() (Table, error) {
			r, err := all.DropMissing("site", "height")
			return pickOut(r, err, "id", "wet")
		}, "id number 1 4 | wet boolean true true"},
		"DropMissing of all": {func() (Table, error) { r, err := all.DropMissing(); return pickOut(r, err, "id") }, "id number 1 4"},
		"OneHot": {func() (Table, error) {
			r, err := all.OneHot("site")
			return pickOut(r, err, "id", "site = a", "site = b")
		}, "id number 1 2 3 4 | site = a number 1 0 ∅ 1 | site = b number 0 1 ∅ 0"},
		"Days": {func() (Table, error) { r, err := all.Days("day"); return pickOut(r, err, "day") }, "day number 18628 18630 ∅ 18629"},
		"Mean": {func() (Table, error) { r, err := all.Impute(Mean, "height"); return pickOut(r, err, "height") }, "height number 1.5 2.6666666666666665 2.5 4"},
		"Median": {func() (Table, error) {
			r, err := all.Impute(Median, "height", "day")
			return pickOut(r, err, "height", "day")
		}, "height number 1.5 2.5 2.5 4 | day date 2021-01-01 2021-01-03 2021-01-02 2021-01-02"},
		"Frequent": {func() (Table, error) { r, err := all.Impute(Frequent); return pickOut(r, err, "site", "wet", "height") }, "site text a b a a | wet boolean true false true true | height number 1.5 1.5 2.5 4"},
		"Rename":   {func() (Table, error) { r, err := all.Rename("id", "number"); return pickOut(r, err, "number") }, "number number 1 2 3 4"},
		"Rows": {func() (Table, error) {
			return pickOut(all.Rows(func(i int) bool { return i%2 == 1 }), nil, "id", "height")
		}, "id number 2 4 | height number ∅ 4"},
	} {
		got, err := c.verb()
		if err != nil || outline(got) != c.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, outline(got), c.want)
		}
	}
	if outline(all) != before {
		t.Errorf("a verb changed its table:\n%s\n%s", before, outline(all))
	}
	y, classes, err := all.Labels("site")
	if err != nil || !slices.Equal(y, []int{0, 1, -1, 0}) || !slices.Equal(classes, []string{"a", "b"}) {
		t.Errorf("%v %v %v", y, classes, err)
	}
	if y, classes, err = read(t, "a,b\n10,1\n9,1\n10,2\n").Labels("a"); err != nil || !slices.Equal(y, []int{1, 0, 1}) || !slices.Equal(classes, []string{"9", "10"}) {
		t.Errorf("numbers are classes in their own order: %v %v %v", y, classes, err)
	}
}

func pickOut(t Table, err error, names ...string) (Table, error) {
	if err != nil {
		return t, err
	}
	return t.Select(names...)
}

func TestDatasetAndMatrix(t *testing.T) {
	all := read(t, survey)
	filled, err := all.Impute(Frequent)
	if err != nil {
		t.Fatal(err)
	}
	filled, _ = filled.Drop("site", "day")
	d, err := filled.Dataset("kind")
	if err != nil || !slices.Equal(d.Classes, []string{"ash", "elm", "oak"}) || !slices.Equal(d.Y, []int{2, 0, 2, 1}) || !slices.Equal(d.Features, []string{"id", "height", "wet"}) || d.X.At(0, 2) != 1 || d.X.At(1, 2) != 0 {
		t.Errorf("%v %+v", err, d)
	}
	for name, c := range map[string]struct {
		columns, says string
	}{"text": {"site", "OneHot"}, "a date": {"day", "Days"}, "a missing cell": {"height", "row 1 of column \"height\" = missing, want a number: Impute"}} {
		some, _ := all.Select("id", c.columns)
		if _, err := some.Matrix(); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	if _, err := all.Dataset("site"); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), "row 2") {
		t.Error(err)
	}
	odd := read(t, "a,b\n1,2\n3,4\n12O,5\n")
	if _, err := odd.Matrix(); err == nil || !strings.Contains(err.Error(), `line 4 has "12O"`) {
		t.Errorf("the error does not say why the column is text: %v", err)
	}
}

func TestVerbsRefuse(t *testing.T) {
	all := read(t, survey)
	empty := read(t, "a,b\nNA,1\nNA,2\n")
	long := Table{Columns: []Column{{Name: "a", Kind: Number, Numbers: make([]float64, 1500)}}}
	for i := range long.Columns[0].Numbers {
		long.Columns[0].Numbers[i] = float64(i)
	}
	infinite := read(t, "a,b\ninf,1\n2,2\n")
	for name, c := range map[string]struct {
		err  error
		want error
		says string
	}{
		"an unknown column":      {second(all.Select("hieght")), ml.ErrParameter, `"height"`},
		"a column twice":         {second(all.Select("id", "id")), ml.ErrParameter, "once"},
		"the mean of text":       {second(all.Impute(Mean, "site")), ml.ErrParameter, "Frequent"},
		"the median of text":     {second(all.Impute(Median)), ml.ErrParameter, "site"},
		"no filling":             {second(all.Impute(0)), ml.ErrParameter, "Mean, Median"},
		"all missing":            {second(empty.Impute(Mean)), ml.ErrEmpty, `"a"`},
		"all missing, scaled":    {second(empty.Standardize()), ml.ErrEmpty, `"a"`},
		"text scaled":            {second(all.Standardize("site")), ml.ErrParameter, "site"},
		"infinity scaled":        {second(infinite.Standardize("a")), ml.ErrNotFinite, "row 0"},
		"days of numbers":        {second(all.Days("id")), ml.ErrParameter, "date"},
		"classes without end":    {second(long.OneHot("a")), ml.ErrParameter, "1500"},
		"a name taken":           {second(all.Rename("id", "site")), ml.ErrParameter, "site"},
		"columns of two lengths": {second(Table{Columns: []Column{{Name: "a", Kind: Number, Numbers: []float64{1}}, {Name: "b", Kind: Number}}}.Select("a")), ml.ErrShape, "b"},
		"no kind":                {second(Table{Columns: []Column{{Name: "a", Numbers: []float64{1}}}}.Select("a")), ml.ErrParameter, "kind"},
		"two kinds":              {second(Table{Columns: []Column{{Name: "a", Kind: Text, Texts: []string{"x"}, Numbers: []float64{1}}}}.Select("a")), ml.ErrShape, "a"},
		"marks of missing":       {second(Table{Columns: []Column{{Name: "a", Kind: Number, Numbers: []float64{1}, Missing: []bool{true, false}}}}.Select("a")), ml.ErrShape, "a"},
	} {
		if !errors.Is(c.err, c.want) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v, want %v that says %q", name, c.err, c.want, c.says)
		}
	}
	for _, share := range []float64{0, 1, -1, math.NaN(), 0.01} {
		if _, _, err := all.Split(share, 1, ""); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("a share of %v: %v", share, err)
		}
	}
	if _, err := (Table{}).Matrix(); !errors.Is(err, ml.ErrEmpty) {
		t.Error(err)
	}
}

func second(_ Table, err error) error { return err }

// What is scaled has mean 0 and variance 1 whatever its size; a constant column is 0.
func TestStandardize(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(r, "n")
		shift, scale := rapid.Float64Range(-1e3, 1e3).Draw(r, "shift"), math.Pow(10, rapid.Float64Range(-140, 140).Draw(r, "scale"))
		c := Column{Name: "a", Kind: Number}
		for i := range n {
			c.Numbers = append(c.Numbers, (shift+float64(i)+rapid.Float64Range(0, 0.5).Draw(r, "x"))*scale)
		}
		c.Numbers = append(c.Numbers, math.NaN())
		flat := Column{Name: "b", Kind: Number, Numbers: slices.Repeat([]float64{0.1}, n+1)}
		got, err := Table{Columns: []Column{c, flat}}.Standardize()
		if err != nil {
			r.Fatal(err)
		}
		z := got.Columns[0].Numbers[:n]
		if mean, variance := stat.Mean(z, nil), stat.PopVariance(z, nil); math.Abs(mean) > 1e-9 || math.Abs(variance-1) > 1e-9 {
			r.Fatalf("mean %v, variance %v", mean, variance)
		}
		if !math.IsNaN(got.Columns[0].Numbers[n]) || floats.Norm(got.Columns[1].Numbers, 1) != 0 {
			r.Fatalf("%v %v", got.Columns[0].Numbers[n], got.Columns[1].Numbers)
		}
	})
	train, test := read(t, "a,b\n1,5\n3,6\n"), read(t, "a,b\n5,7\n,8\n")
	got, err := test.StandardizeFrom(train, "a")
	if err != nil || outline(got) != "a number 3 ∅ | b number 7 8" {
		t.Errorf("%v %s", err, outline(got))
	}
	if got, err = test.ImputeFrom(train, Mean); err != nil || outline(got) != "a number 5 2 | b number 7 8" {
		t.Errorf("%v %s", err, outline(got))
	}
}

// Every row is on one side, in order; each class has its share to within one; another seed, other
// rows.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(4, 200).Draw(r, "n")
		share := rapid.Float64Range(0.2, 0.8).Draw(r, "share")
		table := Table{Columns: []Column{{Name: "i", Kind: Number}, {Name: "class", Kind: Text}}}
		sizes := map[string]int{}
		for i := range n {
			class := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "class")
			sizes[class]++
			table.Columns[0].Numbers = append(table.Columns[0].Numbers, float64(i))
			table.Columns[1].Texts = append(table.Columns[1].Texts, class)
		}
		train, test, err := table.Split(share, rapid.Uint64().Draw(r, "seed"), "class")
		if err != nil {
			r.Fatal(err)
		}
		a, b := train.Columns[0].Numbers, test.Columns[0].Numbers
		if len(b) != int(math.Round(share*float64(n))) || !slices.IsSorted(a) || !slices.IsSorted(b) {
			r.Fatalf("%d of %d rows, %v, %v", len(b), n, a, b)
		}
		both := slices.Concat(a, b)
		slices.Sort(both)
		if !slices.Equal(both, table.Columns[0].Numbers) {
			r.Fatalf("rows were lost or doubled: %v", both)
		}
		got := map[string]int{}
		for _, class := range test.Columns[1].Texts {
			got[class]++
		}
		for class, size := range sizes {
			if want := float64(len(b)) / float64(n) * float64(size); math.Abs(float64(got[class])-want) >= 1+1e-9 {
				r.Fatalf("%d of %d rows of class %s are in the test, want about %.2f", got[class], size, class, want)
			}
		}
	})
	table := Iris().Table()
	a, _, _ := table.Split(0.3, 1, "")
	b, _, _ := table.Split(0.3, 1, "")
	c, _, _ := table.Split(0.3, 2, "")
	if same(a, b) != "" || same(a, c) == "" {
		t.Error("the same seed gives other rows, or another seed the same")
	}
}

// Each row is as likely as any other to be held out.
func TestSplitIsFair(t *testing.T) {
	table := Table{Columns: []Column{{Name: "i", Kind: Number, Numbers: []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, {Name: "c", Kind: Text, Texts: strings.Split("aaaaaaabbb", "")}}}
	counts := make([]float64, 10)
	const trials = 4000
	for seed := range uint64(trials) {
		_, test, err := table.Split(0.3, seed, "c")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range test.Columns[0].Numbers {
			counts[int(v)]++
		}
	}
	for i, c := range counts {
		if math.Abs(c-0.3*trials) > 5*math.Sqrt(trials*0.3*0.7) {
			t.Errorf("row %d was held out %v times in %d, want about %v", i, c, trials, 0.3*trials)
		}
	}
}

func TestTablesAreShown(t *testing.T) {
	all := read(t, survey)
	all.Name = "a <survey>"
	r, err := all.Head(3).Render()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a <survey>: 4 rows × 6 columns", "height: number, 1.5 … 4, 1 missing", "site: text, a, b, 1 missing", "day: date, 2021-01-01 … 2021-01-03, 1 missing", "read as utf-8, separated by commas"} {
		if !strings.Contains(r.Alt, want) {
			t.Errorf("the words lack %q:\n%s", want, r.Alt)
		}
	}
	page := string(r.Data)
	for _, want := range []string{"a &lt;survey&gt;", ">oak<", ">—<", ">1.5 … 4<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, ">elm<") {
		t.Error("three rows were asked for, and the fourth is shown")
	}
	digits, err := Digits().Render()
	if err != nil || strings.Count(string(digits.Data), "<tr>") != 9 || !strings.Contains(digits.Alt, "45 columns more") {
		t.Errorf("%v %s", err, digits.Alt)
	}
	if _, err := (Dataset{}).Render(); err == nil {
		t.Error("a data set without X is shown")
	}
}
