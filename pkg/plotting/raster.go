package plotting

import (
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// density is the number of image pixels a CSS pixel: pictures stay sharp on dense screens.
const density = 2

// pngCanvas draws in pixels, transparent where nothing was drawn: a whole PNG, or the layer of an
// SVG that has too many marks.
type pngCanvas struct {
	*vgimg.Canvas
	img  *image.RGBA
	rect vg.Rectangle // what it shows of the figure
}

func newPNG(rect vg.Rectangle) *pngCanvas {
	size := rect.Size()
	w, h := max(1, int(math.Round(density*float64(size.X)))), max(1, int(math.Round(density*float64(size.Y))))
	c := vgimg.NewWith(vgimg.UseImage(image.NewRGBA(image.Rect(0, 0, w, h))), vgimg.UseDPI(72*density))
	img := c.Image().(*image.RGBA)
	clear(img.Pix) // vgimg starts with a white page
	c.Translate(vg.Point{X: -rect.Min.X, Y: -rect.Min.Y})
	return &pngCanvas{Canvas: c, img: img, rect: rect}
}

// pixel returns a position in the image's pixels, y downwards.
func (p *pngCanvas) pixel(at vg.Point) (x, y float64) {
	return density * float64(at.X-p.rect.Min.X), float64(p.img.Rect.Dy()) - density*float64(at.Y-p.rect.Min.Y)
}

func (p *pngCanvas) clip(rect vg.Rectangle) surface { return newPNG(rect) }

func (p *pngCanvas) unclip(s surface) {
	sub := s.(*pngCanvas)
	p.picture(sub.rect, sub.img, false)
}

func (p *pngCanvas) DrawImage(rect vg.Rectangle, img image.Image) { p.picture(rect, img, true) }

// picture scales by the nearest pixel: what is enlarged here are matrices and images, whose pixels
// should stay visible.
func (p *pngCanvas) picture(rect vg.Rectangle, img image.Image, _ bool) {
	x0, y1 := p.pixel(rect.Min)
	x1, y0 := p.pixel(rect.Max)
	left, top, right, bottom := int(math.Round(x0)), int(math.Round(y0)), int(math.Round(x1)), int(math.Round(y1))
	b := img.Bounds()
	for y := max(top, 0); y < min(bottom, p.img.Rect.Dy()); y++ {
		sy := b.Min.Y + (y-top)*b.Dy()/(bottom-top)
		for x := max(left, 0); x < min(right, p.img.Rect.Dx()); x++ {
			r, g, bl, a := img.At(b.Min.X+(x-left)*b.Dx()/(right-left), sy).RGBA()
			p.blend(x, y, r, g, bl, a)
		}
	}
}

// blend lays a premultiplied 16-bit color over a pixel.
func (p *pngCanvas) blend(x, y int, r, g, b, a uint32) {
	if a == 0 {
		return
	}
	pix := p.img.Pix[p.img.PixOffset(x, y):][:4:4]
	for i, v := range [4]uint32{r, g, b, a} {
		pix[i] = uint8((v + uint32(pix[i])*257*(0xffff-a)/0xffff) >> 8)
	}
}

// stamp is how much of each pixel of a small square a mark covers.
type stamp struct {
	half  int
	cover []float64
}

// stampSteps is the number of positions within a pixel, each way, for which a stamp is made.
const stampSteps = 4

// marks draws every mark by a stamp made once for its shape, size and place within a pixel; tens of
// thousands of points take milliseconds, where filling as many paths takes seconds.
func (p *pngCanvas) marks(ms []mark, edged bool) {
	type key struct {
		shape  shape
		r      float64
		dx, dy int
	}
	made := map[key]stamp{}
	press := func(m mark, r float64, c color.Color) {
		x, y := p.pixel(m.at)
		if !(math.Abs(x) < 1e5 && math.Abs(y) < 1e5) {
			return
		}
		ix, iy := math.Floor(x), math.Floor(y)
		k := key{m.shape, r, int((x - ix) * stampSteps), int((y - iy) * stampSteps)}
		st, ok := made[k]
		if !ok {
			st = newStamp(m.shape, r*density, (float64(k.dx)+.5)/stampSteps, (float64(k.dy)+.5)/stampSteps)
			made[k] = st
		}
		p.press(st, int(ix), int(iy), c)
	}
	for _, m := range ms {
		if edged {
			press(m, m.r+.3, ink{0x8c})
			press(m, m.r-.3, m.fill)
		} else {
			press(m, m.r, m.fill)
		}
	}
}

func newStamp(s shape, r, cx, cy float64) stamp {
	const fine = 4
	half := int(math.Ceil(1.5*r)) + 1
	st := stamp{half: half, cover: make([]float64, (2*half+1)*(2*half+1))}
	for i := range st.cover {
		px, py := float64(i%(2*half+1)-half), float64(i/(2*half+1)-half)
		for k := range fine * fine {
			x := px + (float64(k%fine)+.5)/fine - cx
			y := py + (float64(k/fine)+.5)/fine - cy
			if s.contains(x/r, -y/r) {
				st.cover[i] += 1.0 / (fine * fine)
			}
		}
	}
	return st
}

func (p *pngCanvas) press(st stamp, x, y int, c color.Color) {
	r, g, b, a := c.RGBA()
	side := 2*st.half + 1
	for i, cover := range st.cover {
		px, py := x+i%side-st.half, y+i/side-st.half
		if cover > 0 && px >= 0 && py >= 0 && px < p.img.Rect.Dx() && py < p.img.Rect.Dy() {
			part := func(v uint32) uint32 { return uint32(float64(v) * cover) }
			p.blend(px, py, part(r), part(g), part(b), part(a))
		}
	}
}

// straight returns the picture with colors not multiplied by opacity, as PNG keeps them.
func (p *pngCanvas) straight() *image.NRGBA {
	out := image.NewNRGBA(p.img.Rect)
	for i := 0; i < len(p.img.Pix); i += 4 {
		a := uint32(p.img.Pix[i+3])
		if a == 0 {
			continue
		}
		for k := range 3 {
			out.Pix[i+k] = uint8(min(255, (uint32(p.img.Pix[i+k])*255+a/2)/a))
		}
		out.Pix[i+3] = uint8(a)
	}
	return out
}

// coarse rounds colors to 16 steps and opacity to 8, which can't be seen in a cloud of points and
// makes its PNG a third as large.
func coarse(img *image.NRGBA) *image.NRGBA {
	for i := range img.Pix {
		step := 17
		if i%4 == 3 {
			step = 36
		}
		img.Pix[i] = uint8(min(255, (int(img.Pix[i])+step/2)/step*step))
	}
	return img
}
