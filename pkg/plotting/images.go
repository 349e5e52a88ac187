package plotting

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ImageGrid is a sheet of small pictures.
type ImageGrid struct {
	images   []image.Image
	captions []string
	title    string
	alt      string
	columns  int
	scale    float64
	err      error
}

// Images shows each row of x as a grey picture of h×w pixels, ink on paper: the least value of x white, the greatest black.
func Images(x mat.Matrix, h, w int) *ImageGrid {
	g := &ImageGrid{}
	n, d := x.Dims()
	if h < 1 || w < 1 || h*w != d || n == 0 {
		g.err = fmt.Errorf("plotting: Images: rows of %d numbers are no pictures of %d×%d, %d rows", d, h, w, n)
		return g
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range n {
		for j := range d {
			v := x.At(i, j)
			if math.IsNaN(v) || math.IsInf(v, 0) {
				g.err = fmt.Errorf("plotting: Images: row %d, column %d is %v", i, j, v)
				return g
			}
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if lo == hi {
		hi = lo + 1
	}
	for i := range n {
		img := image.NewGray(image.Rect(0, 0, w, h))
		for j := range d {
			img.Set(j%w, j/w, InvertedGrey((x.At(i, j)-lo)/(hi-lo)))
		}
		g.images = append(g.images, img)
	}
	return g
}

// ColorImages shows pictures in their own colors; they may differ in size.
func ColorImages(images ...image.Image) *ImageGrid {
	g := &ImageGrid{images: images}
	if len(images) == 0 {
		g.err = fmt.Errorf("plotting: ColorImages: no images")
	}
	for i, img := range images {
		if img == nil || img.Bounds().Empty() {
			g.err = fmt.Errorf("plotting: ColorImages: image %d is empty", i)
		}
	}
	return g
}

// Title names the sheet.
func (g *ImageGrid) Title(s string) *ImageGrid { g.title = s; return g }

// Captions writes a line under each picture.
func (g *ImageGrid) Captions(s ...string) *ImageGrid { g.captions = s; return g }

// Columns sets how many pictures stand in a row; 0 means as many as make the sheet about 640 pixels wide.
func (g *ImageGrid) Columns(n int) *ImageGrid { g.columns = n; return g }

// Scale sets how many screen pixels one pixel of a picture takes; 0 means what gives pictures of about 56 pixels.
func (g *ImageGrid) Scale(s float64) *ImageGrid { g.scale = s; return g }

// Alt replaces the description in words.
func (g *ImageGrid) Alt(s string) *ImageGrid { g.alt = s; return g }

// Render draws the sheet as SVG with one embedded picture each.
func (g *ImageGrid) Render() (Rendering, error) {
	if g.err != nil {
		return Rendering{}, g.err
	}
	n := len(g.images)
	if len(g.captions) != 0 && len(g.captions) != n {
		return Rendering{}, fmt.Errorf("plotting: Captions: %d for %d images", len(g.captions), n)
	}
	if g.columns < 0 || g.scale < 0 {
		return Rendering{}, fmt.Errorf("plotting: Columns(%d), Scale(%g), want neither negative", g.columns, g.scale)
	}
	w, h := 0, 0
	for _, img := range g.images {
		w, h = max(w, img.Bounds().Dx()), max(h, img.Bounds().Dy())
	}
	scale := g.scale
	if scale == 0 {
		scale = 56 / float64(max(w, h))
		if max(w, h) > 100 {
			scale = min(1, 480/float64(max(w, h)))
		}
	}
	const gap = 6
	cw, ch := float64(w)*scale+gap, float64(h)*scale+gap
	if len(g.captions) > 0 {
		ch += 15
	}
	columns := g.columns
	if columns == 0 {
		columns = max(int(640/cw), 1)
	}
	columns = min(columns, n)
	top := 0.0
	if g.title != "" {
		top = 24
	}
	width, height := float64(columns)*cw+gap, float64((n+columns-1)/columns)*ch+gap+top
	if g.title != "" {
		width = max(width, float64(sans(14).Size)*0.62*float64(len(g.title)))
	}
	c := newSVG(width, height)
	text := func(x, y, size float64, s string) {
		sty := draw.TextStyle{Color: Ink, Font: sans(size), XAlign: draw.XCenter, Handler: plot.DefaultTextHandler}
		dc := draw.New(c)
		dc.FillText(sty, vg.Point{X: vg.Length(x), Y: vg.Length(height - y)}, s)
	}
	if g.title != "" {
		text(width/2, 16, 14, g.title)
	}
	for i, img := range g.images {
		x, y := gap+float64(i%columns)*cw, top+gap+float64(i/columns)*ch
		b := img.Bounds()
		c.DrawImage(vg.Rectangle{
			Min: vg.Point{X: vg.Length(x), Y: vg.Length(height - y - float64(b.Dy())*scale)},
			Max: vg.Point{X: vg.Length(x + float64(b.Dx())*scale), Y: vg.Length(height - y)},
		}, img)
		if len(g.captions) > 0 {
			text(x+(cw-gap)/2, y+ch-gap-3, 11, g.captions[i])
		}
	}
	alt := g.alt
	if alt == "" {
		alt = fmt.Sprintf("%s%d pictures of %d×%d pixels", prefix(g.title), n, w, h)
	}
	return Rendering{MIME: "image/svg+xml", Data: c.finish(alt), Alt: alt, Width: int(math.Ceil(width)), Height: int(math.Ceil(height))}, nil
}

func prefix(title string) string {
	if title == "" {
		return ""
	}
	return title + ": "
}

// Swatches shows colors as a row of squares: a palette.
func Swatches(colors []color.Color) *ImageGrid {
	g := &ImageGrid{scale: 1}
	if len(colors) == 0 {
		g.err = fmt.Errorf("plotting: Swatches: no colors")
	}
	for _, c := range colors {
		img := image.NewNRGBA(image.Rect(0, 0, 36, 36))
		for i := range 36 * 36 {
			img.Set(i%36, i/36, c)
		}
		g.images = append(g.images, img)
	}
	return g
}
