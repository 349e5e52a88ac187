package datasets

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"
)

//go:embed data/iris.csv
var irisCSV string

// Iris is Fisher's (1936): 150 flowers of three species, two of which overlap; sepal and petal,
// length and width, in cm.
func Iris() Dataset {
	return table("iris", irisCSV, []string{"sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"})
}

//go:embed data/wine.csv
var wineCSV string

// Wine holds 178 wines of three growers by 13 chemical measurements of very different scales (UCI,
// 1991).
func Wine() Dataset {
	return table("wine", wineCSV, []string{"alcohol", "malic acid", "ash", "alcalinity of ash", "magnesium", "total phenols", "flavanoids",
		"nonflavanoid phenols", "proanthocyanins", "color intensity", "hue", "od280/od315 of diluted wines", "proline"})
}

//go:embed data/breast_cancer.csv
var breastCancerCSV string

// BreastCancer holds 569 tumors by 30 measurements of cell nuclei, malignant (0) or benign (1)
// (UCI, 1995).
func BreastCancer() Dataset {
	var features []string
	for _, kind := range []string{"mean ", "error of ", "worst "} {
		for _, what := range []string{"radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry", "fractal dimension"} {
			features = append(features, kind+what)
		}
	}
	return table("breast cancer", breastCancerCSV, features)
}

// table reads scikit-learn's layout: a first line with counts and the names of the classes, then
// numbers with the class last.
func table(name, text string, features []string) Dataset {
	head, rest, _ := strings.Cut(text, "\n")
	fields := strings.Split(strings.TrimSpace(head), ",")
	d := Dataset{Name: name, Features: features, Classes: fields[2:]}
	d.X, d.Y = splitLabels(name, rest)
	return d
}

// splitLabels reads numbers separated by commas, the class last. Not by a Reader, which a program
// that names iris would then carry.
func splitLabels(name, text string) (x *mat.Dense, y []int) {
	var data []float64
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), ",")
		for j, cell := range cells {
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				panic(fmt.Sprintf("datasets: %s, embedded: %v", name, err))
			}
			if j == len(cells)-1 {
				y = append(y, int(v))
			} else {
				data = append(data, v)
			}
		}
	}
	return mat.NewDense(len(y), len(data)/len(y), data), y
}

//go:embed data/digits.csv.gz
var digitsGZ []byte

// Digits holds 1,797 handwritten digits of 8×8 pixels with values 0 to 16, ink high (UCI, 1998).
func Digits() Dataset {
	d := Dataset{Name: "digits", Classes: tenDigits(), Height: 8, Width: 8}
	text := embedded(digitsGZ)
	// A csv reader would take 40 ms; the file is ours, and all its numbers are small and whole.
	x, field := make([]float64, 0, 1797*65), 0
	for _, b := range text {
		switch {
		case b >= '0' && b <= '9':
			field = 10*field + int(b-'0')
		case b == ',' || b == '\n':
			x, field = append(x, float64(field)), 0
		}
	}
	n := len(x) / 65
	d.X, d.Y = mat.NewDense(n, 64, nil), make([]int, n)
	for i := range n {
		copy(d.X.RawRowView(i), x[65*i:65*i+64])
		d.Y[i] = int(x[65*i+64])
	}
	return d
}

