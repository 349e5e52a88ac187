package plotting

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot/text"

	"github.com/golatent/latent/pkg/ml"
)

// Images draws each row of x as an image of height × width pixels, row by row from the top: digits,
// centers, loadings. Values are ink on paper, from white for the smallest of all to black for the
// largest (PerImage: of each image), or blue to red around zero where they have both signs;
// ColorMap and Limits change that. Columns sets how many stand side by side, Captions what stands
// under each. A pixel that isn't finite is left out.
func Images(x mat.Matrix, height, width int) *Plot {
	return newImages("plotting.Images", x, height, width, 1)
}

// RGBImages is Images for rows of height × width × 3 values, each pixel's red, green and blue
// together, from 0 to 1 or as Limits says.
func RGBImages(x mat.Matrix, height, width int) *Plot {
	return newImages("plotting.RGBImages", x, height, width, 3)
}

// ColorImages draws images of one size in their own colors, side by side.
func ColorImages(images ...image.Image) *Plot {
	const method = "plotting.ColorImages"
	if len(images) == 0 || images[0] == nil {
		return &Plot{err: fmt.Errorf("%s: no images: %w", method, ml.ErrEmpty)}
	}
	size := images[0].Bounds().Size()
	if size.X < 1 || size.Y < 1 || size.X*size.Y*len(images) > maxPixels {
		return &Plot{err: ml.BadParameter(method, "the size of the images", size, fmt.Sprintf("1 to %d pixels in all", maxPixels))}
	}
	x := mat.NewDense(len(images), size.X*size.Y*3, nil)
	for i, img := range images {
		if img == nil || img.Bounds().Size() != size {
			return &Plot{err: ml.BadShape(method, "image %d is not of %d × %d pixels as the first", i, size.Y, size.X)}
		}
		row := x.RawRowView(i)
		for k := range size.X * size.Y {
			c := color.NRGBAModel.Convert(img.At(img.Bounds().Min.X+k%size.X, img.Bounds().Min.Y+k/size.X)).(color.NRGBA)
			row[3*k], row[3*k+1], row[3*k+2] = float64(c.R)/255, float64(c.G)/255, float64(c.B)/255
		}
	}
	return newImages(method, x, size.Y, size.X, 3)
}

// maxPixels bounds the pixels of a grid of images: 4,000 digits of 28 × 28 fit.
const maxPixels = 1 << 22

func newImages(method string, x mat.Matrix, height, width, channels int) *Plot {
	n, d, err := dims(method, x)
	switch {
	case err != nil:
	case height < 1 || width < 1 || height > maxPixels || width > maxPixels:
		err = ml.BadParameter(method, "height × width", fmt.Sprintf("%d × %d", height, width), "positive numbers")
	case d != height*width*channels:
		err = ml.BadShape(method, "rows of %d values, want height × width × channels = %d × %d × %d = %d", d, height, width, channels, height*width*channels)
	case n*height*width > maxPixels:
		err = ml.BadParameter(method, "the number of pixels", n*height*width, fmt.Sprintf("at most %d; show fewer rows", maxPixels))
	}
	return &Plot{layers: []laid{{layer: &images{x: x, n: n, h: height, w: width, channels: channels}}}, err: err}
}

type images struct {
	plain
	x        mat.Matrix
	n, h, w  int
	channels int

	columns  int     // 0: as many as suit
	zoom     float64 // pixels of the screen a pixel; 0: as suits
	perImage bool
	captions []string
}

// Columns sets how many images stand in a row.
func (p *Plot) Columns(n int) *Plot {
	if n < 1 {
		p.err = either(p.err, ml.BadParameter("plotting.Columns", "n", n, "n ≥ 1"))
		return p
	}
	return change(p, "Columns", func(l *images) { l.columns = n })
}

// Scale sets how many screen pixels a pixel of an image takes.
func (p *Plot) Scale(s float64) *Plot {
	if !(s > 0 && s <= 200) {
		p.err = either(p.err, ml.BadParameter("plotting.Scale", "s", s, "0 < s ≤ 200"))
		return p
	}
	return change(p, "Scale", func(l *images) { l.zoom = s })
}

// PerImage scales the gray values of each image by its own extremes rather than by those of all
// images.
func (p *Plot) PerImage() *Plot {
	return change(p, "PerImage", func(l *images) { l.perImage = true })
}

// Captions writes a line under each image.
func (p *Plot) Captions(s ...string) *Plot {
	return change(p, "Captions", func(l *images) { l.captions = append([]string{}, s...) })
}

func (*images) takes() string { return "ColorMap" }

