package plotting

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/golatent/latent/pkg/ml"
)

// What answers the pointer must lie where the points are drawn.
func TestHoverPlacesArePointsDrawn(t *testing.T) {
	x := mat.NewDense(5, 2, []float64{0, 0, 1, 2, 3, 1, -2, 4, 5, 5})
	for name, p := range map[string]*Plot{"plain": Points(x), "titled": Points(x).Title("A title").X("x").Y("y"), "equal": Points(x).Equal().Size(300, 500), "bare": Points(x).Bare()} {
		r, err := Hover(p, x).Render()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(regexp.MustCompile(`data-at="([^"]*)"`).FindStringSubmatch(string(r.Data))[1])
		if err != nil || len(raw) != 4*5 {
			t.Fatalf("%s: %d bytes of places, %v", name, len(raw), err)
		}
		circles := regexp.MustCompile(`<circle cx="([^"]*)" cy="([^"]*)"`).FindAllStringSubmatch(string(r.Data), -1)
		if len(circles) != 5 {
			t.Fatalf("%s: %d circles", name, len(circles))
		}
		for i, c := range circles {
			for axis := range 2 {
				want, err := strconv.ParseFloat(c[1+axis], 64)
				if err != nil {
					t.Fatal(err)
				}
				if got := float64(binary.LittleEndian.Uint16(raw[4*i+2*axis:])) / 10; math.Abs(got-want) > 0.11 {
					t.Errorf("%s: point %d answers at %v on axis %d, and is drawn at %v", name, i, got, axis, want)
				}
			}
		}
	}
}

func TestHoverShowsImagesAndTips(t *testing.T) {
	x, _ := blobs(4000)
	images := mat.NewDense(4000, 6, nil)
	for i := range 4000 {
		images.Set(i, i%6, float64(i))
	}
	tips := make([]string, 4000)
	for i := range tips {
		tips[i] = "a <b> & \"c\""
	}
	r, err := Hover(Points(x), x).Images(images, 2, 3).Tips(tips...).Render()
	if err != nil {
		t.Fatal(err)
	}
	s := string(r.Data)
	if !strings.Contains(s, "latent-hover-image") || !strings.Contains(s, "a &lt;b&gt; &amp; &#34;c&#34;") || strings.Contains(s, "<b>") || !strings.Contains(s, "row") && r.Alt == "" {
		t.Error("images or tips are missing")
	}
	if strings.Contains(s, "<script") || !strings.Contains(r.Alt, "its image") {
		t.Errorf("alt %q", r.Alt)
	}
	again, err := Hover(Points(x), x).Images(images, 2, 3).Tips(tips...).Render()
	if err != nil || string(again.Data) != s {
		t.Error("the same figure is another text")
	}
}

func TestHoverRefuses(t *testing.T) {
	x := mat.NewDense(3, 2, nil)
	for name, f := range map[string]*HoverFigure{
		"no plot": Hover(nil, x), "no places": Hover(Points(x), nil), "one column": Hover(Points(x), mat.NewDense(3, 1, nil)),
		"tips": Hover(Points(x), x).Tips("one"), "images": Hover(Points(x), x).Images(mat.NewDense(3, 4, nil), 2, 3), "fewer images": Hover(Points(x), x).Images(mat.NewDense(2, 4, nil), 2, 2),
		"no size": Hover(Points(x), x).Images(mat.NewDense(3, 4, nil), 0, 4),
	} {
		if _, err := f.Render(); !errors.Is(err, ml.ErrShape) && !errors.Is(err, ml.ErrEmpty) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