func tenDigits() []string {
	names := make([]string, 10)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// BinaryDigits returns the 8×8 digits as bits (1 where the value is above 7) in the split that all
// likelihoods in the notebooks are measured on: image i is for testing if i mod 9 is 0 or 1, for
// validation if 2, else for training: 1,197, 200 and 400 images.
func BinaryDigits() (train, validation, test Dataset) {
	d := Digits()
	d.Name = "binary digits"
	d.X.Apply(func(_, _ int, v float64) float64 {
		if v > 7 {
			return 1
		}
		return 0
	}, d.X)
	return d.Subset(func(i int) bool { return i%9 > 2 }), d.Subset(func(i int) bool { return i%9 == 2 }), d.Subset(func(i int) bool { return i%9 < 2 })
}

//go:embed data/mnist10k-train-images-idx3-ubyte.gz
var mnistTrainImages []byte

//go:embed data/mnist10k-train-labels-idx1-ubyte.gz
var mnistTrainLabels []byte

//go:embed data/mnist10k-test-images-idx3-ubyte.gz
var mnistTestImages []byte

//go:embed data/mnist10k-test-labels-idx1-ubyte.gz
var mnistTestLabels []byte

// MNIST holds 10,000 of MNIST's handwritten digits, 28×28 pixels with values 0 to 255, ink high:
// 8,500 to train and 1,500 to test.
func MNIST() (train, test Dataset) {
	return pictures("MNIST, 8,500 to train", mnistTrainImages, mnistTrainLabels), pictures("MNIST, 1,500 to test", mnistTestImages, mnistTestLabels)
}

func pictures(name string, images, labels []byte) Dataset {
	shape, pixels, err := ReadIDX(bytes.NewReader(images))
	if err != nil {
		panic(fmt.Sprintf("datasets: %s, embedded: %v", name, err))
	}
	_, y, err := ReadIDX(bytes.NewReader(labels))
	if err != nil || len(y) != shape[0] {
		panic(fmt.Sprintf("datasets: %s, embedded: %d labels for %d images, %v", name, len(y), shape[0], err))
	}
	d := Dataset{Name: name, Classes: tenDigits(), Height: shape[1], Width: shape[2], Y: make([]int, len(y))}
	for i, b := range y {
		d.Y[i] = int(b)
	}
	x := make([]float64, len(pixels))
	for i, b := range pixels {
		x[i] = float64(b)
	}
	d.X = mat.NewDense(shape[0], shape[1]*shape[2], x)
	return d
}

//go:embed data/china.jpg
var chinaJPG []byte

//go:embed data/flower.jpg
var flowerJPG []byte

// China is a photograph of a pavilion by the water, 640×427 (CC BY 2.0, danielbuechele; see
// SOURCES.md).
func China() image.Image { return photo(chinaJPG) }

// Flower is a photograph of a flower, 640×427 (CC BY 2.0, vultilion; see SOURCES.md).
func Flower() image.Image { return photo(flowerJPG) }

func photo(data []byte) image.Image {
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		panic(fmt.Sprintf("datasets: an embedded photograph is broken: %v", err))
	}
	return img
}

// Pixels returns the colors of an image as points: one row a pixel, in rows from the top, columns
// red, green and blue from 0 to 1.
func Pixels(img image.Image) *mat.Dense {
	b := img.Bounds()
	x := mat.NewDense(b.Dx()*b.Dy(), 3, nil)
	for i := range b.Dx() * b.Dy() {
		r, g, bl, _ := img.At(b.Min.X+i%b.Dx(), b.Min.Y+i/b.Dx()).RGBA()
		x.SetRow(i, []float64{float64(r) / 0xffff, float64(g) / 0xffff, float64(bl) / 0xffff})
	}
	return x
}

//go:embed data/tinyshakespeare.txt.gz
var shakespeareGZ []byte

// Shakespeare is 1.1 MB of Shakespeare's plays, the text on which character models are usually
// shown.
func Shakespeare() string { return string(embedded(shakespeareGZ)) }

//go:embed data/go-std-docs.jsonl.gz
var goDocsGZ []byte

// Document is a piece of text and where it is from.
type Document struct {
	Package string `json:"package"`
	Symbol  string `json:"symbol"` // "" for the package's own comment
	Text    string `json:"text"`
}

// GoDocs is the documentation of Go 1.26's standard library: 4,991 entries of 176 packages.
func GoDocs() []Document {
	var docs []Document
	for dec := json.NewDecoder(bytes.NewReader(embedded(goDocsGZ))); dec.More(); {
		var d Document
		if err := dec.Decode(&d); err != nil {
			panic(fmt.Sprintf("datasets: Go's documentation, embedded: %v", err))
		}
		docs = append(docs, d)
	}
	return docs
}

// WordCounts counts words by package in documents: row i belongs to packages[i], column j to
// words[j]. A word is a run of letters, in lower case, of three letters or more, that occurs in at
// least minPackages packages and at most half of them. Rows and columns are in alphabetical order.
func WordCounts(docs []Document, minPackages int) (counts *mat.Dense, packages, words []string) {
	byPackage := map[string]map[string]int{}
	for _, d := range docs {
		if byPackage[d.Package] == nil {
			byPackage[d.Package] = map[string]int{}
		}
		for _, w := range strings.FieldsFunc(strings.ToLower(d.Text), func(r rune) bool { return r < 'a' || r > 'z' }) {
			if len(w) >= 3 {
				byPackage[d.Package][w]++
			}
		}
	}
	in := map[string]int{}
	for p, c := range byPackage {
		packages = append(packages, p)
		for w := range c {
			in[w]++
		}
	}
	most := int(math.Ceil(float64(len(packages)) / 2))
	for w, n := range in {
		if n >= minPackages && n <= most {
			words = append(words, w)
		}
	}
	slices.Sort(packages)
	slices.Sort(words)
	if len(packages) == 0 || len(words) == 0 {
		return &mat.Dense{}, packages, words
	}
	counts = mat.NewDense(len(packages), len(words), nil)
	for i, p := range packages {
		for j, w := range words {
			counts.Set(i, j, float64(byPackage[p][w]))
		}
	}
	return counts, packages, words
}