func (l *images) check(o *options) error {
	if l.captions != nil && len(l.captions) != l.n {
		return ml.BadShape("plotting.Images", "%d captions for %d images", len(l.captions), l.n)
	}
	return nil
}

// tiling is how images are laid out, in pixels of the screen.
type tiling struct {
	columns, rows  int
	zoom           float64 // screen pixels a pixel of the image
	w, h, gap      float64 // a tile's size, and the space to the next
	below          float64 // room for a label
	totalW, totalH float64
}

func (l *images) tiling() tiling {
	t := tiling{columns: l.columns}
	if t.columns == 0 {
		t.columns = min(l.n, max(1, int(math.Ceil(math.Sqrt(float64(l.n)*1.8*float64(l.h)/float64(l.w))))))
		// Twenty images stand better in two rows of ten than in four of six and a rest.
		for c := t.columns; c <= t.columns+t.columns/3 && l.n%t.columns != 0; c++ {
			if l.n%c == 0 {
				t.columns = c
			}
		}
	}
	t.columns = min(t.columns, l.n)
	t.rows = (l.n + t.columns - 1) / t.columns
	// Whole multiples, so that all pixels are alike; photographs are shrunk.
	t.zoom = math.Floor(min(640/float64(t.columns*l.w), 64/float64(max(l.h, l.w))))
	if l.n == 1 {
		t.zoom = math.Floor(240 / float64(max(l.h, l.w)))
	}
	if t.zoom < 1 {
		t.zoom = min(1, 640/float64(t.columns*l.w))
	}
	if l.zoom > 0 {
		t.zoom = min(l.zoom, 4000/float64(t.columns*l.w), 4000/float64(t.rows*l.h))
	}
	t.w, t.h = t.zoom*float64(l.w), t.zoom*float64(l.h)
	t.gap = max(2, math.Round(t.w/12))
	if l.captions != nil {
		t.below = 15
		sty := style(textSize, text.XCenter, text.YTop)
		widest := 0.0
		for _, s := range l.captions {
			widest = max(widest, textWidth(sty, s))
		}
		t.gap = max(t.gap, min(widest+8-t.w, 60))
	}
	t.totalW = float64(t.columns)*(t.w+t.gap) - t.gap
	t.totalH = float64(t.rows)*(t.h+t.below+t.gap) - t.gap
	return t
}

func (l *images) bounds(o *options) (b box) {
	t := l.tiling()
	b.include(0, 0)
	b.include(t.totalW, t.totalH)
	return b
}

func (l *images) hints(o *options) hints {
	t := l.tiling()
	return hints{bare: true, tight: true, flipY: true, equal: true, w: t.totalW, h: t.totalH}
}

// draw puts all images into one, with transparent gaps.
func (l *images) draw(d *drawing, o *options) error {
	t := l.tiling()
	shrink := 1
	if t.zoom < 1 {
		shrink = max(1, int(math.Floor(1/(density*t.zoom))))
	}
	for r := range t.rows {
		// One picture a row of tiles: gaps in whole image pixels can't be had for every zoom.
		for c := range t.columns {
			i := r*t.columns + c
			if i >= l.n {
				break
			}
			x, y := float64(c)*(t.w+t.gap), float64(r)*(t.h+t.below+t.gap)
			a, b := d.at(x, y+t.h), d.at(x+t.w, y)
			d.picture(rectangle(float64(a.X), float64(a.Y), float64(b.X), float64(b.Y)), l.tile(i, shrink, o), t.zoom < 1)
		}
	}
	return nil
}

func (l *images) write(d *drawing, o *options) {
	if l.captions == nil {
		return
	}
	t := l.tiling()
	sty := style(textSize, text.XCenter, text.YTop)
	for i, s := range l.captions {
		at := d.at(float64(i%t.columns)*(t.w+t.gap)+t.w/2, float64(i/t.columns)*(t.h+t.below+t.gap)+t.h)
		write(d.surface, sty, float64(at.X), float64(at.Y)-2, s)
	}
}

// tile is one image, averaged over shrink × shrink pixels.
func (l *images) tile(i, shrink int, o *options) image.Image {
	w, h := (l.w+shrink-1)/shrink, (l.h+shrink-1)/shrink
	mean := func(px, py, channel int) float64 {
		sum, n := 0.0, 0
		for y := py * shrink; y < min((py+1)*shrink, l.h); y++ {
			for x := px * shrink; x < min((px+1)*shrink, l.w); x++ {
				sum += l.x.At(i, (y*l.w+x)*l.channels+channel)
				n++
			}
		}
		return sum / float64(n)
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	scale := l.scaleOf(i, o)
	for py := range h {
		for px := range w {
			v := mean(px, py, 0)
			if l.channels == 3 {
				g, b := mean(px, py, 1), mean(px, py, 2)
				if finite(v, g, b) {
					at := func(v float64) uint8 { return uint8(math.Round(255 * unit((v-scale.lo)/(scale.hi-scale.lo)))) }
					img.SetNRGBA(px, py, color.NRGBA{at(v), at(g), at(b), 0xff})
				}
			} else if finite(v) {
				img.SetNRGBA(px, py, quantized(scale, v))
			}
		}
	}
	return img
}

func (l *images) scaleOf(i int, o *options) *colorScale {
	if l.channels == 3 {
		if o.limits != nil {
			return &colorScale{lo: o.limits[0], hi: o.limits[1]}
		}
		return &colorScale{lo: 0, hi: 1}
	}
	first, last := 0, l.n
	if l.perImage {
		first, last = i, i+1
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for r := first; r < last; r++ {
		for c := range l.h * l.w {
			if v := l.x.At(r, c); finite(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	return newScale([]float64{lo, hi}, o, InvertedGrey)
}

func (l *images) describe(o *options) string {
	kind := "gray"
	if l.channels == 3 {
		kind = "color"
	}
	t := l.tiling()
	s := fmt.Sprintf("%s of %d × %d pixels", count(l.n, kind+" image", kind+" images"), l.h, l.w)
	if l.n > 1 {
		s += fmt.Sprintf(" in %s and %s", count(t.rows, "row", "rows"), count(t.columns, "column", "columns"))
	}
	if l.captions != nil && l.n <= 12 {
		s += ", labeled " + listed(l.captions)
	}
	return s
}

func listed(names []string) string {
	out := ""
	for i, s := range names {
		if i > 0 {
			out += ", "
		}
		out += s
	}
	return out
}

// Thumbnails draws an image at each row of at, an n×2 matrix; row i of x holds its height × width
// gray values. Bright pixels hide what is under them, dark ones let it through.
func Thumbnails(at, x mat.Matrix, height, width int) *Plot {
	grid := newImages("plotting.Thumbnails", x, height, width, 1)
	l, err := newPoints("plotting.Thumbnails", at)
	err = either(grid.err, err)
	pics := grid.layers[0].layer.(*images)
	if err == nil && pics.n != len(l.xs) {
		err = ml.BadShape("plotting.Thumbnails", "%d images for %d points", pics.n, len(l.xs))
	}
	return &Plot{layers: []laid{{layer: &thumbnails{points: *l, images: pics}}}, err: err}
}

type thumbnails struct {
	points
	images *images
}

func (*thumbnails) takes() string                { return "ColorMap MarkSize Classes Names" }
func (*thumbnails) heavy(*options) bool          { return true }
func (*thumbnails) scale(*options) *colorScale   { return nil }
func (*thumbnails) write(d *drawing, _ *options) {}

func (l *thumbnails) keys(o *options) []key {
	if o.classes == nil {
		return nil
	}
	out := l.points.keys(o)
	for i := range out {
		out[i].mark, out[i].patch, out[i].opaque = false, true, 1
	}
	return out
}

// half is half a thumbnail's width in pixels; MarkSize sets it.
func (l *thumbnails) draw(d *drawing, o *options) error {
	half := either(o.markSize, max(10, float64(max(l.images.h, l.images.w))/density))
	scale := l.images.scaleOf(0, o)
	aspect := float64(l.images.h) / float64(l.images.w)
	for i := range l.xs {
		at := d.at(l.xs[i], l.ys[i])
		if !finite(float64(at.X), float64(at.Y)) {
			continue
		}
		img := image.NewNRGBA(image.Rect(0, 0, l.images.w, l.images.h))
		for k := range l.images.w * l.images.h {
			v := l.images.x.At(i, k)
			if !finite(v) {
				continue
			}
			c := scale.at(v)
			c.A = uint8(255 * unit((v-scale.lo)/(scale.hi-scale.lo)))
			if o.colors == nil {
				c = noiseColor
				if o.classes != nil {
					c = ClassColor(o.classes[i])
				}
				c.A = uint8(255 * unit((v-scale.lo)/(scale.hi-scale.lo)))
			}
			img.SetNRGBA(k%l.images.w, k/l.images.w, c)
		}
		x, y := float64(at.X), float64(at.Y)
		d.picture(rectangle(x-half, y-half*aspect, x+half, y+half*aspect), img, false)
	}
	return nil
}

func (l *thumbnails) describe(o *options) string {
	return fmt.Sprintf("%s of %d × %d pixels, each at its point", count(l.images.n, "image", "images"), l.images.h, l.images.w)
}
